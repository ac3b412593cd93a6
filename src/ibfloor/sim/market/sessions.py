"""Trading sessions: when a security trades, in its exchange's own time, holidays included.

A session belongs to a trading day. Hours that begin on the evening before (futures, currencies)
are given as negative minutes. Holidays and early closes come from the exchange's calendar; index
futures keep New York's: they rest on its holidays, which they do not in truth, and stop with it on
its short days, which they do to a quarter of an hour. An early close brings forward what follows it: stocks trade
for as long after it as on other days, futures not at all. A pause at noon is in no session.
Currencies pause on weekends, Christmas and New Year only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from ibfloor.model.moment import NS_PER_MINUTE, from_datetime, to_datetime

Span = tuple[int, int]
"""Start and end in UTC nanoseconds; the end is not part of it."""

_ONE_DAY = timedelta(days=1)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """The weekly clockwork of one kind of security; minutes are local, from midnight of the trading day."""

    time_zone: str
    open_minute: int
    close_minute: int
    regular_open_minute: int
    regular_close_minute: int
    calendar: str = "XNYS"
    """A name of ``exchange_calendars``, or empty for weekdays without Christmas and New Year."""
    pause: tuple[int, int] | None = None
    """From when to when nothing trades at noon."""

    def is_trading_day(self, day: date) -> bool:
        """Tell whether there is a session on a day."""
        if self.calendar:
            return day in _exchange_days(self.calendar, day.year)
        return day.weekday() < 5 and (day.month, day.day) not in ((12, 25), (1, 1))

    def hours(self, day: date) -> Span | None:
        """Return the whole session of a trading day; ``None`` when there is none."""
        return _hours(self, day)

    def regular_hours(self, day: date) -> Span | None:
        """Return the regular session of a trading day, shortened where the exchange closes early."""
        return _regular_hours(self, day)

    def spans(self, day: date, *, regular: bool = False) -> tuple[Span, ...]:
        """Return when a trading day trades, before and after its pause; empty when it does not."""
        whole = self.regular_hours(day) if regular else self.hours(day)
        pause = self.pause_of(day)
        if whole is None:
            return ()
        return (whole,) if pause is None else ((whole[0], pause[0]), (pause[1], whole[1]))

    def pause_of(self, day: date) -> Span | None:
        """Return the pause of a trading day; ``None`` for none, also where the day ends before it."""
        whole = self.hours(day)
        if self.pause is None or whole is None:
            return None
        start_ns, end_ns = (at_minute(self, day, minute) for minute in self.pause)
        return (start_ns, end_ns) if end_ns < whole[1] else None

    def is_paused(self, ts_ns: int) -> bool:
        """Tell whether the security pauses at noon."""
        if self.pause is None:
            return False
        span = self.pause_of(self.day_of(ts_ns))
        return span is not None and span[0] <= ts_ns < span[1]

    def day_of(self, ts_ns: int) -> date:
        """Return the trading day whose session holds a time, or the next one after it."""
        day = to_datetime(ts_ns, ZoneInfo(self.time_zone)).date()
        span = self.hours(day)
        if span is not None and ts_ns < span[1]:
            return day
        return self.next_day(day)

    def next_day(self, day: date) -> date:
        """Return the next trading day after a date."""
        day += _ONE_DAY
        while not self.is_trading_day(day):
            day += _ONE_DAY
        return day

    def previous_day(self, day: date) -> date:
        """Return the last trading day before a date."""
        day -= _ONE_DAY
        while not self.is_trading_day(day):
            day -= _ONE_DAY
        return day

    def is_open(self, ts_ns: int) -> bool:
        """Tell whether the security trades at all, extended hours included."""
        span = self.hours(self.day_of(ts_ns))
        return span is not None and span[0] <= ts_ns < span[1] and not self.is_paused(ts_ns)

    def is_regular(self, ts_ns: int) -> bool:
        """Tell whether the security is in its regular hours."""
        span = self.regular_hours(self.day_of(ts_ns))
        return span is not None and span[0] <= ts_ns < span[1] and not self.is_paused(ts_ns)

    def hours_text(self, ts_ns: int, *, days: int = 6, regular: bool = False) -> str:
        """Return IB's text of hours: ``20131007:0400-20131007:2000;20131012:CLOSED``; a pause parts a day."""
        zone = ZoneInfo(self.time_zone)
        first = to_datetime(ts_ns, zone).date()
        return ";".join(self._day_text(first + n * _ONE_DAY, zone, regular) for n in range(days))

    def _day_text(self, day: date, zone: ZoneInfo, regular: bool) -> str:
        spans = self.spans(day, regular=regular)
        if not spans:
            return f"{day:%Y%m%d}:CLOSED"
        return ";".join("-".join(f"{to_datetime(ts, zone):%Y%m%d:%H%M}" for ts in span) for span in spans)


US_STOCKS = Session(
    time_zone="US/Eastern", open_minute=240, close_minute=1200, regular_open_minute=570, regular_close_minute=960
)
CME_INDEX = Session(
    time_zone="US/Central", open_minute=-420, close_minute=960, regular_open_minute=510, regular_close_minute=960
)
FOREX = Session(
    time_zone="US/Eastern",
    open_minute=-405,
    close_minute=1020,
    regular_open_minute=-405,
    regular_close_minute=1020,
    calendar="",
)
XETRA = Session(
    time_zone="MET",
    open_minute=540,
    close_minute=1050,
    regular_open_minute=540,
    regular_close_minute=1050,
    calendar="XETR",
)
LONDON = Session(
    time_zone="GB",
    open_minute=480,
    close_minute=990,
    regular_open_minute=480,
    regular_close_minute=990,
    calendar="XLON",
)
TORONTO = Session(
    time_zone="US/Eastern",
    open_minute=570,
    close_minute=960,
    regular_open_minute=570,
    regular_close_minute=960,
    calendar="XTSE",
)
TOKYO = Session(
    time_zone="Japan",
    open_minute=540,
    close_minute=930,
    regular_open_minute=540,
    regular_close_minute=930,
    calendar="XTKS",
    pause=(690, 750),
)
US_OPTIONS = Session(
    time_zone="US/Eastern", open_minute=570, close_minute=960, regular_open_minute=570, regular_close_minute=960
)
CFE = Session(
    time_zone="US/Central",
    open_minute=-420,
    close_minute=960,
    regular_open_minute=510,
    regular_close_minute=900,
    calendar="XCBF",
)
NYMEX = Session(
    time_zone="US/Eastern",
    open_minute=-360,
    close_minute=1020,
    regular_open_minute=540,
    regular_close_minute=870,
    calendar="CMES",
)
SESSIONS: dict[str, Session] = {
    "us_stocks": US_STOCKS,
    "us_options": US_OPTIONS,
    "cme_index": CME_INDEX,
    "cfe": CFE,
    "nymex": NYMEX,
    "forex": FOREX,
    "xetra": XETRA,
    "london": LONDON,
    "toronto": TORONTO,
    "tokyo": TOKYO,
}
"""By the names that a file of securities may use."""


@lru_cache(maxsize=4096)
def _hours(session: Session, day: date) -> Span | None:
    if not session.is_trading_day(day):
        return None
    regular = _regular_hours(session, day)
    assert regular is not None, "a trading day has regular hours"
    evening = session.close_minute - session.regular_close_minute
    has_no_evening = session.open_minute >= 0 and not evening
    close_ns = regular[1] if has_no_evening else at_minute(session, day, session.close_minute)
    if session.calendar and _exchange_days(session.calendar, day.year)[day][1]:
        after_ns = evening * NS_PER_MINUTE if session.open_minute >= 0 else 0
        close_ns = min(close_ns, regular[1] + after_ns)
    return at_minute(session, day, session.open_minute), close_ns


@lru_cache(maxsize=4096)
def _regular_hours(session: Session, day: date) -> Span | None:
    if not session.is_trading_day(day):
        return None
    close_ns = at_minute(session, day, session.regular_close_minute)
    if session.calendar:
        close_ns = min(close_ns, _exchange_days(session.calendar, day.year)[day][0])
    return at_minute(session, day, session.regular_open_minute), close_ns


def at_minute(session: Session, day: date, minute: int) -> int:
    """Return the time so many minutes after local midnight of a day."""
    # wall-clock arithmetic: 9:30 is 9:30 also on the day the clocks change
    moment = datetime.combine(day, time()) + timedelta(minutes=minute)
    return from_datetime(moment.replace(tzinfo=ZoneInfo(session.time_zone)))


@lru_cache(maxsize=64)
def _exchange_days(calendar: str, year: int) -> Mapping[date, tuple[int, bool]]:
    # when each day closes, and whether that is early
    # imported here: it takes more than a second, and only the simulator's own process needs it
    from exchange_calendars import get_calendar

    days = get_calendar(calendar, start=f"{year}-01-01", end=f"{year}-12-31")
    early = {label.date() for label in days.early_closes}
    return {
        label.date(): (close.value // NS_PER_MINUTE * NS_PER_MINUTE, label.date() in early)
        for label, close in zip(days.sessions, days.closes, strict=True)
    }
