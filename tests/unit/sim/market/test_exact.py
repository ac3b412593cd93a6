"""Recorded ticks come back as they were: each at its time of the day, with its price, size and conditions."""

from __future__ import annotations

import struct
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from ibfloor.data.store import TICK_COLUMNS, as_table
from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import AccountId
from ibfloor.model.moment import NS_PER_MINUTE, NS_PER_S
from ibfloor.sim.account import SimAccount
from ibfloor.sim.exchange.values import BookTop, MarketTick, TapePrint
from ibfloor.sim.gateway.clock import SimClock
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec import research_requests as study
from ibfloor.sim.gateway.codec import research_responses as found
from ibfloor.sim.gateway.codec import responses as tell
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.gateway import Gateway
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.gateway.wire import PREAMBLE, FrameReader, split_fields
from ibfloor.sim.market.plan import MarketEvent, MarketEventKind
from ibfloor.sim.market.replay import ReplayMarket
from ibfloor.sim.market.securities import default_master
from ibfloor.sim.market.sessions import FOREX, US_STOCKS, at_minute
from ibfloor.sim.market.stream import StreamMarket
from ibfloor.sim.market.tables import FileRecords, TableMarket, recorded_market

RECORDED, PLAYED = date(2024, 3, 8), date(2026, 11, 23)
"""Before a change of the clocks, and long after it: the time of the day stays."""
MASTER = default_master("20261123")
KO = MASTER.by_symbol("KO")
assert KO is not None
KO_ID = KO.instrument_id

# nanoseconds from 09:30, then what was seen: bid, its size, ask, its size, or price, size, exchange, conditions
SEEN: list[tuple[int, str]] = [
    (0, "60.01,300,60.03,500,,,,"),
    (1, ",,,,60.02,17,FINRA, I "),
    (1, ",,,,60.02,1,NYSE,"),
    (999_999_999, "60.02,100,60.03,200,,,,"),
    (59_999_999_999, ",,,,60.015,0.5,EDGEA,7"),
    (60_000_000_000, "60.00,100,60.04,200,60.04,40,ARCA,F"),
    (300 * NS_PER_S, "60.00,100,60.02,200,,,,"),
]


def told(ns: int, cells: str) -> list[tuple[object, ...]]:
    bid, bid_size, ask_px, ask_size, px, size, exchange, conditions = cells.split(",")
    rows: list[tuple[object, ...]] = []
    if bid:
        rows.append((ns, Decimal(bid), Decimal(bid_size), Decimal(ask_px), Decimal(ask_size)))
    if px:
        rows.append((ns, Decimal(px), Decimal(size), exchange, conditions))
    return rows


EXPECTED = [row for ns, cells in SEEN for row in told(ns, cells)]


def opened_ns(day: date) -> int:
    return at_minute(US_STOCKS, day, 570)


def played(ticks: list[MarketTick], begin_ns: int) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for tick in ticks:
        ns = tick.ts_ns - begin_ns
        if isinstance(tick, BookTop):
            rows.append((ns, tick.bid_px, tick.bid_qty, tick.ask_px, tick.ask_qty))
        else:
            rows.append((ns, tick.px, tick.qty, tick.exchange, tick.conditions))
    return rows


def as_csv(folder: Path) -> None:
    lines = [f"{opened_ns(RECORDED) + ns},{cells}" for ns, cells in SEEN]
    header = "time,bid,bid_size,ask,ask_size,price,size,exchange,conditions"
    (folder / "KO.csv").write_text("\n".join([header, *lines]))


def as_parquet(folder: Path) -> None:
    cells = [cell.split(",") for _, cell in SEEN]
    names = ("bid", "bid_size", "ask", "ask_size", "price", "size")
    columns: dict[str, object] = {
        name: [float(row[n]) if row[n] else None for row in cells] for n, name in enumerate(names)
    }
    columns["time"] = pa.array([opened_ns(RECORDED) + ns for ns, _ in SEEN], pa.timestamp("ns", "UTC"))
    columns["exchange"], columns["conditions"] = [row[6] or None for row in cells], [row[7] for row in cells]
    parquet.write_table(pa.table(columns), folder / "KO.parquet")


@pytest.mark.parametrize("write", [as_csv, as_parquet])
def test_recorded_ticks_are_played_exactly(tmp_path: Path, start_ns: int, write: object) -> None:
    assert callable(write)
    write(tmp_path)
    market = TableMarket(FileRecords(tmp_path, MASTER), MASTER, start_ns)
    ticks = list(market.ticks(opened_ns(PLAYED) + 10 * NS_PER_MINUTE))
    assert played(ticks, opened_ns(PLAYED)) == EXPECTED


@pytest.mark.parametrize(
    ("bar_s", "closes"), [(60, ["60.015", "60.04"]), (30, ["60.02", "60.015", "60.04"]), (300, ["60.04"])]
)
def test_bars_of_exact_ticks_are_made_of_them(tmp_path: Path, start_ns: int, bar_s: int, closes: list[str]) -> None:
    as_csv(tmp_path)
    market = TableMarket(FileRecords(tmp_path, MASTER), MASTER, start_ns)
    end_ns = opened_ns(PLAYED) + 10 * NS_PER_MINUTE
    list(market.ticks(end_ns))
    bars = market.history(KO_ID, end_ns=end_ns, duration_ns=10 * NS_PER_MINUTE, bar_ns=bar_s * NS_PER_S, rth_only=True)
    assert [bar.close_px for bar in bars] == [Decimal(px) for px in closes]
    assert (bars[0].open_px, bars[-1].high_px) == (Decimal("60.02"), Decimal("60.04"))


def test_past_ticks_are_exact_too(tmp_path: Path, start_ns: int) -> None:
    as_csv(tmp_path)
    market = TableMarket(FileRecords(tmp_path, MASTER), MASTER, start_ns)
    begin_ns = opened_ns(PLAYED)
    list(market.ticks(begin_ns + NS_PER_MINUTE))
    assert played(list(market.past_ticks(KO_ID, begin_ns, begin_ns + NS_PER_MINUTE)), begin_ns) == [
        row for row in EXPECTED if isinstance(row[0], int) and row[0] < NS_PER_MINUTE
    ]


def test_a_start_in_the_midst_knows_what_was_and_plays_the_rest(tmp_path: Path) -> None:
    as_csv(tmp_path)
    begin_ns = opened_ns(PLAYED)
    market = TableMarket(FileRecords(tmp_path, MASTER), MASTER, begin_ns + NS_PER_S)
    top, last = market.top(KO_ID), market.last_print(KO_ID)
    assert top is not None
    assert last is not None
    assert (top.bid_px, last.qty) == (Decimal("60.02"), Decimal(1))
    rest = list(market.ticks(begin_ns + 10 * NS_PER_MINUTE))
    assert played(rest, begin_ns) == [row for row in EXPECTED if isinstance(row[0], int) and row[0] > NS_PER_S]


def test_an_event_makes_its_own_minutes_anew_and_leaves_the_others(tmp_path: Path, start_ns: int) -> None:
    as_csv(tmp_path)
    halt = MarketEvent(kind=MarketEventKind.HALT, symbol="KO", at="2026-11-23 09:31", minutes=2)
    market = TableMarket(FileRecords(tmp_path, MASTER), MASTER, start_ns, plan=[halt])
    ticks = list(market.ticks(opened_ns(PLAYED) + 10 * NS_PER_MINUTE))
    kept = [row for row in EXPECTED if row[0] not in (60_000_000_000,)]
    halted = (60_000_000_000, None, Decimal(0), None, Decimal(0))
    assert played(ticks, opened_ns(PLAYED)) == [*kept[:-1], halted, kept[-1]]


def test_trades_before_the_first_quote_are_played(tmp_path: Path, start_ns: int) -> None:
    begin_ns = opened_ns(RECORDED)
    lines = [f"{begin_ns},,,60.02,5", f"{begin_ns + NS_PER_MINUTE},60.01,60.03,,"]
    (tmp_path / "KO.csv").write_text("\n".join(["time,bid,ask,price,size", *lines]))
    market = TableMarket(FileRecords(tmp_path, MASTER), MASTER, start_ns)
    first, second = market.ticks(opened_ns(PLAYED) + 10 * NS_PER_MINUTE)
    assert isinstance(first, TapePrint)
    assert (first.px, first.qty) == (Decimal("60.02"), Decimal(5))
    assert isinstance(second, BookTop)


def test_two_files_of_one_security_are_refused(tmp_path: Path) -> None:
    as_csv(tmp_path)
    as_parquet(tmp_path)
    with pytest.raises(ConfigError, match=r"KO.csv records the same"):
        FileRecords(tmp_path, MASTER)


def test_parquet_that_is_none_is_named(tmp_path: Path, start_ns: int) -> None:
    (tmp_path / "KO.parquet").write_text("time,bid,ask\n")
    with pytest.raises(ConfigError, match=r"KO.parquet cannot be read as Parquet"):
        TableMarket(FileRecords(tmp_path, MASTER), MASTER, start_ns)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Passing a BlockManager:DeprecationWarning")
def test_a_recorders_store_is_played_exactly(tmp_path: Path, start_ns: int) -> None:
    from ibfloor.data.arctic_store import open_store

    begin_ns, rows = opened_ns(RECORDED), list[tuple[int, int, float, float]]()
    for row in EXPECTED:
        ns, *cells = row
        assert isinstance(ns, int)
        numbers = [float(cell) for cell in cells if isinstance(cell, Decimal)]
        if len(numbers) == 4:
            rows += [(1, ns, numbers[0], numbers[1]), (2, ns, numbers[2], numbers[3])]
        else:
            rows.append((4, ns, numbers[0], numbers[1]))
    kinds, times, prices, sizes = zip(*rows, strict=True)
    stored = {"kind": kinds, "instrument_id": [int(KO_ID)] * len(rows), "px": prices, "qty": sizes}
    ticks = as_table({**stored, "ts_ns": begin_ns + np.array(times)}, TICK_COLUMNS)
    open_store(tmp_path / "store", map_size="64MB").append_ticks(ticks)
    market = recorded_market("store", tmp_path / "store", MASTER, start_ns)
    got = played(list(market.ticks(opened_ns(PLAYED) + 10 * NS_PER_MINUTE)), opened_ns(PLAYED))
    assert got == [row if len(row) == 5 and isinstance(row[4], Decimal) else (*row[:3], "", "") for row in EXPECTED]


def test_the_recorded_ticks_of_eurusd_are_played_exactly(market_folder: Path) -> None:
    table = parquet.read_table(market_folder / "eurusd_ticks.parquet").to_pandas()
    recorded = date(2014, 5, 2)
    begin_ns, hour_ns = at_minute(FOREX, recorded, 570), 60 * NS_PER_MINUTE
    times, bids, asks = table["time"].dt.as_unit("ns").astype("int64").to_numpy(), table["bid"], table["ask"]
    within = np.flatnonzero((times >= begin_ns) & (times < begin_ns + hour_ns))
    expected = [(int(times[n]) - begin_ns, float(bids[n]), float(asks[n])) for n in within.tolist()]
    assert len(expected) > 1000
    start_ns = at_minute(FOREX, PLAYED, 570)
    market: StreamMarket = ReplayMarket(market_folder, start_ns, ("EUR.USD",))
    ticks = [tick for tick in market.ticks(start_ns + hour_ns - 1) if isinstance(tick, BookTop)]
    got = [(tick.ts_ns - start_ns, float(tick.bid_px or 0), float(tick.ask_px or 0)) for tick in ticks]
    assert got == expected


class Client:
    """Frames in, messages out, without a socket."""

    def __init__(self, gateway: Gateway) -> None:
        self._reader = FrameReader()
        self._reader.feed(PREAMBLE)
        self.payloads: list[bytes] = []
        self._session = Session(gateway, lambda data: self.payloads.extend(self._reader.feed(data)), lambda: None)
        hello = b"v157..178"
        self._session.receive(PREAMBLE + struct.pack(">I", len(hello)) + hello)
        self.send(ask.START_API, {"client_id": 1})

    def send(self, table: Table, values: Values) -> None:
        self._session.receive(table.layout(178).encode(values))

    def told(self, table: Table) -> list[Values]:
        split = [split_fields(payload) for payload in self.payloads]
        return [table.layout(178).decode(fields)[0] for fields in split if fields[0] == str(table.message_id)]


def test_clients_are_told_where_and_under_which_conditions_a_trade_happened(tmp_path: Path, start_ns: int) -> None:
    as_csv(tmp_path)
    market = TableMarket(FileRecords(tmp_path, MASTER), MASTER, start_ns)
    clock = SimClock(start_ns, is_stepped=True)
    gateway = Gateway(market, SimAccount(AccountId("DU1")), clock)
    client = Client(gateway)
    contract: Values = {"symbol": "KO", "sec_type": "STK", "exchange": "SMART", "currency": "USD"}
    client.send(ask.REQ_TICK_BY_TICK, {**contract, "req_id": 5, "kind": "AllLast"})
    gateway.advance(10 * NS_PER_MINUTE)
    wanted = [(row[1], row[2], row[3], row[4]) for row in EXPECTED if isinstance(row[3], str)]
    names = ("price", "size", "exchange", "conditions")
    assert [tuple(one[name] for name in names) for one in client.told(tell.TICK_BY_TICK)] == wanted
    client.send(
        study.REQ_HISTORICAL_TICKS,
        {**contract, "req_id": 6, "what": "TRADES", "start": "20261123 09:30:00 US/Eastern", "count": 100},
    )
    gateway.flush()
    (past,) = client.told(found.HISTORICAL_TICKS_LAST)
    rows = past["ticks"]
    assert isinstance(rows, list)
    assert [tuple(one[name] for name in names) for one in rows] == wanted
