"""Trading days left, by an exchange's calendar."""

from __future__ import annotations

from datetime import date, timedelta

SURE_DAYS = 60
"""Further ahead than this nobody asks for holidays: weekdays are near enough."""


def trading_days_left(today: date, last: date, calendar: str) -> int:
    """Return how many trading days follow today up to the last one, which counts; raise ``ValueError`` for no calendar.

    The calendar's name is one of ``exchange_calendars``; loading it the first time takes about a second.
    """
    if last <= today:
        return 0
    if (last - today).days > SURE_DAYS:
        days = (today + timedelta(days=n) for n in range(1, (last - today).days + 1))
        return sum(day.weekday() < 5 for day in days)
    from exchange_calendars import get_calendar
    from exchange_calendars.errors import InvalidCalendarName

    try:
        sessions = get_calendar(calendar, start=today, end=last + timedelta(days=7)).sessions
    except InvalidCalendarName as error:
        raise ValueError(f"there is no trading calendar {calendar!r}: try CMES, XNYS or XEUR") from error
    return sum(today < each.date() <= last for each in sessions)
