"""Times in orders, as clients write them: ``20131007 15:59:00 US/Eastern`` or ``20131007-19:59:00``."""

from __future__ import annotations

from datetime import UTC, datetime
from datetime import time as time_of_day
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ibfloor.model.moment import from_datetime
from ibfloor.sim.gateway.clock import EXCHANGE_TIME
from ibfloor.sim.gateway.ticket_errors import TicketError
from ibfloor.sim.market.sessions import Session

BAD_TIME = TicketError(
    391,
    "The time or time-zone entered is invalid. The correct format is yyyymmdd hh:mm:ss xxx where yyyymmdd and xxx "
    "are optional.",
)
_ZONES = {"EST": "US/Eastern", "EDT": "US/Eastern", "CST": "US/Central", "GMT": "UTC"}


def moment_of(text: str, session: Session) -> int:
    """Return the market time a text names; a day alone means the end of that day's session.

    Raises ``ValueError`` for anything else.
    """
    day_text, _, rest = text.strip().replace("-", " ", 1).partition(" ")
    day = datetime.strptime(day_text, "%Y%m%d").date()  # noqa: DTZ007 - the zone follows
    if not rest.strip():
        hours = session.hours(day)
        return (
            from_datetime(datetime.combine(day, time_of_day(23, 59, 59), EXCHANGE_TIME)) if hours is None else hours[1]
        )
    clock_text, _, zone_text = rest.strip().partition(" ")
    zone = UTC if "-" in text.strip()[:9] else _zone(zone_text)
    return from_datetime(datetime.combine(day, time_of_day.fromisoformat(clock_text), zone))


def clock_of(text: str, now_ns: int, session: Session) -> int:
    """Return the market time of ``hh:mm:ss zone`` on the session's running day, or of a whole moment."""
    if not text[:8].isdigit():
        day = session.day_of(now_ns)
        return moment_of(f"{day:%Y%m%d} {text.strip()}", session)
    return moment_of(text, session)


def _zone(text: str) -> ZoneInfo:
    name = text.strip()
    if not name:
        return EXCHANGE_TIME
    try:
        return ZoneInfo(_ZONES.get(name, name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone") from None
