"""Timers fire in market time, daylight saving included, and never for what is past."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibfloor.model.errors import ConfigError
from ibfloor.model.moment import NS_PER_S, from_datetime
from ibfloor.strategy.timetable import DailyAt, Every, Timers


def utc(text: str) -> int:
    return from_datetime(datetime.fromisoformat(f"{text}+00:00"))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-03-02T12:00", "2026-03-02T20:55"),
        ("2026-03-02T20:54:59", "2026-03-02T20:55"),
        ("2026-03-02T20:55", "2026-03-03T20:55"),
        ("2026-03-06T21:00", "2026-03-09T19:55"),  # over a weekend, into daylight saving
        ("2026-10-30T21:00", "2026-11-02T20:55"),  # and out of it
    ],
)
def test_daily_time_is_the_places_own_on_weekdays(after: str, expected: str) -> None:
    assert DailyAt("15:55", "America/New_York").next_ns(utc(after)) == utc(expected)


@given(after_s=st.integers(0, 2_000_000_000), period_s=st.sampled_from([0.5, 1.0, 7.0, 60.0, 3600.0]))
def test_every_is_the_next_multiple(after_s: int, period_s: float) -> None:
    after_ns = after_s * NS_PER_S
    moment = Every(period_s).next_ns(after_ns)
    assert after_ns < moment <= after_ns + period_s * NS_PER_S
    assert moment % int(period_s * NS_PER_S) == 0


@pytest.mark.parametrize(("at", "tz"), [("25:00", "America/New_York"), ("noon", "UTC"), ("12:00", "Mars/Olympus")])
def test_impossible_schedule_says_how_to_write_it(at: str, tz: str) -> None:
    with pytest.raises(ConfigError, match="write"):
        DailyAt(at, tz)


def test_period_must_be_above_zero() -> None:
    with pytest.raises(ConfigError, match="above zero"):
        Every(0)


def test_timers_fire_in_order_and_wind_up_again() -> None:
    timers = Timers()
    timers.set("slow", Every(20), 0)
    timers.set("fast", Every(7), 0)
    assert timers.next_ns == 7 * NS_PER_S
    assert timers.due(6 * NS_PER_S) == []
    assert timers.due(7 * NS_PER_S) == ["fast"]
    assert timers.due(20 * NS_PER_S) == ["fast", "slow"]
    assert timers.next_ns == 21 * NS_PER_S


def test_missed_moments_fire_once() -> None:
    timers = Timers()
    timers.set("tick", Every(1), 0)
    assert timers.due(100 * NS_PER_S) == ["tick"]
    assert timers.next_ns == 101 * NS_PER_S


def test_timer_of_the_same_name_takes_the_place_of_the_first() -> None:
    timers = Timers()
    timers.set("tick", Every(1), 0)
    timers.set("tick", Every(5), 0)
    assert timers.due(4 * NS_PER_S) == []
    assert timers.due(5 * NS_PER_S) == ["tick"]


def test_canceled_timer_never_fires() -> None:
    timers = Timers()
    timers.set("a", Every(1), 0)
    timers.set("b", Every(2), 0)
    timers.cancel("a")
    timers.cancel("nobody")
    assert timers.due(3 * NS_PER_S) == ["b"]
    timers.cancel("b")
    assert timers.next_ns is None
