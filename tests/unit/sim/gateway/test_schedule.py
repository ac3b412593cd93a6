"""The broker's clockwork follows New York's wall clock, also when the clocks change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from ibfloor.model.moment import NS_PER_S, to_datetime
from ibfloor.sim.gateway.clock import EXCHANGE_TIME, market_start_ns
from ibfloor.sim.gateway.schedule import ClockEvent, Schedule

HOUR_NS = 3600 * NS_PER_S


def run(first: date, days: int) -> list[tuple[ClockEvent, str]]:
    start_ns = market_start_ns(first, "12:00")
    schedule = Schedule(start_ns)
    heard: list[tuple[ClockEvent, str]] = []

    def listener(event: ClockEvent) -> Callable[[int], None]:
        return lambda due_ns: heard.append((event, f"{to_datetime(due_ns, EXCHANGE_TIME):%a %H:%M}"))

    for event in ClockEvent:
        schedule.subscribe(event, listener(event))
    for hour in range(24 * days):
        schedule.on_time(start_ns + hour * HOUR_NS)
    return heard


def test_the_restart_comes_every_night_and_the_reset_on_sundays() -> None:
    nightly, sunday = ClockEvent.NIGHTLY_RESTART, ClockEvent.SUNDAY_RESET
    assert run(date(2026, 11, 20), 3) == [
        (nightly, "Fri 23:45"),
        (nightly, "Sat 23:45"),
        (sunday, "Sun 01:00"),
        (nightly, "Sun 23:45"),
    ]


def test_both_keep_to_the_wall_clock_over_a_change_of_the_hour() -> None:
    for first in (date(2026, 10, 30), date(2026, 3, 6)):
        assert {at for _, at in run(first, 4)} == {"Fri 23:45", "Sat 23:45", "Sun 01:00", "Sun 23:45", "Mon 23:45"}


def test_a_leap_over_many_days_tells_each_event_once_and_in_order() -> None:
    start_ns = market_start_ns(date(2026, 11, 20), "12:00")
    schedule, heard = Schedule(start_ns), list[int]()
    for event in ClockEvent:
        schedule.subscribe(event, heard.append)
    schedule.on_time(start_ns + 14 * 24 * HOUR_NS)
    assert len(heard) == 14 + 2
    assert heard == sorted(heard)
    schedule.on_time(start_ns + 14 * 24 * HOUR_NS)
    assert len(heard) == 16
