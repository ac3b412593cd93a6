"""The floor's one clock: the system's, or one that follows a simulated gateway (ADR 0006)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

NS_PER_S = 1_000_000_000


class ClockAnchor(NamedTuple):
    """At wall time ``wall_ns`` it was ``market_ns``; market time runs ``speed`` times faster."""

    market_ns: int
    wall_ns: int
    speed: float


class FloorClock:
    """Market time as a straight line over the monotonic clock.

    Starts as the system's own time; ``follow`` moves it to a gateway's. Any thread may read;
    the data session's thread alone calls ``follow``.
    """

    def __init__(self, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._monotonic_ns = monotonic_ns
        self._anchor = ClockAnchor(time.time_ns(), monotonic_ns(), 1.0)

    @property
    def anchor(self) -> ClockAnchor:
        """Return the line's anchor, a value that other processes can follow."""
        return self._anchor

    @property
    def speed(self) -> float:
        """Market seconds per wall second."""
        return self._anchor.speed

    def follow(self, market_ns: int, speed: float) -> None:
        """Take the market time a gateway announced, as of now."""
        self._anchor = ClockAnchor(market_ns, self._monotonic_ns(), speed)

    def now_ns(self) -> int:
        """Return market time now, UTC nanoseconds."""
        market_ns, wall_ns, speed = self._anchor
        elapsed_ns = self._monotonic_ns() - wall_ns
        return market_ns + (elapsed_ns if speed == 1.0 else int(elapsed_ns * speed))

    def wall_delay_s(self, until_ns: int) -> float:
        """Return the wall seconds from now until a market time; 0.0 when it has passed."""
        return max(0.0, (until_ns - self.now_ns()) / (NS_PER_S * self._anchor.speed))
