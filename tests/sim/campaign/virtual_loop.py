"""An asyncio loop whose time jumps from one event to the next, and in which a whole life can end at once.

Nothing waits: where no callback is ready the loop moves its time to the next timer. Connections are
made in memory by a ``Network``. Every callback belongs to a *life*, a number carried by its context;
``kill`` ends a life as ``kill -9`` ends a process: nothing of it is ever called again, nothing is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import selectors
import weakref
from collections.abc import Callable, Iterator
from typing import Any

LIFE: contextvars.ContextVar[int] = contextvars.ContextVar("life", default=0)
START_S = 1000.0


class Killed(BaseException):
    """Unwinds the callback in which its own life was killed: a dead process does not go on."""


class Stuck(AssertionError):
    """Nothing is ready and no timer runs: everybody waits for something that cannot come."""


class _Selector(selectors.DefaultSelector):
    """Asks the system what is ready, but never waits for it: waiting is a jump of the loop's time."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = START_S

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise Stuck("the loop has nothing to do and no timer")
            self.now_s += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """One loop for gateway and floor, in virtual time."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)
        self._dead: set[int] = set()
        self._lives: weakref.WeakKeyDictionary[asyncio.Task[Any], int] = weakref.WeakKeyDictionary()
        self.errors: list[str] = []
        """What callbacks and forgotten tasks raised."""
        self.connect: Callable[..., Any] | None = None
        self.listen: Callable[..., Any] | None = None
        self.set_exception_handler(self._note_error)

    def time(self) -> float:
        """Return virtual seconds."""
        return self._virtual.now_s

    def time_ns(self) -> int:
        """Return virtual nanoseconds."""
        return round(self._virtual.now_s * 1e9)

    def jump(self, seconds: float) -> None:
        """Let time leap, as for a machine that was asleep."""
        self._virtual.now_s += seconds

    # lives

    def kill(self, life: int) -> None:
        """End a life: its callbacks, timers, tasks and readers are never called again."""
        self._dead.add(life)
        mine = [handle for handle in (*self._ready, *self._scheduled) if _life_of(handle) == life]  # type: ignore[attr-defined]
        for handle in mine:
            handle.cancel()
        for key in list(self._virtual.get_map().values()):
            reader = key.data[0]
            if reader is not None and _life_of(reader) == life:
                self.remove_reader(key.fd)
                with contextlib.suppress(OSError):
                    os.close(key.fd)

    def tasks_of(self, *lives: int) -> list[asyncio.Task[Any]]:
        """Return the tasks of some lives that have not ended."""
        return [task for task, life in list(self._lives.items()) if life in lives and not task.done()]

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None) -> Any:
        task = super().create_task(coro, name=name, context=context)
        self._lives[task] = _life_in(context)
        return task

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        if self._dead and _life_in(context) in self._dead:
            return _never(self, callback)
        return super().call_soon(callback, *args, context=context)

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        handle = super().call_at(when, callback, *args, context=context)
        if self._dead and _life_in(context) in self._dead:
            handle.cancel()
        return handle

    # connections

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:
        assert self.connect is not None, "this loop has no network"
        return await self.connect(protocol_factory, int(port))

    async def create_server(
        self, protocol_factory: Any, host: Any = None, port: Any = None, *, sock: Any = None, **_: Any
    ) -> Any:
        assert self.listen is not None, "this loop has no network"
        return self.listen(protocol_factory, int(port or 0), sock)

    def _note_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        is_of_the_dead = context.get("message", "").startswith("Task was destroyed")
        if not is_of_the_dead and not isinstance(context.get("exception"), Killed):
            self.errors.append(f"{context.get('message')}: {context.get('exception')!r}")


def _life_in(context: contextvars.Context | None) -> int:
    return LIFE.get() if context is None else context.get(LIFE, 0)


def _life_of(handle: asyncio.Handle) -> int:
    return handle._context.get(LIFE, 0)  # type: ignore[attr-defined, no-any-return]


def _never(loop: asyncio.AbstractEventLoop, callback: Callable[..., object]) -> asyncio.Handle:
    handle = asyncio.Handle(callback, (), loop)
    handle.cancel()
    return handle


@contextlib.contextmanager
def virtual_loop() -> Iterator[VirtualLoop]:
    """Run a block with a loop of virtual time as the thread's own; whatever is left is dropped at its end."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()
