"""Time: UTC nanoseconds, read from one clock."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MINUTE = 60 * NS_PER_S


class Clock(Protocol):
    """The floor's one source of market time; safe to read from any thread."""

    @property
    def speed(self) -> float:
        """Market seconds per wall second: 1.0 against a real gateway."""

    def now_ns(self) -> int:
        """Return market time now, UTC nanoseconds."""

    def wall_delay_s(self, until_ns: int) -> float:
        """Return the wall seconds from now until a market time; 0.0 when it has passed."""


def to_datetime(ts_ns: int, tz: tzinfo = UTC) -> datetime:
    """Return an aware datetime, for people and calendars only."""
    return datetime.fromtimestamp(ts_ns // NS_PER_S, tz).replace(microsecond=ts_ns % NS_PER_S // 1000)


def from_datetime(moment: datetime) -> int:
    """Return UTC nanoseconds of an aware datetime; raise ``ValueError`` for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no place on the floor: give it a time zone")
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * NS_PER_S + moment.microsecond * 1000
