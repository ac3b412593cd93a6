"""The broker's own clockwork: nightly restart, nightly reset and Sunday reset, as events of market time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from enum import StrEnum

from ibfloor.model.moment import from_datetime, to_datetime
from ibfloor.sim.gateway.clock import EXCHANGE_TIME

_SUNDAY = 6


class ClockEvent(StrEnum):
    """What the broker does by the clock, New York time."""

    NIGHTLY_RESTART = "nightly_restart"
    """The gateway program restarts, at a time its user chose."""
    NIGHTLY_RESET = "nightly_reset"
    """IB resets its servers."""
    SUNDAY_RESET = "sunday_reset"
    """Whoever is logged in must log in anew."""


TIMES: Mapping[ClockEvent, time] = {
    ClockEvent.NIGHTLY_RESTART: time(23, 45),
    ClockEvent.NIGHTLY_RESET: time(0, 15),
    ClockEvent.SUNDAY_RESET: time(1, 0),
}
"""When, unless told otherwise: every day, the last one on Sundays."""


class Schedule:
    """Calls who asked, once for each time an event is due. Owner: the gateway's one thread."""

    def __init__(self, now_ns: int, times: Mapping[ClockEvent, time] = TIMES) -> None:
        self._times = {**TIMES, **times}
        self._due = {event: next_ns(event, self._times[event], now_ns) for event in ClockEvent}
        self.next_ns = min(self._due.values())
        """When the first of them is due next."""
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
            self._due[event] = next_ns(event, self._times[event], due_ns)
            self.next_ns = min(self._due.values())
            for listener in self._listeners[event]:
                listener(due_ns)


def next_ns(event: ClockEvent, at: time, after_ns: int) -> int:
    """Return the first time after another at which an event is due; wall-clock times of New York."""
    day = to_datetime(after_ns, EXCHANGE_TIME).date()
    while True:
        due_ns = from_datetime(datetime.combine(day, at, EXCHANGE_TIME))
        if due_ns > after_ns and (event is not ClockEvent.SUNDAY_RESET or day.weekday() == _SUNDAY):
            return due_ns
        day += timedelta(days=1)
