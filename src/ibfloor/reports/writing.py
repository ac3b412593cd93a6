"""Statements as files: one folder per day, one file per book and format, for their owner's eyes only."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import tzinfo
from pathlib import Path

from ibfloor.ledger.reading import read_facts
from ibfloor.model.errors import FloorError
from ibfloor.model.ids import StrategyId
from ibfloor.model.lots import LotMethod
from ibfloor.portfolio.chronicle import KINDS, Chronicle, chronicle, day_of
from ibfloor.portfolio.statement import Statement, StatementError, statements
from ibfloor.reports.statement_csv import statement_csv
from ibfloor.reports.statement_html import statement_html

FOLDER = "statements"
FORMATS = ("html", "csv")


class NoStatement(FloorError):
    """There is nothing to state; the text says why."""


def read_chronicle(home: Path, tz: tzinfo, lots: LotMethod) -> Chronicle:
    """Return what the home's journal tells of books; raise ``LedgerError`` where there is none."""
    return chronicle(read_facts(home, KINDS), tz, lots)


def days_told(story: Chronicle, tz: tzinfo) -> list[str]:
    """Return the days on which the books were valued, oldest first."""
    return sorted({day_of(each.ts_event_ns, tz) for each in story.marks})


def statements_of(story: Chronicle, day: str | None, tz: tzinfo) -> Mapping[StrategyId, Statement]:
    """Return a day's statements, of the last valued day when none is named.

    Raises ``NoStatement`` that says what is missing.
    """
    days = days_told(story, tz)
    if not days:
        raise NoStatement("the books were never valued: run a floor once, it records prices and rates every minute")
    try:
        return statements(story, day or days[-1], tz)
    except StatementError as error:
        raise NoStatement(str(error)) from None
    except ValueError:
        raise NoStatement(f"{day} is no day: write one as 2026-03-31") from None


def write_statements(
    made: Iterable[Statement], folder: Path, formats: Iterable[str], tz: tzinfo, *, floor: str = ""
) -> list[Path]:
    """Write statements to ``<folder>/<day>/<book>.<format>``, each whole or not at all; return the files.

    Raises ``NoStatement`` for a folder that cannot be written to.
    """
    writers: dict[str, Callable[[Statement], str]] = {
        "html": lambda one: statement_html(one, tz, floor=floor),
        "csv": lambda one: statement_csv(one, tz),
    }
    written = []
    wanted = tuple(formats)
    for one in made:
        place = folder / one.day
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            for form in wanted:
                file = place / f"{one.owner}.{form}"
                draft = file.with_suffix(f".{form}.new")
                draft.touch(mode=0o600)
                draft.write_text(writers[form](one), encoding="utf-8")
                os.replace(draft, file)
                written.append(file)
        except OSError as error:
            reason = error.strerror or error
            raise NoStatement(f"cannot write statements to {place}: {reason}; name another folder") from error
    return written
