"""What the floor needs of a store of market data, and the tables that go in and come out.

One writer process at a time; readers may be many. Times are UTC nanoseconds throughout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from ibfloor.model.errors import FloorError

Column = npt.NDArray[Any]
Table = dict[str, Column]
"""Columns of equal length by name."""

ColumnTypes = Mapping[str, type[np.generic]]

TICK_COLUMNS: ColumnTypes = {
    "kind": np.int8,
    "instrument_id": np.int64,
    "ts_ns": np.int64,
    "px": np.float64,
    "qty": np.float64,
}
BAR_COLUMNS: ColumnTypes = {
    "instrument_id": np.int64,
    "ts_ns": np.int64,
    "open": np.float64,
    "high": np.float64,
    "low": np.float64,
    "close": np.float64,
    "volume": np.float64,
}
EQUITY_COLUMNS: ColumnTypes = {
    "book": np.int64,
    "ts_ns": np.int64,
    "equity": np.float64,
    "realised": np.float64,
    "unrealised": np.float64,
    "fees": np.float64,
    "income": np.float64,
    "flows": np.float64,
}
KIND_GAP = 0
"""A row that says ``qty`` ticks are missing here, of any instrument."""

# 1990 to 2100: what lies outside is not nanoseconds, or not UTC.
_TS_MIN_NS, _TS_MAX_NS = 631_152_000 * 10**9, 4_102_444_800 * 10**9


class StoreError(FloorError):
    """The store refused or could not do something; it can be used further."""


class StoreBroken(StoreError):
    """The store must not be written any more by this process: writing on could crash it."""


class StoredRange(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one instrument is stored in one kind of table."""

    instrument_id: int
    table: str
    first_ns: int
    last_ns: int
    rows: int


class MarketStore(Protocol):
    """A place for ticks and 1-minute bars. Owner: one thread of one process."""

    def append_ticks(self, ticks: Table) -> int:
        """Store ticks and gap markers; return how many rows were new."""

    def append_bars(self, bars: Table) -> int:
        """Store 1-minute bars; return how many rows were new: one bar per instrument and start."""

    def read_ticks(self, instrument_id: int, start_ns: int, end_ns: int) -> Table:
        """Return the ticks of an instrument with ``start_ns <= ts_ns < end_ns``, in order."""

    def read_bars(self, instrument_id: int, start_ns: int, end_ns: int) -> Table:
        """Return the bars of an instrument with ``start_ns <= ts_ns < end_ns``, in order."""

    def ranges(self) -> list[StoredRange]:
        """Return what is stored."""


class CurveStore(Protocol):
    """A place for equity curves. Owner: one thread of one process."""

    def append(self, rows: Table) -> int:
        """Store points, of each book in order of time; return how many were new."""


def as_table(columns: Mapping[str, Sequence[float | int] | Column], kinds: ColumnTypes) -> Table:
    """Return typed columns; raise ``StoreError`` that names what does not fit."""
    missing = [name for name in kinds if name not in columns]
    if missing:
        raise StoreError(f"a market table lacks the column {missing[0]}")
    try:
        table = {name: np.asarray(columns[name], dtype=kind) for name, kind in kinds.items()}
    except (TypeError, ValueError, OverflowError) as error:
        raise StoreError(f"a market table holds a value that is no number: {error}") from error
    if len({len(column) for column in table.values()}) > 1:
        raise StoreError("the columns of a market table differ in length")
    require_utc_ns(table["ts_ns"])
    return table


def require_utc_ns(ts_ns: Column) -> None:
    """Raise ``StoreError`` unless all times are UTC nanoseconds between 1990 and 2100."""
    if ts_ns.dtype != np.int64:
        raise StoreError(f"times are UTC nanoseconds as 64-bit integers, not {ts_ns.dtype}")
    if ts_ns.size and not (int(ts_ns.min()) >= _TS_MIN_NS and int(ts_ns.max()) < _TS_MAX_NS):
        raise StoreError(
            f"a time between {int(ts_ns.min())} and {int(ts_ns.max())} is not UTC nanoseconds: is it in seconds?"
        )


def concat(tables: Sequence[Table]) -> Table:
    """Return tables one below the other; at least one is needed."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def rows_of(table: Table, choice: Column) -> Table:
    """Return chosen rows: a mask or positions."""
    return {name: column[choice] for name, column in table.items()}


def row_count(table: Table) -> int:
    """Return the number of rows."""
    return len(table["ts_ns"])
