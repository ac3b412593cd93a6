"""What reports need of floor.toml, and the options they share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer

from ibfloor.cli.options import config_of
from ibfloor.model.errors import FloorError
from ibfloor.model.ids import UNASSIGNED
from ibfloor.model.lots import LotMethod
from ibfloor.reports.days import DAY_ZONE

DayOption = Annotated[
    str | None, typer.Option("--day", metavar="YYYY-MM-DD", help="The trading day, in New York; else the last one.")
]


class UnknownName(FloorError):
    """Neither the journal nor floor.toml knows a book or an instrument of that name."""


class Reporting(msgspec.Struct, frozen=True, kw_only=True):
    """How a floor's reports are made."""

    floor: str
    lots: LotMethod
    tz: ZoneInfo = DAY_ZONE
    strategies: frozenset[str] = frozenset()
    """Those that floor.toml names."""


def reporting(config: Path, home: Path | None) -> Reporting:
    """Return what floor.toml says; raise ``ConfigError`` when it is there and cannot be read.

    Where only a home is named and no floor.toml is near, lots are first in, first out.
    """
    from ibfloor.config import load_settings

    file = config_of(config, home)
    if home is not None and not file.is_file():
        return Reporting(floor="", lots=LotMethod.FIFO)
    settings = load_settings(file, home=home)
    names = frozenset(str(each.name) for each in settings.strategies)
    return Reporting(floor=settings.floor.name, lots=settings.books.lots, strategies=names)


def check_book(owner: str, known: Iterable[str], terms: Reporting) -> None:
    """Raise ``UnknownName`` for a book that neither the journal nor floor.toml knows."""
    there = sorted({UNASSIGNED, *known, *terms.strategies})
    if owner and owner not in there:
        raise UnknownName(f"there is no book {owner}; there are: {', '.join(there)}")
