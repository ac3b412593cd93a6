"""Equity curves in ArcticDB: the library ``equity``, one long table a month, a row per book and point.

They are copies: the journal tells every point again (``missing_points``), so a table that is lost comes back.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ibfloor.data.arctic_store import EQUITY, ArcticStore
from ibfloor.data.equity_points import BOOK_NAMES
from ibfloor.data.store import EQUITY_COLUMNS, Table, as_table, concat, require_utc_ns, rows_of
from ibfloor.data.symbol_names import SymbolNames
from ibfloor.model.ids import StrategyId
from ibfloor.model.moment import to_datetime
from ibfloor.portfolio.curve import book_key


class EquityTable:
    """The curves of a store. Owner: the recorder's loop; others only read."""

    def __init__(self, store: ArcticStore, folder: Path) -> None:
        self._store = store
        self.names = SymbolNames(folder, BOOK_NAMES)
        self._newest: dict[str, dict[int, int]] = {}
        """Per month: the newest stored point of each book."""

    def append(self, rows: Table) -> int:
        """Store points, of each book in order of time; those stored already are left out. Return how many were new."""
        require_utc_ns(rows["ts_ns"])
        months = np.array([_month(ts_ns) for ts_ns in rows["ts_ns"].tolist()])
        return sum(self._append(str(month), rows_of(rows, months == month)) for month in np.unique(months))

    def last_ns(self) -> int:
        """Return the time of the newest stored point of any book; 0 for none."""
        symbols = self._store.symbols(EQUITY)
        return max(self._newest_of(symbols[-1]).values(), default=0) if symbols else 0

    def read(self, book: StrategyId, start_ns: int, end_ns: int) -> Table:
        """Return the points of a book with ``start_ns <= ts_ns < end_ns``, in order."""
        first, last = _month(start_ns), _month(end_ns)
        tables = [as_table({name: [] for name in EQUITY_COLUMNS}, EQUITY_COLUMNS)]
        for symbol in self._store.symbols(EQUITY):
            if first <= symbol <= last:
                rows = self._store.read_live(EQUITY, symbol)
                wanted = (rows["ts_ns"] >= start_ns) & (rows["ts_ns"] < end_ns) & (rows["book"] == book_key(book))
                tables.append(rows_of(rows, wanted))
        rows = concat(tables)
        return rows_of(rows, np.argsort(rows["ts_ns"], kind="stable"))

    def books(self) -> list[StrategyId]:
        """Return the books that have a curve, by name."""
        return sorted(StrategyId(name) for name in self.names.names.values())

    def _append(self, month: str, rows: Table) -> int:
        newest = self._newest_of(month)
        fresh = []
        for row, (key, ts_ns) in enumerate(zip(rows["book"].tolist(), rows["ts_ns"].tolist(), strict=True)):
            if ts_ns > newest.get(key, 0):
                fresh.append(row)
                newest[key] = ts_ns
        try:
            return self._store.append_rows(EQUITY, month, rows_of(rows, np.array(fresh, dtype=np.int64)))
        except BaseException:
            self._newest.pop(month, None)  # not stored: to be looked up again
            raise

    def _newest_of(self, month: str) -> dict[int, int]:
        if month not in self._newest:
            newest: dict[int, int] = {}
            if month in self._store.symbols(EQUITY):
                stored = self._store.read_live(EQUITY, month)
                for key, ts_ns in zip(stored["book"].tolist(), stored["ts_ns"].tolist(), strict=True):
                    newest[key] = max(ts_ns, newest.get(key, 0))
            self._newest[month] = newest
        return self._newest[month]


def _month(ts_ns: int) -> str:
    return to_datetime(ts_ns).strftime("%Y%m")
