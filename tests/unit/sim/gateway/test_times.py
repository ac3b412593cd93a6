from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from ibfloor.model.moment import NS_PER_S, from_datetime
from ibfloor.sim.gateway.clock import SimClock, last_trading_day, market_start_ns, wire_time
from ibfloor.sim.gateway.periods import BadPeriod, bar_size_ns, duration_ns_of, end_ns_of

NOW = from_datetime(datetime(2013, 10, 7, 14, 0, tzinfo=UTC))


class Wall:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.ns = 5

    def __call__(self) -> int:
        return self.ns


def test_market_time_runs_faster_than_the_wall() -> None:
    wall = Wall()
    clock = SimClock(NOW, 60.0, monotonic_ns=wall)
    wall.ns += NS_PER_S
    assert clock.now_ns() == NOW + 60 * NS_PER_S
    assert clock.wall_delay_s(NOW + 120 * NS_PER_S) == 1.0
    assert clock.wall_delay_s(NOW) == 0.0
    assert not clock.is_real


def test_a_held_clock_stands_until_it_is_released_once() -> None:
    wall = Wall()
    clock = SimClock(NOW, 60.0, is_held=True, monotonic_ns=wall)
    wall.ns += NS_PER_S
    assert clock.now_ns() == NOW
    assert clock.release()
    assert not clock.release()
    wall.ns += NS_PER_S
    assert clock.now_ns() == NOW + 60 * NS_PER_S


def test_a_stepped_clock_moves_only_by_hand_and_only_forward() -> None:
    clock = SimClock(NOW, is_stepped=True)
    assert not clock.release()
    assert clock.advance(7) == NOW + 7 == clock.now_ns()
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="stepped"):
        SimClock(NOW).advance(1)


def test_the_start_is_new_york_time_on_either_side_of_the_clock_change() -> None:
    assert wire_time(market_start_ns(date(2013, 10, 7), "09:26")) == "20131007 09:26:00 US/Eastern"
    assert wire_time(market_start_ns(date(2013, 12, 2), "09:26")) == "20131202 09:26:00 US/Eastern"


def test_weekends_and_holidays_start_on_the_trading_day_before() -> None:
    sunday = from_datetime(datetime(2013, 10, 6, 18, tzinfo=UTC))
    thanksgiving = from_datetime(datetime(2013, 11, 28, 18, tzinfo=UTC))
    assert last_trading_day(sunday) == date(2013, 10, 4)
    assert last_trading_day(thanksgiving) == date(2013, 11, 27)
    assert last_trading_day(NOW) == date(2013, 10, 7)


@pytest.mark.parametrize(
    ("text", "seconds"), [("1 min", 60), ("5 mins", 300), ("1 hour", 3600), ("1 day", 86400), ("30 secs", 30)]
)
def test_bar_sizes(text: str, seconds: int) -> None:
    assert bar_size_ns(text) == seconds * NS_PER_S


@pytest.mark.parametrize("text", ["7 mins", "", "1 tick", "min"])
def test_a_bar_size_ib_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(BadPeriod) as caught:
        bar_size_ns(text)
    assert caught.value.code == 321


def test_durations() -> None:
    assert duration_ns_of("1800 S") == 1800 * NS_PER_S
    assert duration_ns_of("2 D") * 5 == duration_ns_of("2 W")
    for text in ("0 D", "1 H", "D", "-1 D", ""):
        with pytest.raises(BadPeriod):
            duration_ns_of(text)


@pytest.mark.parametrize(
    "text",
    ["20131007 09:30:00 US/Eastern", "20131007 09:30:00", "20131007-13:30:00", "20131007 14:30:00 Europe/London"],
)
def test_an_end_time_in_any_of_ibs_shapes(text: str) -> None:
    assert end_ns_of(text, NOW) == NOW - 1800 * NS_PER_S


def test_an_end_time_is_now_when_empty_or_in_the_future_and_refused_when_senseless() -> None:
    assert end_ns_of("", NOW) == NOW
    assert end_ns_of("20301007 09:30:00", NOW) == NOW
    for text in ("yesterday", "20131399 09:30:00", "20131007 09:30:00 No/Where", "20131007 09:30:00 ../etc"):
        with pytest.raises(BadPeriod) as caught:
            end_ns_of(text, NOW)
        assert caught.value.code == 10314
