"""A thread with an asyncio loop that runs one coroutine until it is stopped."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ibfloor.model.errors import ConnectivityError

T = TypeVar("T")
Main = Callable[[], Coroutine[Any, Any, None]]


class LoopThread:
    """Owns one thread and its loop. ``start`` and ``stop`` belong to the caller's loop; the rest to any thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._executor = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix=name)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self.ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        """Done when the thread has ended; its exception tells why."""

    def start(self, main: Main) -> None:
        """Run ``main()`` on the new thread."""
        self._loop = asyncio.new_event_loop()
        self.ended = self._executor.submit(self._run, self._loop, main)

    async def stop(self) -> None:
        """Cancel the coroutine and wait until the thread has ended; raises nothing."""
        if self._loop is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended by itself
            self._loop.call_soon_threadsafe(self._cancel)
        await asyncio.gather(asyncio.wrap_future(self.ended), return_exceptions=True)
        self._executor.shutdown()  # waits for nothing but the thread's own end

    def post(self, call: Callable[..., object], *args: object) -> None:
        """Have a function called on the thread; raise ``ConnectivityError`` when it does not run."""
        try:
            if self._loop is None:
                raise RuntimeError
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:
            raise ConnectivityError(f"the {self._name} thread is not running") from None

    def run(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Have a coroutine run on the thread; the future may be awaited from any thread or loop."""
        try:
            if self._loop is None:
                raise RuntimeError
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            raise ConnectivityError(f"the {self._name} thread is not running") from None

    def _run(self, loop: asyncio.AbstractEventLoop, main: Main) -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._supervise(main))

    async def _supervise(self, main: Main) -> None:
        if self._is_stopping:
            return
        self._task = asyncio.create_task(main())
        with contextlib.suppress(asyncio.CancelledError):  # stop cancels it
            await self._task

    def _cancel(self) -> None:
        self._is_stopping = True
        if self._task is not None:
            self._task.cancel()
