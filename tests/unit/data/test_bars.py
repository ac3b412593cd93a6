from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibfloor.data.bars import BarBuilder
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Instrument, Stock
from ibfloor.model.market import Bar
from ibfloor.model.moment import from_datetime
from ibfloor.model.money import Currency

NS = 1_000_000_000
MINUTE = 60 * NS
HOUR = 60 * MINUTE
NOON = 1_381_766_400 * NS

SPY = Instrument(instrument_id=InstrumentId(1), contract=Stock("SPY"), local_symbol="SPY", currency=Currency("USD"))

Tick = tuple[int, float, float]
ticks_in_order = st.lists(
    st.tuples(st.integers(0, 20 * MINUTE), st.floats(1.0, 500.0), st.integers(0, 1000).map(float)), min_size=1
).map(lambda ticks: sorted(ticks, key=lambda tick: tick[0]))
durations = st.sampled_from([1, 5, 30, 60, 300]).map(lambda seconds: seconds * NS)


def build(ticks: list[Tick], duration_ns: int) -> tuple[list[Bar], BarBuilder]:
    builder = BarBuilder(SPY, duration_ns)
    closed = [builder.add(NOON + after_ns, px, qty) for after_ns, px, qty in ticks]
    closed.append(builder.close_until(NOON + 24 * HOUR))
    return [bar for bar in closed if bar is not None], builder


@given(ticks_in_order, durations)
def test_bars_partition_the_ticks(ticks: list[Tick], duration_ns: int) -> None:
    bars, builder = build(ticks, duration_ns)
    assert builder.late == 0
    assert sum(bar.trade_count for bar in bars) == len(ticks)
    for bar in bars:
        inside = [tick for tick in ticks if bar.ts_event_ns <= NOON + tick[0] < bar.ts_close_ns]
        prices = [px for _, px, _ in inside]
        assert bar.trade_count == len(inside) > 0
        assert (bar.open_px, bar.close_px) == (prices[0], prices[-1])
        assert (bar.high_px, bar.low_px) == (max(prices), min(prices))
        assert bar.volume == sum(qty for _, _, qty in inside)


@given(ticks_in_order, durations)
def test_bars_are_aligned_and_follow_each_other(ticks: list[Tick], duration_ns: int) -> None:
    bars, _ = build(ticks, duration_ns)
    assert all(bar.ts_event_ns % duration_ns == 0 and bar.duration_ns == duration_ns for bar in bars)
    assert all(later.ts_event_ns >= earlier.ts_close_ns for earlier, later in itertools.pairwise(bars))


@given(ticks_in_order)
def test_small_bars_add_up_to_large_ones(ticks: list[Tick]) -> None:
    small, _ = build(ticks, MINUTE)
    large, _ = build(ticks, 5 * MINUTE)
    for bar in large:
        parts = [part for part in small if bar.ts_event_ns <= part.ts_event_ns < bar.ts_close_ns]
        assert bar.high_px == max(part.high_px for part in parts)
        assert bar.low_px == min(part.low_px for part in parts)
        assert (bar.open_px, bar.close_px) == (parts[0].open_px, parts[-1].close_px)
        assert bar.volume == sum(part.volume for part in parts)


@given(st.lists(st.tuples(st.integers(0, 5 * MINUTE), st.floats(1.0, 500.0), st.just(1.0)), min_size=1))
def test_ticks_in_any_order_are_in_a_bar_or_counted_as_late(ticks: list[Tick]) -> None:
    bars, builder = build(ticks, MINUTE)
    assert sum(bar.trade_count for bar in bars) + builder.late == len(ticks)


@given(ticks_in_order)
def test_the_vwap_lies_between_low_and_high(ticks: list[Tick]) -> None:
    for bar in build(ticks, MINUTE)[0]:
        if bar.volume:
            assert bar.low_px - 1e-9 <= bar.vwap <= bar.high_px + 1e-9
        else:
            assert math.isnan(bar.vwap)


def test_a_tick_at_the_end_belongs_to_the_next_bar() -> None:
    builder = BarBuilder(SPY, MINUTE)
    assert builder.add(NOON + MINUTE - 1, 10.0, 1.0) is None
    closed = builder.add(NOON + MINUTE, 11.0, 1.0)
    assert closed is not None
    assert (closed.ts_event_ns, closed.close_px) == (NOON, 10.0)


def test_an_interval_without_a_tick_gives_no_bar() -> None:
    builder = BarBuilder(SPY, MINUTE)
    assert builder.close_until(NOON + 5 * MINUTE) is None
    builder.add(NOON, 10.0, 1.0)
    closed = builder.add(NOON + 3 * MINUTE, 11.0, 1.0)
    assert closed is not None
    assert closed.ts_event_ns == NOON
    current = builder.current()
    assert current is not None
    assert current.ts_event_ns == NOON + 3 * MINUTE


def test_the_clock_closes_a_bar_and_a_late_tick_is_counted_not_added() -> None:
    builder = BarBuilder(SPY, MINUTE)
    builder.add(NOON, 10.0, 1.0)
    assert builder.close_until(NOON + MINUTE - 1) is None
    assert builder.close_until(NOON + MINUTE) is not None
    assert builder.add(NOON + MINUTE - 1, 99.0, 1.0) is None
    assert builder.late == 1
    assert builder.current() is None


def test_a_bar_of_a_broken_future_time_can_be_forgotten() -> None:
    builder = BarBuilder(SPY, MINUTE)
    builder.add(NOON + 24 * HOUR, 10.0, 1.0)
    builder.forget_after(NOON + HOUR)
    assert builder.add(NOON, 11.0, 1.0) is None
    assert builder.late == 0
    assert builder.current() is not None


def test_day_bars_run_from_local_midnight_even_when_the_clocks_change() -> None:
    builder = BarBuilder(SPY, 24 * HOUR)
    autumn = datetime(2013, 11, 3, 12, tzinfo=UTC)  # New York turns its clocks back
    start_ns, end_ns = builder.interval_of(from_datetime(autumn))
    assert start_ns == from_datetime(datetime(2013, 11, 3, 4, tzinfo=UTC))
    assert end_ns - start_ns == 25 * HOUR
    next_day = builder.interval_of(from_datetime(autumn + timedelta(days=1)))
    assert next_day == (end_ns, end_ns + 24 * HOUR)


def test_four_hour_bars_start_at_local_midnight() -> None:
    start_ns, end_ns = BarBuilder(SPY, 4 * HOUR).interval_of(NOON)  # 12:00 in New York
    assert (start_ns, end_ns) == (NOON, NOON + 4 * HOUR)


@pytest.mark.parametrize("duration_ns", [0, -1, 7 * HOUR, 48 * HOUR])
def test_a_size_that_does_not_divide_a_day_is_refused(duration_ns: int) -> None:
    with pytest.raises(ValueError, match="divide a day evenly"):
        BarBuilder(SPY, duration_ns)
