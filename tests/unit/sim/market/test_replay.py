"""Recorded days come back as ticks that add up to the recorded bars."""

from __future__ import annotations

import shutil
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import InstrumentId
from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.sim.exchange.values import MarketTick, TapePrint
from ibfloor.sim.market.bars import NS_PER_DAY
from ibfloor.sim.market.replay import ReplayMarket
from ibfloor.sim.market.sessions import US_STOCKS

SPY, AAPL, QQQ, EURUSD = InstrumentId(756733), InstrumentId(265598), InstrumentId(320227571), InstrumentId(12087792)


def play(market: ReplayMarket, minutes: float) -> list[MarketTick]:
    return list(market.ticks(market.start_ns + int(minutes * NS_PER_MINUTE)))


def recorded(folder: Path, day: date, symbol: str) -> dict[int, tuple[Decimal, ...]]:
    """Read trade bars of a New York day by minute after midnight, as the file has them."""
    frame = parquet.read_table(folder / "equity_minute_trades.parquet").to_pandas()
    local = frame["time"].dt.tz_convert("US/Eastern")
    frame = frame[(frame["symbol"] == symbol) & (local.dt.date == day)]
    minute = local[frame.index].dt.hour * 60 + local[frame.index].dt.minute
    columns = (frame[name] for name in ("open", "high", "low", "close", "volume"))
    return {m: tuple(Decimal(repr(value)) for value in bar) for m, *bar in zip(minute, *columns, strict=True)}


def recorded_day(folder: Path, day: date, symbol: str) -> list[Decimal]:
    """Read open, high, low and close of a day, as the file has them."""
    frame = parquet.read_table(folder / "equity_daily.parquet").to_pandas()
    frame = frame[(frame["symbol"] == symbol) & (frame["time"].dt.date == day)]
    (row,) = frame[["open", "high", "low", "close"]].itertuples(index=False)
    return [Decimal(repr(px)) for px in row]


def test_minutes_of_prints_are_the_recorded_bars(market_folder: Path, start_ns: int) -> None:
    market = ReplayMarket(market_folder, start_ns, ("SPY", "BAC"))
    bars = recorded(market_folder, date(2013, 10, 9), "SPY")
    played: dict[int, list[TapePrint]] = {}
    for tick in play(market, 60):
        if isinstance(tick, TapePrint) and tick.instrument_id == SPY:
            played.setdefault(566 + (tick.ts_ns - start_ns) // NS_PER_MINUTE, []).append(tick)
    assert len(played) == 60
    for minute, prints in played.items():
        px = [each.px for each in prints]
        volume = sum((each.qty for each in prints), Decimal(0))
        assert (px[0], max(px), min(px), px[-1], volume) == bars[minute]


def test_next_day_of_the_record_follows_on_the_next_session(market_folder: Path, start_ns: int) -> None:
    market = ReplayMarket(market_folder, start_ns, ("SPY",))
    for _ in market.ticks(start_ns + NS_PER_DAY + 34 * NS_PER_MINUTE):
        pass
    first = recorded(market_folder, date(2013, 10, 10), "SPY")[570]
    assert market.day(SPY).open_px == first[0]
    assert market.day(SPY).prev_close_px == recorded(market_folder, date(2013, 10, 9), "SPY")[959][3]


def test_sessions_before_are_history(market_folder: Path, start_ns: int) -> None:
    market = ReplayMarket(market_folder, start_ns, ("SPY",))
    bars = market.history(SPY, end_ns=start_ns, duration_ns=3 * NS_PER_DAY, bar_ns=NS_PER_MINUTE, rth_only=True)
    expected = [
        bar
        for day in (4, 7, 8)
        for minute, bar in recorded(market_folder, date(2013, 10, day), "SPY").items()
        if 570 <= minute < 960
    ]
    assert [(bar.open_px, bar.high_px, bar.low_px, bar.close_px, bar.volume) for bar in bars] == expected


def test_a_year_of_days_stands_before_the_minutes(market_folder: Path, start_ns: int) -> None:
    market = ReplayMarket(market_folder, start_ns, ("SPY", "EUR.USD"))
    for instrument_id in (SPY, EURUSD):
        bars = market.history(
            instrument_id, end_ns=start_ns, duration_ns=252 * NS_PER_DAY, bar_ns=NS_PER_DAY, rth_only=True
        )
        assert len(bars) == 252
        jumps = [abs(after.open_px / bar.close_px - 1) for bar, after in pairwise(bars)]
        assert max(jumps) < Decimal("0.05")


def test_sources_tell_what_is_real(market_folder: Path, start_ns: int) -> None:
    market = ReplayMarket(market_folder, start_ns, ("SPY", "QQQ", "KO", "ES", "EUR.USD", "VXX"))
    assert market.sources == {
        "SPY": "minutes",
        "QQQ": "days",
        "KO": "generated",
        "ESZ6": "minutes",
        "EUR.USD": "ticks",
        "VXX": "days",
    }
    ticks = play(market, 10)
    assert {tick.instrument_id for tick in ticks} == set(market.instrument_ids)


def test_a_day_known_by_its_bar_alone_stays_within_it(market_folder: Path, start_ns: int) -> None:
    market = ReplayMarket(market_folder, start_ns, ("QQQ",))
    session = US_STOCKS.hours(date(2026, 11, 23))
    assert session is not None
    for _ in market.ticks(session[1]):
        pass
    (bar,) = market.history(QQQ, end_ns=session[1], duration_ns=NS_PER_DAY, bar_ns=NS_PER_DAY, rth_only=True)
    near = Decimal("0.12")  # single minutes may reach a little beyond the recorded extremes, or stay short
    played = (bar.open_px, bar.high_px, bar.low_px, bar.close_px)
    expected = recorded_day(market_folder, date(2013, 10, 9), "QQQ")
    assert [abs(px - wanted) < near for px, wanted in zip(played, expected, strict=True)] == [True] * 4


def test_a_split_ends_a_record_and_it_begins_again(market_folder: Path, start_ns: int) -> None:
    market = ReplayMarket(market_folder, start_ns, ("AAPL",))
    last = market.last_print(AAPL)
    assert last is not None
    lowest = last.px
    for tick in market.ticks(start_ns + 4 * NS_PER_DAY):
        if isinstance(tick, TapePrint):
            lowest = min(lowest, tick.px)
    assert lowest > 600


def test_replay_is_the_same_however_time_is_sliced(market_folder: Path, start_ns: int) -> None:
    whole = play(ReplayMarket(market_folder, start_ns, ("SPY", "EUR.USD")), 3)
    market = ReplayMarket(market_folder, start_ns, ("SPY", "EUR.USD"))
    sliced = [tick for n in range(1, 37) for tick in market.ticks(start_ns + n * 5_000_000_000)]
    assert sliced == whole


def test_absent_folder_is_named_with_the_mend(tmp_path: Path, start_ns: int) -> None:
    with pytest.raises(ConfigError, match=r"nowhere does not exist: name a folder"):
        ReplayMarket(tmp_path / "nowhere", start_ns, ("SPY",))


def test_absent_file_is_named_with_the_mend(tmp_path: Path, start_ns: int) -> None:
    with pytest.raises(ConfigError, match=r"equity_minute_quotes.parquet does not exist: copy it there"):
        ReplayMarket(tmp_path, start_ns, ("SPY",))


def test_file_without_a_column_is_named_with_the_column(tmp_path: Path, start_ns: int) -> None:
    table = pa.table({"time": pa.array([0], pa.timestamp("us")), "bid": [1.0]})
    parquet.write_table(table, tmp_path / "eurusd_ticks.parquet")
    with pytest.raises(ConfigError, match=r"eurusd_ticks.parquet has no column ask: it has time, bid"):
        ReplayMarket(tmp_path, start_ns, ("EUR.USD",))


def test_file_that_is_not_parquet_is_named(tmp_path: Path, start_ns: int) -> None:
    (tmp_path / "eurusd_ticks.parquet").write_text("time,bid,ask\n")
    with pytest.raises(ConfigError, match=r"eurusd_ticks.parquet cannot be read as Parquet"):
        ReplayMarket(tmp_path, start_ns, ("EUR.USD",))


def test_record_without_its_anchor_day_is_refused(market_folder: Path, tmp_path: Path, start_ns: int) -> None:
    shutil.copy(market_folder / "eurusd_hour.parquet", tmp_path)
    ticks = parquet.read_table(market_folder / "eurusd_ticks.parquet").slice(0, 20_000)  # the first day only
    parquet.write_table(ticks, tmp_path / "eurusd_ticks.parquet")
    hours = parquet.read_table(tmp_path / "eurusd_hour.parquet").slice(0, 1000)
    parquet.write_table(hours, tmp_path / "eurusd_hour.parquet")
    with pytest.raises(ConfigError, match=r"EUR.USD in .* do not hold 2014-05-02"):
        ReplayMarket(tmp_path, start_ns, ("EUR.USD",))
