"""IB's limits: messages per second over all sessions, and the rules of historical data."""

from __future__ import annotations

import asyncio
import heapq
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import IntEnum
from itertools import count


class Urgency(IntEnum):
    """What goes first when messages must wait."""

    CANCEL = 0
    ORDER = 1
    REQUEST = 2


class MessageBudget:
    """At most ``per_s`` messages in any second: ``reserved`` for cancels alone, as many more not for requests.

    So a hundred subscriptions cannot hold up an order, nor a burst of orders a cancel.
    Shared by every session of one gateway; any thread may call. ``per_s = 0`` means no limit.
    """

    def __init__(self, per_s: int = 40, reserved: int = 10, now: Callable[[], float] = time.monotonic) -> None:
        self._limits = {
            Urgency.CANCEL: per_s,
            Urgency.ORDER: max(1, per_s - reserved),
            Urgency.REQUEST: max(1, per_s - 2 * reserved),
        }
        self._is_limited = per_s > 0
        self._now = now
        self._sent: deque[float] = deque()
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Return how many messages left in the last second; any thread may ask."""
        with self._lock:
            now = self._now()
            return sum(now - sent < 1.0 for sent in self._sent)

    def take(self, urgency: Urgency) -> float:
        """Count one message; return 0.0 when it may go now, else the seconds to wait before asking again."""
        if not self._is_limited:
            return 0.0
        with self._lock:
            now = self._now()
            sent = self._sent
            while sent and now - sent[0] >= 1.0:
                sent.popleft()
            limit = self._limits[urgency]
            if len(sent) < limit:
                sent.append(now)
                return 0.0
            return max(0.001, sent[len(sent) - limit] + 1.0 - now)


class Outbox:
    """Frames that wait for the budget, the most urgent first, oldest first among equals.

    Owner: the session's thread. Nothing leaves but by ``pop`` or ``drain``.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, bytes, int]] = []
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, urgency: Urgency, frame: bytes, order_id: int) -> None:
        """Queue a frame; ``order_id`` tells whose it is should it never be sent (0: nobody's)."""
        heapq.heappush(self._heap, (int(urgency), next(self._numbers), frame, order_id))

    def head(self) -> Urgency:
        """Return how urgent the next frame is."""
        return Urgency(self._heap[0][0])

    def head_order_id(self) -> int:
        """Return whose the next frame is; 0 for nobody's."""
        return self._heap[0][3]

    def pop(self) -> bytes:
        """Take the next frame out."""
        return heapq.heappop(self._heap)[2]

    def withdraw_all(self, urgency: Urgency) -> list[int]:
        """Take back every frame of an urgency; return whose they were, oldest first."""
        taken = [entry[3] for entry in sorted(self._heap) if entry[0] == int(urgency)]
        self._heap = [entry for entry in self._heap if entry[0] != int(urgency)]
        heapq.heapify(self._heap)
        return taken

    def withdraw(self, urgency: Urgency, order_id: int) -> bool:
        """Take back what waits for an order; ``False`` when nothing does."""
        left = [entry for entry in self._heap if (entry[0], entry[3]) != (int(urgency), order_id)]
        if len(left) == len(self._heap):
            return False
        heapq.heapify(left)
        self._heap = left
        return True

    def drain(self) -> list[tuple[Urgency, int]]:
        """Empty the box: return (urgency, order id) of what was never sent."""
        unsent = [(Urgency(urgency), order_id) for urgency, _, _, order_id in sorted(self._heap)]
        self._heap.clear()
        return unsent


class HistoryPacer:
    """IB's rules for historical data, in wall time: wait instead of violating (error 162).

    At most 50 requests open, the same request not twice within 15 s, under 6 for one contract and
    kind within 2 s, and for bars of 30 s or less at most 60 in 10 minutes (BID_ASK counts twice).
    """

    MAX_OPEN = 50
    SAME_S = 15.0
    BURST, BURST_S = 5, 2.0
    SMALL, SMALL_S = 60, 600.0

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._open = asyncio.Semaphore(self.MAX_OPEN)
        self._same: dict[tuple[object, ...], float] = {}
        self._burst: dict[tuple[object, ...], deque[float]] = {}
        self._small: deque[float] = deque()

    @asynccontextmanager
    async def slot(
        self, request: tuple[object, ...], kind: tuple[object, ...], *, is_small_bar: bool, weight: int = 1
    ) -> AsyncIterator[None]:
        """Hold the right to one request: ``request`` is its identity, ``kind`` contract and tick type."""
        async with self._open:
            while (wait_s := self.wait_s(request, kind, is_small_bar=is_small_bar, weight=weight)) > 0:  # noqa: ASYNC110
                await asyncio.sleep(wait_s)
            self._count(request, kind, is_small_bar=is_small_bar, weight=weight)
            yield

    def wait_s(
        self, request: tuple[object, ...], kind: tuple[object, ...], *, is_small_bar: bool, weight: int = 1
    ) -> float:
        """Return the seconds until a request may be sent; 0.0 for now."""
        now = self._now()
        waits = [self._same.get(request, now - self.SAME_S) + self.SAME_S - now]
        recent = self._burst.get(kind)
        if recent and len(recent) >= self.BURST:
            waits.append(recent[-self.BURST] + self.BURST_S - now)
        if is_small_bar and len(self._small) + weight > self.SMALL:
            waits.append(self._small[len(self._small) + weight - self.SMALL - 1] + self.SMALL_S - now)
        return max(0.0, *waits)

    def _count(self, request: tuple[object, ...], kind: tuple[object, ...], *, is_small_bar: bool, weight: int) -> None:
        now = self._now()
        self._same = {key: at for key, at in self._same.items() if now - at < self.SAME_S}
        self._same[request] = now
        self._burst.setdefault(kind, deque(maxlen=self.BURST)).append(now)
        while self._small and now - self._small[0] >= self.SMALL_S:
            self._small.popleft()
        if is_small_bar:
            self._small.extend([now] * weight)
