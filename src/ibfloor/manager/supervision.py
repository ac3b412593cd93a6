"""When a failed strategy may start again: a policy as a pure value."""

from __future__ import annotations

from collections import deque

import msgspec


class RestartPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """At most ``max_restarts`` within ``window_s`` wall seconds, each later than the one before."""

    max_restarts: int = 3
    window_s: float = 600.0
    backoff_s: float = 1.0
    backoff_max_s: float = 60.0


class RestartBudget:
    """What is left of a policy for one strategy."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._failures: deque[float] = deque()

    def next_delay_s(self, now_s: float) -> float | None:
        """Note a failure at a monotonic time; return how long to wait, ``None`` to give up."""
        while self._failures and self._failures[0] <= now_s - self._policy.window_s:
            self._failures.popleft()
        self._failures.append(now_s)
        if len(self._failures) > self._policy.max_restarts:
            return None
        return float(min(self._policy.backoff_max_s, self._policy.backoff_s * 2 ** (len(self._failures) - 1)))
