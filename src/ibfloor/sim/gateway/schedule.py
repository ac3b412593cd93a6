"""The broker's own clockwork: the nightly restart and the Sunday reset, as events of market time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from enum import StrEnum

from ibfloor.model.moment import from_datetime, to_datetime
from ibfloor.sim.gateway.clock import EXCHANGE_TIME

NIGHTLY_AT = time(23, 45)
SUNDAY_AT = time(1, 0)
_SUNDAY = 6


class ClockEvent(StrEnum):
    """What the broker does by the clock, New York time."""

    NIGHTLY_RESTART = "nightly_restart"
    """23:45, every day."""
    SUNDAY_RESET = "sunday_reset"
    """Sunday 01:00: whoever is logged in must log in anew."""


class Schedule:
    """Calls who asked, once for each time an event is due. Owner: the gateway's one thread."""

    def __init__(self, now_ns: int) -> None:
        self._due = {event: next_ns(event, now_ns) for event in ClockEvent}
        self._listeners: dict[ClockEvent, list[Callable[[int], None]]] = {event: [] for event in ClockEvent}

    def subscribe(self, event: ClockEvent, listener: Callable[[int], None]) -> None:
        """Have a listener called with the market time at which the event was due."""
        self._listeners[event].append(listener)

    def due_ns(self, event: ClockEvent) -> int:
        """Return when an event is due next."""
        return self._due[event]

    def on_time(self, now_ns: int) -> None:
        """Call the listeners of everything that has come due, in order of time."""
        while True:
            event = min(self._due, key=lambda each: self._due[each])
            due_ns = self._due[event]
            if due_ns > now_ns:
                return
            self._due[event] = next_ns(event, due_ns)
            for listener in self._listeners[event]:
                listener(due_ns)


def next_ns(event: ClockEvent, after_ns: int) -> int:
    """Return the first time after another at which an event is due; wall-clock times of New York."""
    at = SUNDAY_AT if event is ClockEvent.SUNDAY_RESET else NIGHTLY_AT
    day = to_datetime(after_ns, EXCHANGE_TIME).date()
    while True:
        due_ns = from_datetime(datetime.combine(day, at, EXCHANGE_TIME))
        if due_ns > after_ns and (event is ClockEvent.NIGHTLY_RESTART or day.weekday() == _SUNDAY):
            return due_ns
        day += timedelta(days=1)
