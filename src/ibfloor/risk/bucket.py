"""A token bucket: so many at once, so many a second. Time is passed in."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from ibfloor.model.moment import NS_PER_S


class TokenBucket:
    """Fills at a rate up to its burst; each order takes one token."""

    __slots__ = ("_ns_per_token", "_paid_until_ns", "_span_ns", "burst")

    def __init__(self, rate_per_s: Decimal, burst: int, before: TokenBucket | None = None) -> None:
        self.burst = burst
        self._ns_per_token = int(NS_PER_S / rate_per_s)
        self._span_ns = self._ns_per_token * burst
        # What is used of a bucket that this one replaces stays used.
        self._paid_until_ns: int = -(1 << 62) if before is None else before._paid_until_ns

    def used(self, now_ns: int) -> int:
        """Return how many of the burst's tokens are taken now, rounded up."""
        ahead_ns = self._paid_until_ns - now_ns
        return 0 if ahead_ns <= 0 else -(-ahead_ns // self._ns_per_token)

    def has_token(self, now_ns: int) -> bool:
        """Tell whether one more may pass now."""
        return max(self._paid_until_ns, now_ns) + self._ns_per_token <= now_ns + self._span_ns

    def take(self, now_ns: int) -> None:
        """Use a token; ask ``has_token`` first."""
        self._paid_until_ns = max(self._paid_until_ns, now_ns) + self._ns_per_token

    def undo(self) -> Callable[[], None]:
        """Return what gives back the tokens used from now on."""
        paid_until_ns = self._paid_until_ns

        def back() -> None:
            self._paid_until_ns = paid_until_ns

        return back
