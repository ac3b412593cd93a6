"""IB's words for times: bar sizes, durations that count trading time, end times with a zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from ibfloor.model.moment import NS_PER_MINUTE, NS_PER_S, from_datetime, to_datetime
from ibfloor.sim.gateway.clock import EXCHANGE_TIME
from ibfloor.sim.market.sessions import Session

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
_CALENDAR_DAYS = {"W": 7, "M": 30, "Y": 365}
_DURATION = re.compile(r"(\d{1,6}) ([SDWMY])")
_END = re.compile(r"(\d{8})[ -](\d{2}:\d{2}:\d{2})(?: (\S+))?")
_SPANS_MAX = 400


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


def start_ns_of(duration: str, end_ns: int, session: Session, *, rth_only: bool) -> int:
    """Return where a duration begins: seconds and days count trading time, longer units the calendar."""
    match = _DURATION.fullmatch(duration.strip())
    if match is None or not int(match[1]):
        raise BadPeriod(
            321, "Error validating request.-'bO' : cause - Historical data request duration string is invalid."
        )
    count, unit = int(match[1]), match[2]
    if unit in _CALENDAR_DAYS:
        return end_ns - count * _CALENDAR_DAYS[unit] * DAY_NS
    if unit == "D":
        return _days_back(count, end_ns, session)
    return _seconds_back(count * NS_PER_S, end_ns, session, rth_only=rth_only)


def _days_back(count: int, end_ns: int, session: Session) -> int:
    moment = to_datetime(end_ns, EXCHANGE_TIME)
    day = moment.date()
    for _ in range(min(count, _SPANS_MAX)):
        day = session.previous_day(day)
    return from_datetime(moment.replace(year=day.year, month=day.month, day=day.day))


def _seconds_back(left_ns: int, end_ns: int, session: Session, *, rth_only: bool) -> int:
    day = session.day_of(end_ns)
    start_ns = end_ns
    for _ in range(_SPANS_MAX):
        span = session.regular_hours(day) if rth_only else session.hours(day)
        if span is not None and span[0] < end_ns:
            length = min(span[1], end_ns) - span[0]
            if length >= left_ns:
                return min(span[1], end_ns) - left_ns
            left_ns -= length
            start_ns = span[0]
        day = session.previous_day(day)
    return start_ns
