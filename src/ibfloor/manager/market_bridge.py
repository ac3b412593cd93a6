"""From the data thread to the recorder's socket on the main loop: bounded, in order, nothing lost between."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from ibfloor.control.protocol import MarketColumns

FRAMES_MAX = 32
RETRY_S = 0.05


class MarketBridge:
    """A ``ColumnSink``: refuses when too much waits, and the feed keeps the rows until asked again."""

    def __init__(self, publish: Callable[[MarketColumns], bool]) -> None:
        self._publish = publish
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[MarketColumns] = deque()
        self._retry: asyncio.TimerHandle | None = None

    def __call__(self, columns: MarketColumns) -> bool:
        """Take columns on the data thread; ``False`` when the recorder is behind."""
        if len(self._waiting) >= FRAMES_MAX or self._loop.is_closed():
            return False
        self._waiting.append(columns)
        self._loop.call_soon_threadsafe(self._pump)
        return True

    def clear(self) -> None:
        """Forget what waits: the recorder went away, and is told its bars again when it is back."""
        self._waiting.clear()

    def _pump(self) -> None:
        while self._waiting:
            if not self._publish(self._waiting[0]):
                if self._retry is None:
                    self._retry = self._loop.call_later(RETRY_S, self._again)
                return
            self._waiting.popleft()

    def _again(self) -> None:
        self._retry = None
        self._pump()
