"""Points of equity curves as tables, and those that the journal tells and a store lacks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ibfloor.data.store import EQUITY_COLUMNS, Table, as_table
from ibfloor.ledger.reading import read_facts
from ibfloor.model.errors import LedgerError
from ibfloor.model.lots import LotMethod
from ibfloor.portfolio.chronicle import KINDS
from ibfloor.portfolio.curve import CurvePoint, book_key, curve_points

BOOK_NAMES = "books.json"
"""The file of the books' names, beside the store: number -> name."""
FIGURES = tuple(name for name in EQUITY_COLUMNS if name not in ("book", "ts_ns"))


def missing_points(home: Path, lots: LotMethod, last_ns: int) -> tuple[Table, dict[int, str]]:
    """Return the points after a time that the journal tells, and the names of their books.

    With 0 it is all of them: a lost table comes back as it was.
    """
    try:
        points = list(curve_points(read_facts(home, KINDS), lots, after_ns=last_ns))
    except LedgerError:  # no ledger yet: the floor tells its points itself
        points = []
    return point_table(points), {book_key(point.book): str(point.book) for point in points}


def point_table(points: Iterable[CurvePoint]) -> Table:
    """Return points as a table."""
    return as_table(point_rows(points), EQUITY_COLUMNS)


def point_rows(points: Iterable[CurvePoint]) -> dict[str, list[float | int]]:
    """Return points as plain columns."""
    rows = tuple(points)
    columns: dict[str, list[float | int]] = {
        "book": [book_key(point.book) for point in rows],
        "ts_ns": [point.ts_ns for point in rows],
    }
    return columns | {name: [getattr(point, name) for point in rows] for name in FIGURES}
