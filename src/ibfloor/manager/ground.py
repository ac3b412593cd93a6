"""What a floor stands on: where its threads, its seconds and its chance come from.

A floor that trades takes all of it from the machine. A simulation gives it one loop, a time that
jumps from one event to the next, and chance from a seed; every other line of the floor is the same.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from types import TracebackType
from typing import Any, Protocol, Self

from ibfloor.ledger.folder import LedgerThread
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.loop_thread import LoopThread
from ibfloor.manager.desk import StrategySpec
from ibfloor.manager.line import Line, ThreadLine
from ibfloor.manager.loading import load_in_time
from ibfloor.model.errors import LedgerError
from ibfloor.strategy.registry import MadeStrategy

Main = Callable[[], Coroutine[Any, Any, None]]


class Ledger(Protocol):
    """Folds the journals into the ledger beside the trading; ``async with`` starts and stops it."""

    @property
    def trouble(self) -> str:
        """What it cannot do now; empty when all is well."""

    def notify(self) -> None:
        """Say that there is something to fold."""

    async def __aenter__(self) -> Self:
        """Start."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Fold what is left, and stop."""


def run_on_thread(name: str, main: Main) -> None:
    """Run a coroutine on a thread and loop of its own."""
    # A daemon: a handler that never returns must not keep the floor's process from ending.
    Thread(target=lambda: asyncio.run(main()), name=name, daemon=True).start()


@contextmanager
def look_on_thread(name: str, look: Callable[[], None], every_s: float) -> Iterator[None]:
    """Look again and again, on a thread of its own: also when no loop answers."""
    is_over = Event()

    def keep_looking() -> None:
        while not is_over.wait(every_s):
            look()

    thread = Thread(target=keep_looking, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """Each field says how the floor gets one thing of the machine."""

    loop_thread: Callable[[str], LoopThread] = LoopThread
    line: Callable[[str], Line] = ThreadLine
    run: Callable[[str, Main], None] = run_on_thread
    look: Callable[[str, Callable[[], None], float], AbstractContextManager[None]] = look_on_thread
    load: Callable[[StrategySpec], Awaitable[MadeStrategy]] = load_in_time
    ledger: Callable[[LedgerPaths, Callable[[LedgerError], None]], Ledger] = LedgerThread
    monotonic: Callable[[], float] = time.monotonic
    rng: random.Random = field(default_factory=random.Random)
