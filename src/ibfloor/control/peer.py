"""One client of the control server: what waits to be written to it, in bounded queues."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

VIEW_FRAMES_MAX = 64
MARKET_FRAMES_MAX = 256
ANSWER_FRAMES_MAX = 1024
WRITE_BUFFER_BYTES = 256 * 1024


class Peer:
    """A client and its outbox. Owner: the control server's loop.

    Answers never drop: a client that does not read them is cut off. View frames that a slow client
    does not take are replaced by one fresh snapshot. Market frames are refused, so that their
    sender knows (it counts the loss).
    """

    def __init__(self, name: str, writer: asyncio.StreamWriter, snapshot_frame: Callable[[], bytes]) -> None:
        self.name = name
        self.follows_views = False
        self.follows_market = False
        self.calls_running = 0
        self._writer = writer
        self._snapshot_frame = snapshot_frame
        self._wants_snapshot = False
        self._answers: deque[bytes] = deque()
        self._views: deque[bytes] = deque()
        self._market: deque[bytes] = deque()
        self._ready = asyncio.Event()
        writer.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)

    def answer(self, frame: bytes) -> None:
        """Queue an answer; a client that lets too many pile up is cut off."""
        if len(self._answers) >= ANSWER_FRAMES_MAX:
            self.cut()
            return
        self._answers.append(frame)
        self._ready.set()

    def ask_snapshot(self) -> None:
        """Queue a fresh snapshot in place of all view frames that wait."""
        self._views.clear()
        self._wants_snapshot = True
        self._ready.set()

    def offer_changes(self, frame: bytes) -> None:
        """Queue a change; on overflow a snapshot takes the place of what waits."""
        if self._wants_snapshot:
            return  # the snapshot is made when it is written, so it holds this change
        if len(self._views) >= VIEW_FRAMES_MAX:
            self.ask_snapshot()
            return
        self._views.append(frame)
        self._ready.set()

    def offer_market(self, frame: bytes) -> bool:
        """Queue market columns; ``False`` when the queue is full and they were not taken."""
        if len(self._market) >= MARKET_FRAMES_MAX:
            return False
        self._market.append(frame)
        self._ready.set()
        return True

    def cut(self) -> None:
        """Drop the connection now."""
        self._writer.transport.abort()

    async def write_forever(self) -> None:
        """Write what waits, answers first, at the client's own pace; raises ``OSError`` when it is gone."""
        while True:
            await self._ready.wait()
            frame = self._next()
            if frame is None:
                self._ready.clear()
                continue
            self._writer.write(frame)
            await self._writer.drain()

    def _next(self) -> bytes | None:
        if self._answers:
            return self._answers.popleft()
        if self._wants_snapshot:
            self._wants_snapshot = False
            return self._snapshot_frame()
        if self._views:
            return self._views.popleft()
        return self._market.popleft() if self._market else None
