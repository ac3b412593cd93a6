"""IB's limits: messages per second over all sessions, and the rules of historical data."""

from __future__ import annotations

import asyncio
import heapq
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import IntEnum
from itertools import count

CLAIM_S = 0.25
"""How long a session that was told when to ask again is waited for."""
YIELD_S = 0.005
"""How long one that got more than another steps back."""


class Urgency(IntEnum):
    """What goes first when messages must wait."""

    CANCEL = 0
    ORDER = 1
    REQUEST = 2


class MessageBudget:
    """At most ``per_s`` messages in any second, shared by every session of one gateway; any thread may call.

    ``reserved`` are for cancels alone. Of the rest as many more are kept from requests, so that a hundred
    subscriptions cannot hold up an order; but where requests wait, so many are theirs, so that a burst of
    orders cannot hold up what the account has to ask. Sessions that wait for the same get the same, and the
    last few orders of a second are not for the one that sent all others. ``per_s = 0`` means no limit.
    """

    def __init__(self, per_s: int = 40, reserved: int = 10, now: Callable[[], float] = time.monotonic) -> None:
        self._most = per_s
        self._reserved = reserved
        self._spare = reserved // 2
        self._orders = max(1, per_s - reserved)
        self._requests = max(1, per_s - 2 * reserved)
        self._now = now
        self._sent: deque[tuple[float, Urgency, str]] = deque()
        self._claims: dict[tuple[Urgency, str], float] = {}
        """Who waits for what, and until when it is waited for."""
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Return how many messages left in the last second; any thread may ask."""
        with self._lock:
            now = self._now()
            return sum(now - at < 1.0 for at, _, _ in self._sent)

    def take(self, urgency: Urgency, who: str = "") -> float:
        """Count one message of a session; return 0.0 when it may go now, else after how many seconds to ask again."""
        if not self._most:
            return 0.0
        with self._lock:
            now = self._now()
            while self._sent and now - self._sent[0][0] >= 1.0:
                self._sent.popleft()
            wait_s = self._wait_s(urgency, who, now)
            if wait_s:
                self._claims[urgency, who] = now + wait_s + CLAIM_S
            else:
                self._sent.append((now, urgency, who))
                self._claims.pop((urgency, who), None)
            return wait_s

    def leave(self, who: str) -> None:
        """Wait for a session no more: its connection has gone."""
        with self._lock:
            self._claims = {key: until for key, until in self._claims.items() if key[1] != who}

    def _wait_s(self, urgency: Urgency, who: str, now: float) -> float:
        total = len(self._sent)
        if total < self._requests and not self._claims:
            return 0.0
        if urgency is Urgency.CANCEL:
            return self._until_fewer(self._most, now)
        self._claims = {key: until for key, until in self._claims.items() if until > now}
        return self._until_room(urgency, now) or self._until_fair(urgency, who, now)

    def _until_room(self, urgency: Urgency, now: float) -> float:
        room_s = self._until_fewer(self._orders, now)
        if urgency is Urgency.REQUEST:
            theirs_s = max(room_s, self._until_fewer(max(1, self._reserved), now, Urgency.REQUEST))
            return min(self._until_fewer(self._requests, now), theirs_s)
        if any(waits is Urgency.REQUEST for waits, _ in self._claims):
            return max(room_s, self._until_fewer(self._requests, now, Urgency.ORDER))
        return room_s

    def _until_fewer(self, limit: int, now: float, of: Urgency | None = None, who: str | None = None) -> float:
        times = [at for at, sent, name in self._sent if of in (None, sent) and who in (None, name)]
        return max(0.001, times[-limit] + 1.0 - now) if len(times) >= limit else 0.0

    def _until_fair(self, urgency: Urgency, who: str, now: float) -> float:
        is_order = urgency is Urgency.ORDER
        if is_order and (alone_s := self._until_fewer(max(1, self._orders - self._spare), now, urgency, who)):
            return alone_s
        rivals = [other for waits, other in self._claims if waits is urgency and other != who]
        if not rivals:
            return 0.0
        got = Counter(name for _, sent, name in self._sent if sent is urgency)
        most = self._orders if is_order else self._requests
        share = most // (len(rivals) + 1)
        owed = sum(max(0, share - got[rival]) for rival in rivals)
        free = most - len(self._sent) if is_order else max(most - len(self._sent), self._reserved - got.total())
        return YIELD_S if got[who] >= share and free <= owed else 0.0


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
