"""What is to happen later, in market time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from ibfloor.model.moment import NS_PER_S

NEVER_NS = 2**63


class Timers:
    """Calls in the order they are due; at one time, in the order they were asked for.

    Owner: the gateway's one thread.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._heap: list[tuple[int, int, str, Callable[[], None]]] = []
        self._numbers = count()

    @property
    def next_ns(self) -> int:
        """Return when the first is due; far away when there is none."""
        return self._heap[0][0] if self._heap else NEVER_NS

    def after(self, seconds: float, call: Callable[[], None], owner: str = "") -> None:
        """Call later; in no time at all it is still later than what goes on now."""
        due_ns = self._now_ns() + int(seconds * NS_PER_S)
        heapq.heappush(self._heap, (due_ns, next(self._numbers), owner, call))

    def hurry(self, owner: str) -> None:
        """Make everything of an owner due at once."""
        self._heap = [(0 if item[2] == owner else item[0], *item[1:]) for item in self._heap]
        heapq.heapify(self._heap)

    def run(self, now_ns: int) -> None:
        """Call everything that is due."""
        while self._heap and self._heap[0][0] <= now_ns:
            heapq.heappop(self._heap)[3]()
