"""Calls a strategy's handlers one at a time, in the order of the facts, plain or ``async``."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

_Call = tuple[Callable[..., Any], tuple[Any, ...]]


class HandlerPump:
    """One strategy's handler calls. Owner: the strategy's thread and loop.

    A plain handler runs at once. While an ``async`` one is under way, later calls wait for it; of calls
    that carry the same key only the newest waits, in its old place: quotes conflate, all else is kept. The
    first exception ends the pump: it lands in ``failure`` and nothing is called any more.
    """

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._tasks = tasks
        self._waiting: deque[list[_Call]] = deque()
        self._newest: dict[Hashable, list[_Call]] = {}
        self._under_way: asyncio.Task[None] | None = None

    @property
    def depth(self) -> int:
        """Return how many calls wait."""
        return len(self._waiting)

    def call(self, handler: Callable[..., Any], *args: Any, key: Hashable = None) -> None:
        """Call a handler now, or after the one under way; of the same ``key`` only the newest waits."""
        if self._under_way is not None:
            self._wait((handler, args), key)
        elif not self.failure.done():
            self._run(handler, args)

    async def drained(self) -> None:
        """Wait until no handler is under way."""
        while self._under_way is not None:
            await asyncio.wait([self._under_way])

    def abandon(self) -> None:
        """Call nothing more, and cancel the handler under way."""
        self._waiting.clear()
        if not self.failure.done():
            self.failure.cancel()
        if self._under_way is not None:
            self._under_way.cancel()

    def _wait(self, call: _Call, key: Hashable) -> None:
        if key is not None and (waiting := self._newest.get(key)):
            waiting[0] = call
            return
        cell = [call]
        self._waiting.append(cell)
        if key is not None:
            self._newest[key] = cell

    def _run(self, handler: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            result = handler(*args)
        except BaseException as error:  # noqa: BLE001 - a strategy may raise anything: it is stopped, nobody else
            self._fail(error)
            return
        if result is not None and inspect.isawaitable(result):
            self._under_way = self._tasks.create_task(self._finish(result))

    async def _finish(self, result: Awaitable[object]) -> None:
        try:
            await result
        except BaseException as error:
            if self.failure.cancelled():  # given up by ``abandon``
                raise
            self._fail(error)
        finally:
            self._under_way = None
        while self._waiting and self._under_way is None and not self.failure.done():
            handler, args = self._waiting.popleft().pop()  # an empty cell waits no more
            self._run(handler, args)

    def _fail(self, error: BaseException) -> None:
        self._waiting.clear()
        if not self.failure.done():
            self.failure.set_result(error)
