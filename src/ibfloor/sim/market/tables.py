"""Replay of recordings of one's own: CSV and Parquet files of a folder, or what a recorder stored.

A file is named by the security as the master finds it (``SPY.csv``, ``SAP@IBIS.parquet``) and has
the columns ``time`` (UTC, ISO 8601 or a Parquet time, or nanoseconds) and either bars ``open, high,
low, close, volume``, or ticks: ``bid, ask`` with ``bid_size, ask_size`` where known, and ``price,
size`` of trades, with ``exchange, conditions`` where known; a tick may leave its other cells empty.

Ticks are played exactly: the same values at the same nanoseconds of the day, within the security's
trading hours. A minute that an event of the plan changes is made anew. Of bars the ticks are made:
they visit open, high, low and close, and add up to the volume. The eleventh recorded day plays on
the day of the start, or the first one of fewer; after the last one the record begins again there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from ibfloor.data.store import Column, MarketStore
from ibfloor.model.errors import ConfigError
from ibfloor.sim.market.columns import BARS, read_columns
from ibfloor.sim.market.exact import ExactTicks, TickRows, grid_of
from ibfloor.sim.market.files import Minutes
from ibfloor.sim.market.frames import BID, VOLUME
from ibfloor.sim.market.gathering import BarSeries, minutes_of_bars, minutes_of_ticks
from ibfloor.sim.market.plan import MarketEvent, planned, unplanned
from ibfloor.sim.market.profiles import PROFILES, Profile
from ibfloor.sim.market.recorded import HISTORY_SESSIONS, Recorded, RecordedSource
from ibfloor.sim.market.securities import Security, SecurityMaster
from ibfloor.sim.market.stream import StreamMarket
from ibfloor.sim.market.tape import Tape

_EVER = (631_152_000 * 10**9, 4_102_444_800 * 10**9)
_QUOTE_QTY = 500


class Record(msgspec.Struct, frozen=True):
    """What is recorded of a security, on the grid of its prices; ``ticks`` where ticks are."""

    security: Security
    minutes: Minutes
    ticks: ExactTicks | None = None


class Records(Protocol):
    """Where records come from."""

    def record(self, security: Security) -> Record | None:
        """Return what is recorded of a security; ``None`` for nothing."""


class FileRecords:
    """The CSV and Parquet files of a folder; errors are ``ConfigError`` with file, line and column."""

    def __init__(self, folder: Path, master: SecurityMaster) -> None:
        paths = [*sorted(folder.glob("*.csv")), *sorted(folder.glob("*.parquet"))]
        self._files: dict[str, Path] = {}
        if not paths:
            raise ConfigError(
                f"{folder} has no CSV or Parquet file: name them by their securities, such as SPY.csv or SPY.parquet"
            )
        for path in paths:
            if master.by_symbol(path.stem) is None:
                raise ConfigError(
                    f"{path}: no security is named {path.stem}: rename the file, or list it with --securities"
                )
            if path.stem in self._files:
                raise ConfigError(f"{path}: {self._files[path.stem].name} records the same: keep one of them")
            self._files[path.stem] = path
        self._named = {name: master.by_symbol(name) for name in self._files}

    def record(self, security: Security) -> Record | None:
        """Return what a file holds."""
        path = next((self._files[name] for name, one in self._named.items() if one is security), None)
        if path is None:
            return None
        columns = read_columns(path)
        if columns.is_bars:
            return _of_bars(security, columns.numbers)
        return record_of_ticks(security, columns.tick_rows, _QUOTE_QTY)


class StoreRecords:
    """What a recorder stored, by contract id: ticks where there are any, else bars."""

    def __init__(self, store: MarketStore) -> None:
        self._store = store

    def record(self, security: Security) -> Record | None:
        """Return what is stored."""
        key = int(security.instrument_id)
        ticks = self._store.read_ticks(key, *_EVER)
        if len(ticks["ts_ns"]):
            kind = ticks["kind"].astype(np.int64)
            return record_of_ticks(security, TickRows(ticks["ts_ns"], kind, ticks["px"], ticks["qty"]), _QUOTE_QTY)
        return _of_bars(security, self._store.read_bars(key, *_EVER))


def record_of_ticks(security: Security, rows: TickRows, quote_qty: int) -> Record | None:
    """Return recorded ticks and the minutes they make; ``None`` for no tick with a price."""
    rows = TickRows.sound(rows, quote_qty)
    if not len(rows.ts_ns):
        return None
    grid = grid_of(rows.px, security.tape_tick)
    if grid != security.tape_tick:
        security = msgspec.structs.replace(security, tape_tick_px=grid)
    ticks = ExactTicks(security.instrument_id, rows, grid)
    return Record(security, minutes_of_ticks(*ticks.series(), float(grid), quote_qty), ticks)


def _of_bars(security: Security, columns: Mapping[str, Column]) -> Record | None:
    ohlc = np.stack([columns[name] for name in BARS[:4]], axis=1)
    there = (ohlc > 0).all(axis=1)
    bars = BarSeries(columns["ts_ns"][there], ohlc[there], np.nan_to_num(columns["volume"][there]))
    return Record(security, minutes_of_bars(bars, float(security.tape_tick), _QUOTE_QTY)) if there.any() else None


class TableMarket(StreamMarket):
    """Plays records from a start on; knows only what is recorded. Raises ``ConfigError`` when that is nothing."""

    def __init__(
        self,
        records: Records,
        master: SecurityMaster,
        start_ns: int,
        *,
        seed: int = 0,
        plan: Sequence[MarketEvent] = (),
    ) -> None:
        tapes: list[Tape] = []
        known: list[Security] = []
        for security in master:
            found = records.record(security)
            recorded = None if found is None else Recorded(found.security, found.minutes, [], found.ticks)
            if found is None or recorded is None or not recorded.minute_days:
                continue
            start = found.security.session.day_of(start_ns)
            profile = _profile(found.security, found.minutes)
            source = RecordedSource(recorded, _anchor(recorded), start, profile, seed)
            exact = None if found.ticks is None else unplanned(source.ticks, security, master, plan)
            tapes.append(Tape(found.security, planned(source, security, master, plan), seed, exact))
            known.append(security)
        if not tapes:
            raise ConfigError("nothing is recorded of any security that the gateway knows")
        super().__init__(SecurityMaster(tuple(known)), tapes, start_ns)


def recorded_market(
    kind: str, data: Path, master: SecurityMaster, start_ns: int, *, seed: int = 0, plan: Sequence[MarketEvent] = ()
) -> TableMarket:
    """Return the market of a folder: files (``csv`` or ``parquet``), or a recorder's ``store``."""
    if not data.is_dir():
        raise ConfigError(f"market data folder {data} does not exist")
    if kind != "store":
        return TableMarket(FileRecords(data, master), master, start_ns, seed=seed, plan=plan)
    # imported here: the store's library takes its time, and only this market needs it
    from ibfloor.data.arctic_store import open_store

    return TableMarket(StoreRecords(open_store(data)), master, start_ns, seed=seed, plan=plan)


def _anchor(record: Recorded) -> date:
    days = record.minute_days
    return days[HISTORY_SESSIONS] if len(days) > HISTORY_SESSIONS else days[0]


def _profile(security: Security, minutes: Minutes) -> Profile:
    known = PROFILES.get(security.symbol) if security.instrument.currency == "USD" else None
    if known is not None:
        return known
    rows = minutes[1]
    px = float(rows[0, BID].max()) * float(security.tape_tick)
    return Profile(px=px, own_bp=4.0, volume=int(rows[:, VOLUME].sum()), quote_qty=_QUOTE_QTY)
