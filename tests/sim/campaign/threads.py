"""The floor's threads, played by one loop of virtual time: each hop between threads is a hop of the loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.sim.campaign.virtual_loop import VirtualLoop

from ibfloor.ledger.fold import fold_facts
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.store import LedgerStore
from ibfloor.loop_thread import LoopThread, Main
from ibfloor.manager.desk import StrategySpec
from ibfloor.manager.ground import Ground
from ibfloor.manager.line import Handle
from ibfloor.manager.loading import load
from ibfloor.model.errors import ConnectivityError, LedgerError
from ibfloor.strategy.registry import MadeStrategy

T = TypeVar("T")


class SameLoop(LoopThread):
    """A ``LoopThread`` without a thread: its coroutine is a task of the running loop."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._task: asyncio.Task[None] | None = None
        self.ended = concurrent.futures.Future()

    def start(self, main: Main) -> None:
        self._task = asyncio.get_running_loop().create_task(main(), name=self._name)
        self._task.add_done_callback(self._tell_end)

    async def stop(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    def post(self, call: Callable[..., object], *args: object) -> None:
        self._check()
        asyncio.get_running_loop().call_soon(call, *args)

    def run(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        try:
            self._check()
        except ConnectivityError:
            work.close()
            raise
        return asyncio.run_coroutine_threadsafe(work, asyncio.get_running_loop())

    def _check(self) -> None:
        if self._task is None or self._task.done():
            raise ConnectivityError(f"the {self._name} thread is not running")

    def _tell_end(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self.ended.set_result(None)
        elif (error := task.exception()) is not None:
            self.ended.set_exception(error)
        else:
            self.ended.set_result(None)


class LoopLine:
    """A ``Line`` whose owner is the loop: one hop for every burst of values."""

    def __init__(self, _name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._values: deque[object] = deque()
        self._handle: Handle | None = None
        self._is_called = False

    @property
    def depth(self) -> int:
        return len(self._values)

    def start(self, handle: Handle) -> None:
        self._handle = handle
        self._call()

    def put(self, value: object) -> None:
        self._values.append(value)
        self._call()

    def stop(self) -> None:
        self._drain()
        self._handle = None

    def _call(self) -> None:
        if self._handle is not None and not self._is_called:
            self._is_called = True
            self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        self._is_called = False
        while self._values and self._handle is not None:
            self._handle(self._values.popleft())


class LoopLedger:
    """Folds the journals now and then, by the same functions as the ledger's thread."""

    def __init__(self, paths: LedgerPaths, on_error: Callable[[LedgerError], None], *, every_s: float = 7.0) -> None:
        self._paths = paths
        self._on_error = on_error
        self._every_s = every_s
        self._store = LedgerStore(paths.database)
        self._task: asyncio.Task[None] | None = None
        self.trouble = ""

    def notify(self) -> None:
        """Do nothing: it folds by the clock."""

    async def __aenter__(self) -> Self:
        self._store.open()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(LedgerError):
            fold_facts(self._store, self._paths, is_live=True)
        self._store.close()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                fold_facts(self._store, self._paths, is_live=True)
                self.trouble = ""
            except LedgerError as error:
                self.trouble = str(error)
                self._on_error(error)


@contextmanager
def look_on_loop(_name: str, look: Callable[[], None], every_s: float) -> Iterator[None]:
    """Look again and again, on the running loop."""

    async def keep_looking() -> None:
        while True:
            await asyncio.sleep(every_s)
            look()

    task = asyncio.get_running_loop().create_task(keep_looking())
    try:
        yield
    finally:
        task.cancel()


async def _load(spec: StrategySpec) -> MadeStrategy:
    return load(spec)


def virtual_ground(loop: VirtualLoop, seed: str) -> Ground:
    """Return what a floor stands on in virtual time."""
    tasks: set[asyncio.Task[None]] = set()

    def run(name: str, main: Main) -> None:
        task = loop.create_task(main(), name=name)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    return Ground(
        loop_thread=SameLoop,
        line=LoopLine,
        run=run,
        look=look_on_loop,
        load=_load,
        ledger=LoopLedger,
        monotonic=loop.time,
        rng=Random(f"{seed}:floor"),
    )


TRADERS = Path(__file__).with_name("traders.py")
