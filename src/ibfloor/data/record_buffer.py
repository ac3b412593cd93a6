"""What the recorder holds between two flushes: columns as they came, and when they must go."""

from __future__ import annotations

import math

from ibfloor.control.protocol import MarketColumns
from ibfloor.data.store import (
    BAR_COLUMNS,
    EQUITY_COLUMNS,
    KIND_GAP,
    TICK_COLUMNS,
    StoreError,
    Table,
    as_table,
    concat,
    row_count,
)
from ibfloor.model.moment import NS_PER_MINUTE


class RecordBuffer:
    """Collects tables until they are due. Owner: the recorder's loop; ``now_s`` is monotonic wall time."""

    def __init__(self, *, flush_s: float, rows_max: int) -> None:
        self.rows = 0
        self._flush_s = flush_s
        self._rows_max = rows_max
        self._tables: list[Table] = []
        self._since_s = math.inf

    @property
    def due_s(self) -> float:
        """Return when the buffer must be flushed; infinity while it is empty."""
        return self._since_s if self.rows >= self._rows_max else self._since_s + self._flush_s

    def add(self, table: Table, now_s: float) -> None:
        """Add rows."""
        if row_count(table):
            self._tables.append(table)
            self.rows += row_count(table)
            self._since_s = min(self._since_s, now_s)

    def take(self) -> Table | None:
        """Return all rows and forget them; ``None`` when there are none."""
        tables, self._tables = self._tables, []
        self.rows, self._since_s = 0, math.inf
        return concat(tables) if tables else None


def tick_table(message: MarketColumns) -> Table:
    """Return a message's ticks, behind a gap marker where some were dropped before them.

    Raises ``StoreError`` for columns that are no ticks.
    """
    ticks = as_table(message.columns, TICK_COLUMNS)
    if not message.dropped or not row_count(ticks):
        return ticks
    row: dict[str, float] = {"kind": KIND_GAP, "instrument_id": 0, "px": math.nan, "qty": message.dropped}
    marker = as_table({name: [value] for name, value in row.items()} | {"ts_ns": ticks["ts_ns"][:1]}, TICK_COLUMNS)
    return concat([marker, ticks])


def bar_table(message: MarketColumns) -> Table:
    """Return a message's bars; raises ``StoreError`` for columns that are no 1-minute bars."""
    if any(duration_ns != NS_PER_MINUTE for duration_ns in message.columns.get("duration_ns", ())):
        raise StoreError("only 1-minute bars are stored: longer ones are made of them")
    return as_table(message.columns, BAR_COLUMNS)


def equity_table(message: MarketColumns) -> Table:
    """Return a message's points of equity curves; raises ``StoreError`` for columns that are none."""
    return as_table(message.columns, EQUITY_COLUMNS)
