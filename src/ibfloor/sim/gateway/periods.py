"""IB's words for times: bar sizes, durations, end times with a zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from ibfloor.model.moment import NS_PER_MINUTE, NS_PER_S, from_datetime
from ibfloor.sim.gateway.clock import EXCHANGE_TIME

NS_PER_HOUR = 60 * NS_PER_MINUTE
DAY_NS = 24 * NS_PER_HOUR
_UNITS = {"sec": NS_PER_S, "min": NS_PER_MINUTE, "hour": NS_PER_HOUR, "day": DAY_NS}
BAR_SIZES = {
    f"{n} {unit}{plural}": n * _UNITS[unit]
    for unit, counts in {
        "sec": (1, 5, 10, 15, 30),
        "min": (1, 2, 3, 5, 10, 15, 20, 30),
        "hour": (1, 2, 3, 4, 8),
        "day": (1,),
    }.items()
    for n in counts
    for plural in ("", "s")
}
_DURATIONS = {"S": NS_PER_S, "D": DAY_NS, "W": 5 * DAY_NS, "M": 21 * DAY_NS, "Y": 252 * DAY_NS}
"""Seconds of trading; or sessions: five make a week, 21 a month."""
_DURATION = re.compile(r"(\d{1,6}) ([SDWMY])")
_END = re.compile(r"(\d{8})[ -](\d{2}:\d{2}:\d{2})(?: (\S+))?")


class BadPeriod(Exception):
    """A historical request that IB would refuse, with its code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def bar_size_ns(text: str) -> int:
    """Return a bar size's length; raise ``BadPeriod`` for one IB does not have."""
    size = BAR_SIZES.get(text.strip().lower())
    if size is None:
        raise BadPeriod(
            321, f"Error validating request.-'bO' : cause - Historical data bar size setting {text!r} is invalid."
        )
    return size


def end_ns_of(text: str, now_ns: int) -> int:
    """Return the end time a request means, at most now; raise ``BadPeriod`` for another text."""
    if not text:
        return now_ns
    match = _END.fullmatch(text)
    zone: tzinfo = UTC if match and "-" in text else EXCHANGE_TIME
    try:
        if match is None:
            raise ValueError(text)
        if match[3]:
            zone = ZoneInfo(match[3])
        naive = datetime.strptime(f"{match[1]} {match[2]}", "%Y%m%d %H:%M:%S")  # noqa: DTZ007 - its zone follows
    except (ValueError, KeyError):
        raise BadPeriod(
            10314, "End Date/Time: The date, time, or time-zone entered is invalid. Use yyyymmdd hh:mm:ss xx/xxxx"
        ) from None
    return min(now_ns, from_datetime(naive.replace(tzinfo=zone)))


def duration_ns_of(text: str) -> int:
    """Return a duration's length; days are sessions, and longer units so many of them."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not int(match[1]):
        raise BadPeriod(
            321, "Error validating request.-'bO' : cause - Historical data request duration string is invalid."
        )
    return int(match[1]) * _DURATIONS[match[2]]
