"""Replay of recordings of one's own: CSV files of a folder, or what a recorder stored.

A file is named by the security as the master finds it (``SPY.csv``, ``SAP@IBIS.csv``) and has a
header: ``time`` (UTC, ISO 8601, or nanoseconds) and either bars ``open, high, low, close, volume``,
or ticks: ``bid, ask`` with ``bid_size, ask_size`` where known, and ``price, size`` of trades; a tick
may leave its other cells empty. The eleventh recorded day plays on the day of the start, or the
first one of fewer; after the last one the record begins again there.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol

import numpy as np

from ibfloor.data.recorder_feed import KIND_ASK, KIND_BID, KIND_LAST
from ibfloor.data.store import Column, MarketStore, Table
from ibfloor.model.errors import ConfigError
from ibfloor.model.moment import from_datetime
from ibfloor.sim.market.files import Minutes
from ibfloor.sim.market.frames import BID, VOLUME
from ibfloor.sim.market.gathering import BarSeries, Series, minutes_of_bars, minutes_of_ticks
from ibfloor.sim.market.plan import MarketEvent, planned
from ibfloor.sim.market.profiles import PROFILES, Profile
from ibfloor.sim.market.recorded import HISTORY_SESSIONS, Recorded, RecordedSource
from ibfloor.sim.market.securities import Security, SecurityMaster
from ibfloor.sim.market.stream import StreamMarket
from ibfloor.sim.market.tape import Tape

_EVER = (631_152_000 * 10**9, 4_102_444_800 * 10**9)
_QUOTE_QTY = 500
_BARS, _TICKS = ("open", "high", "low", "close", "volume"), ("bid", "ask", "bid_size", "ask_size", "price", "size")


class Records(Protocol):
    """Where recorded minutes come from."""

    def minutes(self, security: Security) -> Minutes:
        """Return what is recorded of a security; empty for nothing."""


class CsvRecords:
    """The CSV files of a folder; errors are ``ConfigError`` with file, line and column."""

    def __init__(self, folder: Path, master: SecurityMaster) -> None:
        self._files = {path.stem: path for path in sorted(folder.glob("*.csv"))}
        if not self._files:
            raise ConfigError(f"{folder} has no CSV file: name them by their securities, such as SPY.csv")
        for name, path in self._files.items():
            if master.by_symbol(name) is None:
                raise ConfigError(f"{path}: no security is named {name}: rename the file, or list it with --securities")
        self._named = {name: master.by_symbol(name) for name in self._files}

    def minutes(self, security: Security) -> Minutes:
        """Return a file's minutes."""
        path = next((self._files[name] for name, one in self._named.items() if one is security), None)
        tick = float(security.tape_tick)
        if path is None:
            return minutes_of_bars(_bars({}), tick, _QUOTE_QTY)
        columns = _read(path)
        if "open" in columns:
            return minutes_of_bars(_bars(columns), tick, _QUOTE_QTY)
        pairs = (("bid", "bid_size"), ("ask", "ask_size"), ("price", "size"))
        bids, asks, trades = (_series(columns, px, qty) for px, qty in pairs)
        return minutes_of_ticks(bids, asks, trades, tick, _QUOTE_QTY)


class StoreRecords:
    """What a recorder stored, by contract id: ticks where there are any, else bars."""

    def __init__(self, store: MarketStore) -> None:
        self._store = store

    def minutes(self, security: Security) -> Minutes:
        """Return the stored minutes."""
        key, tick = int(security.instrument_id), float(security.tape_tick)
        ticks = self._store.read_ticks(key, *_EVER)
        if len(ticks["ts_ns"]):
            bids, asks, trades = (_of_kind(ticks, kind) for kind in (KIND_BID, KIND_ASK, KIND_LAST))
            return minutes_of_ticks(bids, asks, trades, tick, _QUOTE_QTY)
        return minutes_of_bars(_bars(self._store.read_bars(key, *_EVER)), tick, _QUOTE_QTY)


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
        tapes = []
        for security in master:
            minutes = records.minutes(security)
            record = Recorded(security, minutes, [])
            if record.minute_days:
                source = RecordedSource(
                    record, _anchor(record), security.session.day_of(start_ns), _profile(security, minutes), seed
                )
                tapes.append(Tape(security, planned(source, security, master, plan), seed))
        if not tapes:
            raise ConfigError("nothing is recorded of any security that the gateway knows")
        super().__init__(SecurityMaster(tuple(tape.security for tape in tapes)), tapes, start_ns)


def recorded_market(
    kind: str, data: Path, master: SecurityMaster, start_ns: int, *, seed: int = 0, plan: Sequence[MarketEvent] = ()
) -> TableMarket:
    """Return the market of a folder: ``csv`` files, or a recorder's ``store``."""
    if not data.is_dir():
        raise ConfigError(f"market data folder {data} does not exist")
    if kind == "csv":
        return TableMarket(CsvRecords(data, master), master, start_ns, seed=seed, plan=plan)
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


def _read(path: Path) -> Table:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        names = tuple(reader.fieldnames or ())
        wanted = _BARS if "open" in names else tuple(name for name in _TICKS if name in names)
        missing = [name for name in ("time", *(_BARS if "open" in names else ())) if name not in names]
        if missing or not wanted or ("bid" in wanted) != ("ask" in wanted):
            raise ConfigError(
                f"{path}: it has the columns {', '.join(names)}: it needs time and either {', '.join(_BARS)}, "
                "or bid, ask, or price, size"
            )
        rows = [_row(path, reader.line_num, row, wanted) for row in reader]
    rows.sort(key=lambda row: row[0])
    columns = {"ts_ns": np.array([row[0] for row in rows], dtype=np.int64)}
    for n, name in enumerate(wanted):
        columns[name] = np.array([row[1][n] for row in rows], dtype=np.float64)
    return columns


def _row(path: Path, line: int, row: Mapping[str, str | None], wanted: Sequence[str]) -> tuple[int, list[float]]:
    try:
        ts_ns = _time(row["time"] or "")
    except ValueError:
        raise ConfigError(f"{path}, line {line}: time {row['time']!r} is neither ISO 8601 nor nanoseconds") from None
    cells = []
    for name in wanted:
        text = row[name] or ""
        try:
            cells.append(float(text) if text else float("nan"))
        except ValueError:
            raise ConfigError(f"{path}, line {line}: {name} {text!r} is no number") from None
    return ts_ns, cells


def _time(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    moment = datetime.fromisoformat(text)
    return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _series(columns: Mapping[str, Column], px: str, qty: str) -> Series:
    if px not in columns:
        return Series(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))
    there = columns[px] > 0
    sizes = columns[qty][there] if qty in columns else np.zeros(int(there.sum()))
    return Series(columns["ts_ns"][there], columns[px][there], np.nan_to_num(sizes))


def _bars(columns: Mapping[str, Column]) -> BarSeries:
    if not columns:
        return BarSeries(np.zeros(0, dtype=np.int64), np.zeros((0, 4)), np.zeros(0))
    ohlc = np.stack([columns[name] for name in _BARS[:4]], axis=1)
    there = (ohlc > 0).all(axis=1)
    return BarSeries(columns["ts_ns"][there], ohlc[there], np.nan_to_num(columns["volume"][there]))


def _of_kind(ticks: Table, kind: int) -> Series:
    there = (ticks["kind"] == kind) & (ticks["px"] > 0)
    return Series(ticks["ts_ns"][there], ticks["px"][there], ticks["qty"][there])
