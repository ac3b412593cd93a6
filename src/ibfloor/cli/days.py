"""The days that reports are asked for."""

from __future__ import annotations

from ibfloor.model.errors import ConfigError
from ibfloor.reports.days import DAY_ZONE


def checked_day(option: str, day: str | None) -> None:
    """Raise ``ConfigError`` where an option was given what is no day."""
    from ibfloor.portfolio.chronicle import day_bounds

    try:
        if day:
            day_bounds(day, DAY_ZONE)
    except (ValueError, OverflowError):
        raise ConfigError(f"{option} {day}: this is no day; write one as 2026-03-31") from None
