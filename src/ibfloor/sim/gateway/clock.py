"""The gateway's own time: real, faster than real, waiting for a first client, or moved by a test."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, datetime
from datetime import time as time_of_day
from zoneinfo import ZoneInfo

from ibfloor.clock import NS_PER_S, FloorClock
from ibfloor.model.moment import from_datetime, to_datetime
from ibfloor.sim.market.sessions import US_STOCKS

EXCHANGE_TIME = ZoneInfo("America/New_York")
EXCHANGE_TIME_TEXT = "US/Eastern"
STEPPED_SPEED = 0.001
"""What a clock moved by hand announces: it hardly runs between two moves."""


class SimClock:
    """Market time of the simulation. Owner: the gateway's one thread."""

    def __init__(
        self,
        market_ns: int | None = None,
        speed: float = 1.0,
        *,
        is_held: bool = False,
        is_stepped: bool = False,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.is_real = market_ns is None and speed == 1.0
        self.speed = STEPPED_SPEED if is_stepped else speed
        self.is_stepped = is_stepped
        self._monotonic_ns = monotonic_ns
        self._market_ns = FloorClock().now_ns() if market_ns is None else market_ns
        self._wall_ns: int | None = None if is_held or is_stepped else monotonic_ns()

    @property
    def is_running(self) -> bool:
        """Tell whether time passes by itself."""
        return self._wall_ns is not None

    def now_ns(self) -> int:
        """Return market time now, UTC nanoseconds."""
        if self._wall_ns is None:
            return self._market_ns
        return self._market_ns + int((self._monotonic_ns() - self._wall_ns) * self.speed)

    def wall_ns(self) -> int:
        """Return the wall's time, from any origin; a stepped clock's is market time."""
        return self._market_ns if self.is_stepped else self._monotonic_ns()

    def wall_delay_s(self, until_ns: int) -> float:
        """Return the wall seconds from now until a market time; 0.0 when it has passed."""
        return max(0.0, (until_ns - self.now_ns()) / (NS_PER_S * self.speed))

    def release(self) -> bool:
        """Let a held clock run; return whether that changed anything."""
        if self._wall_ns is not None or self.is_stepped:
            return False
        self._wall_ns = self._monotonic_ns()
        return True

    def advance(self, by_ns: int) -> int:
        """Move a stepped clock; return the time it shows then."""
        if not self.is_stepped or by_ns < 0:
            raise ValueError("only a stepped clock can be moved, and only forward")
        self._market_ns += by_ns
        return self._market_ns


def market_start_ns(day: date, at: str) -> int:
    """Return the market time of ``HH:MM`` exchange time on a day; raise ``ValueError`` for another text."""
    return from_datetime(datetime.combine(day, time_of_day.fromisoformat(at), EXCHANGE_TIME))


def last_trading_day(now_ns: int) -> date:
    """Return the New York date of a time, or the last trading day before it on a weekend or holiday."""
    day = to_datetime(now_ns, EXCHANGE_TIME).date()
    return day if US_STOCKS.is_trading_day(day) else US_STOCKS.previous_day(day)


def wire_time(ts_ns: int) -> str:
    """Return a time as IB writes it: ``20131007 09:30:00 US/Eastern``."""
    return f"{to_datetime(ts_ns, EXCHANGE_TIME):%Y%m%d %H:%M:%S} {EXCHANGE_TIME_TEXT}"
