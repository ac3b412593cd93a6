"""Market data in ArcticDB on LMDB.

Libraries: ``ticks_live`` (a long table per hour), ``bars_live`` (a long table per day), ``bars_1m`` (one
symbol ``c<instrument id>`` per contract, sealed from ``bars_live`` at day end, see ``sealing``), ``equity`` (a long
table per month, see ``equity_table``).
Live tables are indexed by the order of storing: a row that comes late has its own time in ``ts_ns``
and the index of the row before it, because ArcticDB only appends forward.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

os.environ.setdefault("ARCTICDB_VersionMap_ReloadInterval_int", "0")  # readers in other processes: DATA.md 2
import arcticdb
from arcticdb.exceptions import ArcticException

from ibfloor.data.bar_size import NS_PER_DAY, NS_PER_HOUR
from ibfloor.data.pickle_guard import guard_pickles
from ibfloor.data.store import (
    BAR_COLUMNS,
    EQUITY_COLUMNS,
    KIND_GAP,
    TICK_COLUMNS,
    Column,
    ColumnTypes,
    StoreBroken,
    StoredRange,
    StoreError,
    Table,
    concat,
    require_utc_ns,
    row_count,
    rows_of,
)
from ibfloor.model.moment import to_datetime

guard_pickles()

TICKS_LIVE, BARS_LIVE, BARS_1M, EQUITY = "ticks_live", "bars_live", "bars_1m", "equity"

_opened: dict[Path, ArcticStore] = {}


def open_store(path: Path, *, map_size: str = "64GB") -> ArcticStore:
    """Return this process's one store of a folder; the folder is made, and shut to others.

    Raises ``StoreError`` when it cannot be opened.
    """
    path = path.resolve()
    store = _opened.get(path)
    if store is None:
        try:
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o700)
            store = ArcticStore(arcticdb.Arctic(f"lmdb://{path}?map_size={map_size}"))
        except (OSError, ArcticException) as error:
            raise StoreError(f"cannot open the market store in {path}: {error}") from error
        _opened[path] = store
    return store


class ArcticStore:
    """A ``MarketStore``. Owner: one thread; get it from ``open_store``, ArcticDB wants one per process."""

    def __init__(self, arctic: arcticdb.Arctic) -> None:
        self._libraries = {name: arctic.get_library(name, create_if_missing=True) for name in _LIBRARIES}
        self._broken = ""
        self._index_ends: dict[tuple[str, str], int] = {}
        self._last_tick_ns: dict[str, dict[int, int]] = {}
        """Per hour stored by an earlier process: the newest tick of each instrument."""
        self._bar_keys: dict[str, set[tuple[int, int]]] = {}

    def append_ticks(self, ticks: Table) -> int:
        """Store ticks; those an earlier process stored already are left out."""
        require_utc_ns(ticks["ts_ns"])
        return sum(
            self.append_rows(TICKS_LIVE, symbol, self._new_ticks(symbol, rows))
            for symbol, rows in _split(ticks, NS_PER_HOUR, "%Y%m%dT%H")
        )

    def append_bars(self, bars: Table) -> int:
        """Store bars; those stored already are left out."""
        require_utc_ns(bars["ts_ns"])
        return sum(
            self.append_rows(BARS_LIVE, symbol, self._new_bars(symbol, rows))
            for symbol, rows in _split(bars, NS_PER_DAY, "%Y%m%d")
        )

    def read_ticks(self, instrument_id: int, start_ns: int, end_ns: int) -> Table:
        """Return an instrument's ticks, in order."""
        return self._read_live(TICKS_LIVE, TICK_COLUMNS, instrument_id, start_ns, end_ns)

    def read_bars(self, instrument_id: int, start_ns: int, end_ns: int) -> Table:
        """Return an instrument's bars, sealed and live, in order."""
        live = self._read_live(BARS_LIVE, BAR_COLUMNS, instrument_id, start_ns, end_ns)
        sealed = self.read_sealed(instrument_id, start_ns, end_ns)
        both = concat([sealed, rows_of(live, ~np.isin(live["ts_ns"], sealed["ts_ns"]))])
        return rows_of(both, np.argsort(both["ts_ns"], kind="stable"))

    def read_gaps(self, start_ns: int, end_ns: int) -> Table:
        """Return the gap markers: when, and in ``qty`` how many ticks are missing."""
        ticks = self._read_live(TICKS_LIVE, TICK_COLUMNS, 0, start_ns, end_ns)
        return rows_of(ticks, ticks["kind"] == KIND_GAP)

    def read_sealed(self, instrument_id: int, start_ns: int, end_ns: int) -> Table:
        """Return an instrument's sealed bars, in order."""
        symbol = sealed_symbol(instrument_id)
        if start_ns >= end_ns or not self._libraries[BARS_1M].has_symbol(symbol):
            return _empty(BAR_COLUMNS)
        span = (pd.Timestamp(start_ns, tz="UTC"), pd.Timestamp(end_ns - 1, tz="UTC"))
        return _table(self._libraries[BARS_1M].read(symbol, date_range=span).data, BAR_COLUMNS)

    def ranges(self) -> list[StoredRange]:
        """Return what is stored, per instrument and table."""
        return [
            *self._live_ranges(TICKS_LIVE),
            *self._live_ranges(BARS_LIVE),
            *(_range(BARS_1M, self.read_live(BARS_1M, symbol)) for symbol in self.symbols(BARS_1M)),
        ]

    # What sealing needs.

    def symbols(self, library: str) -> list[str]:
        """Return the names of a library's tables, in order."""
        return sorted(self._libraries[library].list_symbols())

    def read_live(self, library: str, symbol: str) -> Table:
        """Return a whole table."""
        return _table(self._libraries[library].read(symbol).data, _COLUMNS.get(library, BAR_COLUMNS))

    def write(self, work: Callable[[Any], object], library: str) -> None:
        """Do something to a library; raises ``StoreBroken`` when nothing may be written after it."""
        with self._writing():
            work(self._libraries[library])

    def forget(self, library: str, symbol: str) -> None:
        """Delete a table and what is remembered of it."""
        self.write(lambda lib: lib.delete(symbol), library)
        self._index_ends.pop((library, symbol), None)
        self._bar_keys.pop(symbol, None)
        self._last_tick_ns.pop(symbol, None)

    def append_rows(self, library: str, symbol: str, rows: Table) -> int:
        """Put rows at a table's end; what is stored already is the caller's to leave out. Return how many."""
        count = row_count(rows)
        if count == 0:
            return 0
        end_ns = self._index_end(library, symbol)
        index_ns = np.maximum.accumulate(np.maximum(rows["ts_ns"], end_ns))
        index = pd.DatetimeIndex(index_ns.astype("datetime64[ns]"), tz="UTC", name="stored")
        frame = pd.DataFrame(rows, index=index)
        self.write(lambda lib: lib.append(symbol, frame), library)
        self._index_ends[library, symbol] = int(index_ns[-1])
        if library == BARS_LIVE:  # known only once they are stored
            self._bar_keys[symbol].update(_keys(rows))
        return count

    def _index_end(self, library: str, symbol: str) -> int:
        end_ns = self._index_ends.get((library, symbol))
        if end_ns is None:
            has_rows = self._libraries[library].has_symbol(symbol)
            end_ns = int(self._libraries[library].tail(symbol, 1).data.index[-1].value) if has_rows else 0
        return end_ns

    def _new_ticks(self, symbol: str, rows: Table) -> Table:
        last_ns = self._last_tick_ns.get(symbol)
        if last_ns is None:
            last_ns = self._last_tick_ns[symbol] = self._stored_ticks(symbol)
        if not last_ns:
            return rows
        seen_ns = np.array([last_ns.get(int(key), 0) for key in rows["instrument_id"]])
        return rows_of(rows, rows["ts_ns"] > seen_ns)

    def _stored_ticks(self, symbol: str) -> dict[int, int]:
        if not self._libraries[TICKS_LIVE].has_symbol(symbol):
            return {}
        stored = self.read_live(TICKS_LIVE, symbol)
        newest: dict[int, int] = {}
        for key, ts_ns in zip(stored["instrument_id"].tolist(), stored["ts_ns"].tolist(), strict=True):
            newest[key] = max(ts_ns, newest.get(key, 0))
        newest.pop(0, None)  # gap markers
        return newest

    def _new_bars(self, symbol: str, rows: Table) -> Table:
        known = self._bar_keys.get(symbol)
        if known is None:
            has_rows = self._libraries[BARS_LIVE].has_symbol(symbol)
            known = set(_keys(self.read_live(BARS_LIVE, symbol))) if has_rows else set()
            self._bar_keys[symbol] = known
        first = {key: position for position, key in reversed(list(enumerate(_keys(rows)))) if key not in known}
        return rows_of(rows, np.array(sorted(first.values()), dtype=np.int64))

    def _read_live(self, library: str, columns: ColumnTypes, instrument_id: int, start_ns: int, end_ns: int) -> Table:
        grid_ns, name = (NS_PER_HOUR, "%Y%m%dT%H") if library == TICKS_LIVE else (NS_PER_DAY, "%Y%m%d")
        first, last = (to_datetime(ts_ns - ts_ns % grid_ns).strftime(name) for ts_ns in (start_ns, end_ns))
        tables = [_empty(columns)]
        for symbol in self.symbols(library):
            if first <= symbol <= last:
                rows = self.read_live(library, symbol)
                wanted = (rows["ts_ns"] >= start_ns) & (rows["ts_ns"] < end_ns)
                tables.append(rows_of(rows, wanted & (rows["instrument_id"] == instrument_id)))
        rows = concat(tables)
        return rows_of(rows, np.argsort(rows["ts_ns"], kind="stable"))

    def _live_ranges(self, library: str) -> list[StoredRange]:
        tables = [self.read_live(library, symbol) for symbol in self.symbols(library)]
        if not tables:
            return []
        rows = concat(tables)
        keys = np.unique(rows["instrument_id"])
        return [_range(library, rows_of(rows, rows["instrument_id"] == key)) for key in keys if key]

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        if self._broken:
            raise StoreBroken(self._broken)
        try:
            yield
        except ArcticException as error:
            # After an error of LMDB the next write may crash the process (DATA.md 2): never write again.
            if "mdb_" in str(error):
                self._broken = f"the market store cannot be written any more: {error}; is the disk full?"
                raise StoreBroken(self._broken) from error
            raise StoreError(f"the market store refused a write: {error}") from error


_LIBRARIES = (TICKS_LIVE, BARS_LIVE, BARS_1M, EQUITY)
_COLUMNS = {TICKS_LIVE: TICK_COLUMNS, EQUITY: EQUITY_COLUMNS}


def sealed_symbol(instrument_id: int) -> str:
    """Return the name of a contract's sealed table."""
    return f"c{instrument_id}"


def _split(rows: Table, grid_ns: int, name: str) -> Iterator[tuple[str, Table]]:
    starts = rows["ts_ns"] - rows["ts_ns"] % grid_ns
    for start_ns in np.unique(starts).tolist():
        yield to_datetime(start_ns).strftime(name), rows_of(rows, starts == start_ns)


def _keys(rows: Table) -> list[tuple[int, int]]:
    return list(zip(rows["instrument_id"].tolist(), rows["ts_ns"].tolist(), strict=True))


def _table(frame: pd.DataFrame, columns: ColumnTypes) -> Table:
    return {name: frame[name].to_numpy() for name in columns}


def _empty(columns: ColumnTypes) -> Table:
    return {name: np.empty(0, dtype=kind) for name, kind in columns.items()}


def _range(library: str, rows: Table) -> StoredRange:
    times: Column = rows["ts_ns"]
    return StoredRange(
        instrument_id=int(rows["instrument_id"][0]),
        table=library,
        first_ns=int(times.min()),
        last_ns=int(times.max()),
        rows=len(times),
    )
