"""The generated market: deterministic, consistent with its own history, quick."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest

from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import InstrumentId
from ibfloor.model.moment import NS_PER_MINUTE, NS_PER_S
from ibfloor.sim.exchange.values import BookTop, MarketTick, TapePrint
from ibfloor.sim.market.bars import NS_PER_DAY, BarKind
from ibfloor.sim.market.generated import GeneratedMarket
from ibfloor.sim.market.sessions import US_STOCKS

SPY, KO, EURUSD = InstrumentId(756733), InstrumentId(8894), InstrumentId(12087792)
DEMO = ("SPY", "QQQ", "IWM", "AAPL", "BAC", "KO", "PEP", "ES", "EUR.USD")


def play(market: GeneratedMarket, minutes: float) -> list[MarketTick]:
    return list(market.ticks(market.start_ns + int(minutes * NS_PER_MINUTE)))


def test_ticks_do_not_depend_on_how_time_is_sliced(start_ns: int) -> None:
    whole = play(GeneratedMarket(7, start_ns, ("SPY", "KO")), 6)
    market = GeneratedMarket(7, start_ns, ("SPY", "KO"))
    sliced: list[MarketTick] = []
    for n in range(1, 361):
        for tick in market.ticks(start_ns + n * NS_PER_S):
            sliced.append(tick)
            break  # an abandoned iterator loses nothing
        sliced += market.ticks(start_ns + n * NS_PER_S)
    assert sliced == whole


def test_another_seed_is_another_market_and_the_same_seed_the_same(start_ns: int) -> None:
    assert play(GeneratedMarket(7, start_ns, ("SPY",)), 2) == play(GeneratedMarket(7, start_ns, ("SPY",)), 2)
    assert play(GeneratedMarket(7, start_ns, ("SPY",)), 2) != play(GeneratedMarket(8, start_ns, ("SPY",)), 2)


def test_a_symbols_ticks_do_not_depend_on_who_else_is_watched(start_ns: int) -> None:
    alone = play(GeneratedMarket(7, start_ns, ("SPY",)), 2)
    among = [tick for tick in play(GeneratedMarket(7, start_ns, DEMO), 2) if tick.instrument_id == SPY]
    assert among == alone


def test_a_symbols_year_does_not_depend_on_who_else_is_watched(start_ns: int) -> None:
    years = [
        GeneratedMarket(7, start_ns, symbols).history(
            KO, end_ns=start_ns, duration_ns=252 * NS_PER_DAY, bar_ns=NS_PER_DAY, rth_only=True
        )
        for symbols in (("KO",), DEMO)
    ]
    assert years[0] == years[1]


def test_ticks_come_in_time_order_over_all_instruments(start_ns: int) -> None:
    ticks = play(GeneratedMarket(7, start_ns, DEMO), 5)
    assert [tick.ts_ns for tick in ticks] == sorted(tick.ts_ns for tick in ticks)
    assert {tick.instrument_id for tick in ticks} == set(GeneratedMarket(7, start_ns, DEMO).instrument_ids)
    assert ticks[0].ts_ns >= start_ns


def test_next_tick_is_announced_before_it_is_played(start_ns: int) -> None:
    market = GeneratedMarket(7, start_ns, ("SPY",))
    for _ in range(50):
        announced = market.next_tick_ns
        assert announced is not None
        assert next(tick.ts_ns for tick in market.ticks(announced)) == announced


def test_quotes_and_prints_are_on_the_grid_and_known_from_the_start(start_ns: int) -> None:
    market = GeneratedMarket(7, start_ns, DEMO)
    for instrument_id in market.instrument_ids:
        top = market.top(instrument_id)
        security = market.master.by_id(instrument_id)
        assert security is not None
        assert top is not None
        assert top.ts_ns < start_ns
        assert top.bid_px is not None
        assert security.instrument.is_on_grid(top.bid_px)
        assert (market.last_print(instrument_id) is None) == (instrument_id == EURUSD)


def test_top_and_last_print_follow_the_stream(start_ns: int) -> None:
    market = GeneratedMarket(7, start_ns, ("SPY",))
    for tick in market.ticks(start_ns + 2 * NS_PER_MINUTE):
        if isinstance(tick, BookTop):
            assert market.top(SPY) is tick
        else:
            assert market.last_print(SPY) is tick


def prints_by_bar(ticks: list[MarketTick], bar_ns: int) -> dict[int, list[TapePrint]]:
    bars: defaultdict[int, list[TapePrint]] = defaultdict(list)
    for tick in ticks:
        if isinstance(tick, TapePrint):
            bars[tick.ts_ns // bar_ns * bar_ns].append(tick)
    return dict(bars)


@pytest.mark.parametrize("bar_s", [5, 30, 60, 300])
def test_bars_of_streamed_time_are_built_from_the_streamed_prints(start_ns: int, bar_s: int) -> None:
    market = GeneratedMarket(7, start_ns, ("SPY",))
    ticks = play(market, 9.5)  # the last minute is under way
    expected = prints_by_bar(ticks, bar_s * NS_PER_S)
    bars = market.history(
        SPY,
        end_ns=start_ns + NS_PER_DAY,
        duration_ns=570 * NS_PER_S,
        bar_ns=bar_s * NS_PER_S,
        rth_only=False,
    )
    streamed = {bar.ts_ns: bar for bar in bars if bar.ts_ns >= start_ns}
    assert list(streamed) == [ts_ns for ts_ns in expected if ts_ns >= start_ns]
    for ts_ns, bar in streamed.items():
        px = [each.px for each in expected[ts_ns]]
        assert (bar.open_px, bar.high_px, bar.low_px, bar.close_px) == (px[0], max(px), min(px), px[-1])
        assert bar.volume == sum(each.qty for each in expected[ts_ns])
        assert bar.trade_count == len(px)


def test_history_tells_nothing_of_the_future(start_ns: int) -> None:
    market = GeneratedMarket(7, start_ns, ("SPY",))
    ticks = play(market, 5.5)
    bars = market.history(
        SPY, end_ns=start_ns + NS_PER_DAY, duration_ns=NS_PER_DAY, bar_ns=NS_PER_MINUTE, rth_only=True
    )
    last = [tick.px for tick in ticks if isinstance(tick, TapePrint)][-1]
    assert bars[-1].ts_ns <= ticks[-1].ts_ns
    assert bars[-1].close_px == last


def test_minutes_before_the_open_still_have_yesterdays_bars_to_warm_up_with(start_ns: int) -> None:
    market = GeneratedMarket(7, start_ns, ("SPY",))
    for duration_ns, count in ((100 * NS_PER_MINUTE, 100), (NS_PER_DAY, 390), (3 * NS_PER_DAY, 3 * 390)):
        bars = market.history(SPY, end_ns=start_ns, duration_ns=duration_ns, bar_ns=NS_PER_MINUTE, rth_only=True)
        assert len(bars) == count
        assert [bar.ts_ns for bar in bars] == sorted({bar.ts_ns for bar in bars})
        assert bars[-1].ts_ns < start_ns


def test_bars_cut_by_the_open_carry_the_opens_time(start_ns: int) -> None:
    market = GeneratedMarket(7, start_ns, ("SPY",))
    hours = market.history(SPY, end_ns=start_ns, duration_ns=NS_PER_DAY, bar_ns=60 * NS_PER_MINUTE, rth_only=True)
    regular = US_STOCKS.regular_hours(date(2026, 11, 20))
    assert regular is not None
    assert [(bar.ts_ns - regular[0]) // NS_PER_MINUTE for bar in hours] == [0, 30, 90, 150, 210, 270, 330]


def test_daily_bars_of_a_year_join_the_minutes_without_a_jump(start_ns: int) -> None:
    market = GeneratedMarket(7, start_ns, ("SPY", "KO"))
    for instrument_id in (SPY, KO):
        bars = market.history(
            instrument_id, end_ns=start_ns, duration_ns=252 * NS_PER_DAY, bar_ns=NS_PER_DAY, rth_only=True
        )
        assert len(bars) == 252
        assert all(bar.low_px <= min(bar.open_px, bar.close_px) for bar in bars)
        assert all(bar.high_px >= max(bar.open_px, bar.close_px) for bar in bars)
        jumps = [abs(after.open_px / bar.close_px - 1) for bar, after in pairwise(bars)]
        assert max(jumps) < Decimal("0.06")


def test_daily_bar_is_the_sum_of_its_regular_minutes(start_ns: int) -> None:
    market = GeneratedMarket(7, start_ns, ("SPY",))
    (day,) = market.history(SPY, end_ns=start_ns, duration_ns=NS_PER_DAY, bar_ns=NS_PER_DAY, rth_only=True)
    minutes = market.history(SPY, end_ns=start_ns, duration_ns=NS_PER_DAY, bar_ns=NS_PER_MINUTE, rth_only=True)
    assert (day.open_px, day.close_px) == (minutes[0].open_px, minutes[-1].close_px)
    assert day.high_px == max(bar.high_px for bar in minutes)
    assert day.low_px == min(bar.low_px for bar in minutes)
    assert day.volume == sum(bar.volume for bar in minutes)
    assert market.day(SPY).prev_close_px == day.close_px


def test_day_figures_follow_the_regular_session(start_ns: int) -> None:
    market = GeneratedMarket(7, start_ns, ("SPY",))
    before = market.day(SPY)
    assert (before.open_px, before.high_px, before.low_px) == (None, None, None)
    assert before.volume > 0
    ticks = play(market, 30)
    regular = US_STOCKS.regular_hours(date(2026, 11, 23))
    assert regular is not None
    prints = [tick for tick in ticks if isinstance(tick, TapePrint)]
    px = [tick.px for tick in prints if tick.ts_ns >= regular[0]]
    after = market.day(SPY)
    assert (after.open_px, after.high_px, after.low_px) == (px[0], max(px), min(px))
    assert after.volume == before.volume + sum(tick.qty for tick in prints)
    late = GeneratedMarket(7, start_ns + 30 * NS_PER_MINUTE, ("SPY",)).day(SPY)
    assert (late.open_px, late.high_px, late.low_px) == (px[0], max(px), min(px))


def test_start_within_a_session_continues_the_same_day(start_ns: int) -> None:
    early = GeneratedMarket(7, start_ns, ("SPY",))
    play(early, 10.5)
    late = GeneratedMarket(7, start_ns + int(10.5 * NS_PER_MINUTE), ("SPY",))
    assert late.top(SPY) == early.top(SPY)
    assert late.last_print(SPY) == early.last_print(SPY)
    assert play(late, 1) == list(early.ticks(start_ns + int(11.5 * NS_PER_MINUTE)))


def test_currency_bars_are_midpoints(start_ns: int) -> None:
    market = GeneratedMarket(7, start_ns, ("EUR.USD",))
    kinds = {
        kind: market.history(
            EURUSD, end_ns=start_ns, duration_ns=600 * NS_PER_S, bar_ns=NS_PER_MINUTE, rth_only=True, kind=kind
        )
        for kind in BarKind
    }
    assert kinds[BarKind.TRADES] == kinds[BarKind.MIDPOINT]
    assert len(kinds[BarKind.BID]) == 10
    for bid, ask, middle in zip(kinds[BarKind.BID], kinds[BarKind.ASK], kinds[BarKind.MIDPOINT], strict=True):
        assert (bid.close_px + ask.close_px) / 2 == middle.close_px


@pytest.mark.slow
def test_market_goes_on_over_nights_weekends_and_holidays(start_ns: int) -> None:
    market = GeneratedMarket(7, start_ns, ("SPY",))
    days = {US_STOCKS.day_of(tick.ts_ns) for tick in market.ticks(start_ns + 5 * NS_PER_DAY)}
    assert days == {date(2026, 11, day) for day in (23, 24, 25, 27)}
    assert market.day(SPY).prev_close_px is not None


def test_start_on_a_weekend_waits_for_the_next_session(start_ns: int) -> None:
    market = GeneratedMarket(7, start_ns - 2 * NS_PER_DAY, ("SPY",))
    session = US_STOCKS.hours(date(2026, 11, 23))
    assert session is not None
    assert market.next_tick_ns is not None
    assert session[0] <= market.next_tick_ns < session[0] + NS_PER_MINUTE
    assert market.top(SPY) is not None


def test_unknown_symbol_is_an_error_that_names_those_it_knows(start_ns: int) -> None:
    with pytest.raises(ConfigError, match=r"has no NOPE; it knows SPY, QQQ"):
        GeneratedMarket(7, start_ns, ("SPY", "NOPE"))


def test_demo_has_enough_ticks_and_makes_them_quickly(start_ns: int) -> None:
    market = GeneratedMarket(7, start_ns, DEMO)
    began = time.process_time()
    ticks = play(market, 40)
    spent = time.process_time() - began
    per_minute = len(ticks) / 40
    assert 300 < per_minute < 1000  # at 60x: events in a second of wall time
    assert len(ticks) / spent > 50_000


def test_making_ticks_ahead_changes_none_of_them(start_ns: int) -> None:
    plain, ahead = GeneratedMarket(4, start_ns), GeneratedMarket(4, start_ns)
    until = [start_ns + n * 7 * NS_PER_S for n in range(1, 40)]
    expected = [tick for end_ns in until for tick in plain.ticks(end_ns)]
    streamed: list[MarketTick] = []
    for end_ns in until:
        ahead.make_ahead()
        streamed += ahead.ticks(end_ns)
    assert streamed == expected
    assert all(ahead.make_ahead() for _ in range(3))
    while ahead.make_ahead():
        pass
    assert list(ahead.ticks(until[-1] + NS_PER_MINUTE)) == list(plain.ticks(until[-1] + NS_PER_MINUTE))
