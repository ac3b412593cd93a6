"""When timers fire, in market time: plain arithmetic."""

from __future__ import annotations

import heapq
from datetime import datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ibfloor.model.errors import ConfigError
from ibfloor.model.moment import NS_PER_S, from_datetime, to_datetime

_SATURDAY = 5


class Timetable(Protocol):
    """A rule that names the moments a timer fires."""

    def next_ns(self, after_ns: int) -> int:
        """Return the first moment strictly after a market time, UTC nanoseconds."""


class Every:
    """Fire at every multiple of a number of market seconds."""

    def __init__(self, seconds: float) -> None:
        self._period_ns = int(seconds * NS_PER_S)
        if self._period_ns <= 0:
            raise ConfigError(f"a timer cannot fire every {seconds} seconds: give a number above zero")

    def next_ns(self, after_ns: int) -> int:
        """Return the next multiple of the period."""
        return (after_ns // self._period_ns + 1) * self._period_ns


class DailyAt:
    """Fire on weekdays at a wall-clock time of a place, daylight saving included."""

    def __init__(self, at: str, tz: str) -> None:
        try:
            self._at = time.fromisoformat(at)
            self._zone = ZoneInfo(tz)
        except ValueError as error:
            raise ConfigError(f'cannot schedule at {at!r} in {tz!r}: write the time as "15:55" ({error})') from error
        except ZoneInfoNotFoundError as error:
            raise ConfigError(f'unknown time zone {tz!r}: write it as "America/New_York"') from error

    def next_ns(self, after_ns: int) -> int:
        """Return the next weekday's moment."""
        day = to_datetime(after_ns, self._zone).date()
        while True:
            moment = datetime.combine(day, self._at, self._zone)
            if moment.weekday() < _SATURDAY and from_datetime(moment) > after_ns:
                return from_datetime(moment)
            day += timedelta(days=1)


class Timers:
    """The named timers of one strategy. Owner: its thread, which sleeps until ``next_ns``."""

    def __init__(self) -> None:
        self._tables: dict[str, Timetable] = {}
        self._heap: list[tuple[int, str]] = []

    def set(self, name: str, timetable: Timetable, now_ns: int) -> None:
        """Add a timer, or give the one of this name another timetable."""
        self.cancel(name)
        self._tables[name] = timetable
        heapq.heappush(self._heap, (timetable.next_ns(now_ns), name))

    def cancel(self, name: str) -> None:
        """Remove a timer; nothing happens when there is none of this name."""
        if self._tables.pop(name, None) is not None:
            self._heap = [entry for entry in self._heap if entry[1] != name]
            heapq.heapify(self._heap)

    @property
    def next_ns(self) -> int | None:
        """Return when the next timer fires; ``None`` without timers."""
        return self._heap[0][0] if self._heap else None

    def due(self, now_ns: int) -> list[str]:
        """Return the names whose moment has come, in order, each once, and wind them up again.

        A timer that missed several moments fires once: what is past cannot be acted on.
        """
        names = []
        while self._heap and self._heap[0][0] <= now_ns:
            _, name = self._heap[0]
            names.append(name)
            heapq.heapreplace(self._heap, (self._tables[name].next_ns(now_ns), name))
        return names
