"""Recordings of one's own play again: the same minutes, on the market's days, one clock over all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ibfloor.data.store import BAR_COLUMNS, TICK_COLUMNS, StoredRange, Table, as_table
from ibfloor.model.errors import ConfigError
from ibfloor.model.moment import NS_PER_MINUTE, NS_PER_S
from ibfloor.sim.exchange.values import BookTop, MarketTick, TapePrint
from ibfloor.sim.market.bars import NS_PER_DAY
from ibfloor.sim.market.securities import default_master
from ibfloor.sim.market.sessions import US_STOCKS, at_minute
from ibfloor.sim.market.tables import FileRecords, StoreRecords, TableMarket, recorded_market

RECORDED = date(2024, 3, 12)
MASTER = default_master("20261123")
SPY, KO = (MASTER.by_symbol(name) for name in ("SPY", "KO"))


def bars_csv(day: date, minutes: int = 30) -> str:
    lines = ["time,open,high,low,close,volume"]
    for n in range(minutes):
        ts_ns = at_minute(US_STOCKS, day, 570 + n)
        px = 500 + n * 0.1
        lines.append(f"{ts_ns},{px:.2f},{px + 0.08:.2f},{px - 0.05:.2f},{px + 0.03:.2f},{1000 + n}")
    return "\n".join(lines)


def ticks_csv(day: date, minutes: int = 30) -> str:
    lines = ["time,bid,ask,bid_size,ask_size,price,size"]
    for n in range(minutes * 6):
        ts_ns = at_minute(US_STOCKS, day, 570) + n * 10 * NS_PER_S
        bid = 60 + (n % 7) * 0.01
        lines.append(f"{ts_ns},{bid:.2f},{bid + 0.02:.2f},300,500,,")
        lines.append(f"{ts_ns + NS_PER_S},,,,,{bid + 0.01:.2f},40")
    return "\n".join(lines)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "SPY.csv").write_text(bars_csv(RECORDED))
    (tmp_path / "KO.csv").write_text(ticks_csv(RECORDED))
    return tmp_path


def minute_of(ticks: list[MarketTick], symbol: str, start_ns: int) -> tuple[list[Decimal], Decimal]:
    security = MASTER.by_symbol(symbol)
    assert security is not None
    prints = [
        tick
        for tick in ticks
        if isinstance(tick, TapePrint)
        and tick.instrument_id == security.instrument_id
        and start_ns <= tick.ts_ns < start_ns + NS_PER_MINUTE
    ]
    prices = [tick.px for tick in prints]
    ohlc = [prices[0], max(prices), min(prices), prices[-1]]
    return ohlc, sum((tick.qty for tick in prints), Decimal(0))


def test_recorded_bars_become_ticks_that_make_the_same_bars(folder: Path, start_ns: int) -> None:
    market = TableMarket(FileRecords(folder, MASTER), MASTER, start_ns)
    assert [one.name for one in market.master] == ["SPY", "KO"]
    ticks = list(market.ticks(start_ns + 10 * NS_PER_MINUTE))
    assert [tick.ts_ns for tick in ticks] == sorted(tick.ts_ns for tick in ticks)
    opened_ns = start_ns + 4 * NS_PER_MINUTE
    assert minute_of(ticks, "SPY", opened_ns) == (
        [Decimal("500.00"), Decimal("500.08"), Decimal("499.95"), Decimal("500.03")],
        Decimal(1000),
    )


def test_recorded_quotes_and_trades_keep_their_range_and_volume(folder: Path, start_ns: int) -> None:
    market = TableMarket(FileRecords(folder, MASTER), MASTER, start_ns)
    ticks = list(market.ticks(start_ns + 10 * NS_PER_MINUTE))
    opened_ns = start_ns + 4 * NS_PER_MINUTE
    ohlc, volume = minute_of(ticks, "KO", opened_ns)
    assert ohlc == [Decimal("60.01"), Decimal("60.06"), Decimal("60.01"), Decimal("60.06")]
    assert volume == 240
    assert KO is not None
    tops = [tick for tick in ticks if isinstance(tick, BookTop) and tick.instrument_id == KO.instrument_id]
    assert {top.ask_px - top.bid_px for top in tops if top.ask_px and top.bid_px} <= {
        Decimal("0.01") * n for n in range(1, 5)
    }
    assert tops[0].bid_px == Decimal("60.00")


class Store:
    """What a recorder stored, in memory; to be read only."""

    def __init__(self, ticks: Mapping[int, Table], bars: Mapping[int, Table]) -> None:
        self._ticks = ticks
        self._bars = bars

    def append_ticks(self, ticks: Table) -> int:
        raise NotImplementedError

    def append_bars(self, bars: Table) -> int:
        raise NotImplementedError

    def ranges(self) -> list[StoredRange]:
        return []

    def read_ticks(self, instrument_id: int, start_ns: int, end_ns: int) -> Table:
        return self._ticks.get(instrument_id) or as_table({name: [] for name in TICK_COLUMNS}, TICK_COLUMNS)

    def read_bars(self, instrument_id: int, start_ns: int, end_ns: int) -> Table:
        return self._bars.get(instrument_id) or as_table({name: [] for name in BAR_COLUMNS}, BAR_COLUMNS)


def test_what_a_recorder_stored_plays_by_contract_id(start_ns: int) -> None:
    assert SPY is not None
    assert KO is not None
    opened_ns = at_minute(US_STOCKS, RECORDED, 570)
    stamps = opened_ns + np.arange(20) * NS_PER_MINUTE
    ones = np.ones(20)
    bars = {"ts_ns": stamps, "open": 500 * ones, "high": 502 * ones, "low": 499 * ones, "close": 501 * ones}
    stored_bars = as_table({**bars, "instrument_id": ones * int(SPY.instrument_id), "volume": 900 * ones}, BAR_COLUMNS)
    ticks: dict[str, Any] = {
        "kind": [1, 2, 4] * 20,
        "instrument_id": [int(KO.instrument_id)] * 60,
        "ts_ns": np.repeat(stamps, 3),
        "px": [60.0, 60.02, 60.01] * 20,
        "qty": [100.0, 200.0, 50.0] * 20,
    }
    stored_ticks = as_table(ticks, TICK_COLUMNS)
    stored = StoreRecords(Store({int(KO.instrument_id): stored_ticks}, {int(SPY.instrument_id): stored_bars}))
    market = TableMarket(stored, MASTER, start_ns)
    played = list(market.ticks(start_ns + 6 * NS_PER_MINUTE))
    assert minute_of(played, "SPY", start_ns + 4 * NS_PER_MINUTE) == (
        [Decimal(500), Decimal(502), Decimal(499), Decimal(501)],
        Decimal(900),
    )
    assert minute_of(played, "KO", start_ns + 5 * NS_PER_MINUTE) == ([Decimal("60.01")] * 4, Decimal(50))


def test_days_before_the_anchor_are_history(tmp_path: Path, start_ns: int) -> None:
    days = [RECORDED + timedelta(days=n) for n in range(18)]
    days = [day for day in days if US_STOCKS.is_trading_day(day)]
    text = "\n".join([bars_csv(days[0]), *(bars_csv(day).split("\n", 1)[1] for day in days[1:])])
    (tmp_path / "SPY.csv").write_text(text)
    market = TableMarket(FileRecords(tmp_path, MASTER), MASTER, start_ns)
    assert SPY is not None
    bars = market.history(
        SPY.instrument_id, end_ns=start_ns, duration_ns=2 * NS_PER_DAY, bar_ns=NS_PER_MINUTE, rth_only=True
    )
    assert len(bars) == 60
    assert bars[-1].close_px == Decimal("502.93")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("NOSUCH.csv", bars_csv(RECORDED), "no security is named NOSUCH"),
        ("SPY.csv", "time,open,high,low\n", "it needs time and either open, high, low, close, volume"),
        ("SPY.csv", "time,bid\n", "it needs time and either"),
        ("SPY.csv", "time,price,size\nnoon,1,2\n", "line 2: time 'noon' is neither"),
        ("SPY.csv", "time,price,size\n2024-03-12T14:30:00Z,x,2\n", "line 2: price 'x' is no number"),
        ("readme.txt", "", "has no CSV or Parquet file"),
        ("SPY.csv", "time,price,size\n", "nothing is recorded"),
    ],
)
def test_a_folder_that_makes_no_sense_is_named(tmp_path: Path, start_ns: int, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=says):
        TableMarket(FileRecords(tmp_path, MASTER), MASTER, start_ns)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Passing a BlockManager:DeprecationWarning")
def test_a_recorders_own_store_plays(tmp_path: Path, start_ns: int) -> None:
    from ibfloor.data.arctic_store import open_store

    assert SPY is not None
    stamps = at_minute(US_STOCKS, RECORDED, 570) + np.arange(20) * NS_PER_MINUTE
    ones = np.ones(20)
    bars = {"ts_ns": stamps, "open": 500 * ones, "high": 502 * ones, "low": 499 * ones, "close": 501 * ones}
    store = open_store(tmp_path / "store", map_size="64MB")
    store.append_bars(
        as_table({**bars, "instrument_id": ones * int(SPY.instrument_id), "volume": 900 * ones}, BAR_COLUMNS)
    )
    market = recorded_market("store", tmp_path / "store", MASTER, start_ns)
    played = list(market.ticks(start_ns + 6 * NS_PER_MINUTE))
    assert minute_of(played, "SPY", start_ns + 4 * NS_PER_MINUTE)[1] == 900


def test_an_absent_folder_is_named(tmp_path: Path, start_ns: int) -> None:
    with pytest.raises(ConfigError, match="nowhere does not exist"):
        recorded_market("store", tmp_path / "nowhere", MASTER, start_ns)
