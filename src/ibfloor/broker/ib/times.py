"""IB's time strings, in every shape seen, to UTC nanoseconds."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ibfloor.model.moment import NS_PER_S, from_datetime, to_datetime

# Names TWS writes that the time zone database does not know under that name.
_ZONES = {
    "EST": "America/New_York",
    "EDT": "America/New_York",
    "CST": "America/Chicago",
    "CDT": "America/Chicago",
    "MST": "America/Denver",
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
    "GMT": "UTC",
    "BST": "Europe/London",
    "CET": "Europe/Paris",
    "CEST": "Europe/Paris",
    "JST": "Asia/Tokyo",
    "HKT": "Asia/Hong_Kong",
}


_LATEST_NS = 4_102_444_800 * NS_PER_S
"""The year 2100: what is later was read wrongly, and would fit in no journal."""


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """Return a time zone by IB's name; raise ``ValueError`` for one nobody knows."""
    known = _ZONES.get(name, name)
    try:
        return ZoneInfo(known)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"IB names a time zone that is not known here: {name!r}") from error


def parse_time(text: str, naive_zone: str) -> int:
    """Return UTC nanoseconds of an IB time string.

    Shapes: ``20131018 09:30:00 US/Eastern``; ``20250225-15:15:00`` (UTC); ``20131018  09:30:00`` and
    ``2013-10-18 09:30:00.0`` (no zone: ``naive_zone``); ``20131018`` (midnight there); epoch seconds.
    Raises ``ValueError`` for any other.
    """
    ts_ns = _parse(text, naive_zone)
    if not 0 <= ts_ns < _LATEST_NS:
        raise ValueError(f"not a time of our age: {text[:60]!r}")
    return ts_ns


def _parse(text: str, naive_zone: str) -> int:
    if len(text) == 8 and text.isdigit():
        return _hour(text, "00", naive_zone)
    if text.isdigit():
        return int(text) * NS_PER_S
    if len(text) >= 17 and text[8] == "-":
        return _at(text[:8], text[9:17], "UTC")
    parts = text.split()
    if len(parts) < 2:
        raise ValueError(f"not a time as IB writes them: {text!r}")
    date = parts[0].replace("-", "") if len(parts[0]) == 10 else parts[0]
    return _at(date, parts[1][:8], parts[2] if len(parts) > 2 else naive_zone)


def _at(date: str, clock: str, zone_name: str) -> int:
    hour, minute, second = clock.split(":")
    return _hour(date, hour, zone_name) + (int(minute) * 60 + int(second)) * NS_PER_S


@lru_cache(maxsize=4096)
def _hour(date: str, hour: str, zone_name: str) -> int:
    # Offsets change on the hour only, so an hour's start is worth remembering: parsing is most of an
    # execution's cost otherwise.
    if len(date) != 8:
        raise ValueError(f"not a date as IB writes them: {date!r}")
    moment = datetime(int(date[:4]), int(date[4:6]), int(date[6:]), int(hour), tzinfo=zone(zone_name))
    return from_datetime(moment.astimezone(UTC))


def format_utc(ts_ns: int) -> str:
    """Return a moment as IB's requests take it: ``20131018-13:30:00``, UTC."""
    return to_datetime(ts_ns).strftime("%Y%m%d-%H:%M:%S")
