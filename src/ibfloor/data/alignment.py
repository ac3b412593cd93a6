"""Where bars begin and end: up to an hour on the epoch's grid, longer ones from local midnight."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from ibfloor.data.bar_size import NS_PER_DAY, NS_PER_HOUR
from ibfloor.model.moment import from_datetime, to_datetime

Interval = tuple[int, int]
"""Start and end of a bar in UTC nanoseconds, the end not included."""

IntervalOf = Callable[[int], Interval]


def epoch_intervals(duration_ns: int) -> IntervalOf:
    """Return the grid that starts with the epoch: whole UTC minutes, hours."""

    def interval_of(ts_ns: int) -> Interval:
        start_ns = ts_ns - ts_ns % duration_ns
        return start_ns, start_ns + duration_ns

    return interval_of


def local_intervals(duration_ns: int, time_zone: str) -> IntervalOf:
    """Return the grid that starts anew at each midnight of the instrument's time zone.

    A day with a clock change is an hour shorter or longer, and so is its last bar.
    """
    zone = ZoneInfo(time_zone)

    def interval_of(ts_ns: int) -> Interval:
        day = to_datetime(ts_ns, zone).date()
        midnight_ns = from_datetime(datetime.combine(day, time(), zone))
        next_midnight_ns = from_datetime(datetime.combine(day + timedelta(days=1), time(), zone))
        start_ns = midnight_ns + (ts_ns - midnight_ns) // duration_ns * duration_ns
        if duration_ns == NS_PER_DAY:
            return midnight_ns, next_midnight_ns
        return start_ns, min(start_ns + duration_ns, next_midnight_ns)

    return interval_of


def intervals(duration_ns: int, time_zone: str) -> IntervalOf:
    """Return the grid of a bar size for an instrument; raise ``ValueError`` for a broken size."""
    if duration_ns <= 0 or duration_ns > NS_PER_DAY or NS_PER_DAY % duration_ns:
        raise ValueError(f"bars must divide a day evenly: {duration_ns / 1e9:g} s does not")
    if duration_ns <= NS_PER_HOUR:
        return epoch_intervals(duration_ns)
    return local_intervals(duration_ns, time_zone)
