"""The broker's clockwork follows New York's wall clock, also when the clocks change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time

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


def test_restart_and_reset_come_every_night_and_the_log_in_ends_on_sundays() -> None:
    nightly, reset, sunday = ClockEvent.NIGHTLY_RESTART, ClockEvent.NIGHTLY_RESET, ClockEvent.SUNDAY_RESET
    assert run(date(2026, 11, 20), 3) == [
        (nightly, "Fri 23:45"),
        (reset, "Sat 00:15"),
        (nightly, "Sat 23:45"),
        (reset, "Sun 00:15"),
        (sunday, "Sun 01:00"),
        (nightly, "Sun 23:45"),
        (reset, "Mon 00:15"),
    ]


def test_a_user_chooses_when_the_gateway_restarts() -> None:
    schedule = Schedule(market_start_ns(date(2026, 11, 20), "12:00"), {ClockEvent.NIGHTLY_RESTART: time(12, 30)})
    assert schedule.next_ns == schedule.due_ns(ClockEvent.NIGHTLY_RESTART)
    assert schedule.next_ns == market_start_ns(date(2026, 11, 20), "12:30")
    schedule.on_time(schedule.next_ns)
    assert schedule.next_ns == market_start_ns(date(2026, 11, 21), "00:15")


def test_both_keep_to_the_wall_clock_over_a_change_of_the_hour() -> None:
    for first in (date(2026, 10, 30), date(2026, 3, 6)):
        heard = {at for event, at in run(first, 4) if event is not ClockEvent.NIGHTLY_RESET}
        assert heard == {"Fri 23:45", "Sat 23:45", "Sun 01:00", "Sun 23:45", "Mon 23:45"}


def test_a_leap_over_many_days_tells_each_event_once_and_in_order() -> None:
    start_ns = market_start_ns(date(2026, 11, 20), "12:00")
    schedule, heard = Schedule(start_ns), list[int]()
    for event in ClockEvent:
        schedule.subscribe(event, heard.append)
    schedule.on_time(start_ns + 14 * 24 * HOUR_NS)
    assert len(heard) == 14 + 14 + 2
    assert heard == sorted(heard)
    schedule.on_time(start_ns + 14 * 24 * HOUR_NS)
    assert len(heard) == 30
