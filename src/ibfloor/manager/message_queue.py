"""MessageQueue: the floor's one ordered stream of facts, and the thread that applies them.

Get a fact, apply it, publish what changed: this loop is the middle of the floor.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, Self, TypeVar

import structlog

from ibfloor.crash_points import IS_ARMED, reach
from ibfloor.manager.answers import respond
from ibfloor.manager.floor_state import Applied, FloorState
from ibfloor.manager.line import Line, ThreadLine
from ibfloor.model.errors import LedgerError
from ibfloor.model.fact import AnyFact, Fact, SessionChanged

log = structlog.get_logger("queue")

T = TypeVar("T")
Observer = Callable[[Applied], None]
_Work = Callable[[], None]


class FactJournal(Protocol):
    """The ordered journal: the truth that every book can be rebuilt from."""

    def append(self, fact: AnyFact, seq: int) -> None:
        """Put the fact on disk under its sequence number."""


class MessageQueue:
    """Facts in from any thread; applied, journaled and published by one thread, in order.

    The queue never blocks a sender and never drops a fact: the bound is a fault line, not a wall.
    Holding more than ``capacity`` facts calls ``on_fault`` (it shuts the gate), and facts are still
    taken. The processing thread owns the ``FloorState``; others see it through ``ask`` and the observers.
    """

    def __init__(
        self,
        state: FloorState,
        journal: FactJournal,
        *,
        next_seq: int,
        on_fault: Callable[[str], None],
        capacity: int = 100_000,
        line: Line | None = None,
    ) -> None:
        self._state = state
        self._journal = journal
        self._next_seq = next_seq
        self._on_fault = on_fault
        self._capacity = capacity
        self._incoming = ThreadLine("message-queue") if line is None else line
        self._observers: list[Observer] = []
        self._unwritten: deque[AnyFact] = deque()
        self._is_overfull = False

    @property
    def depth(self) -> int:
        """Return how many facts wait."""
        return self._incoming.depth

    def observe(self, observer: Observer) -> None:
        """Call an observer with every applied fact, on the processing thread; before ``start``."""
        self._observers.append(observer)

    def start(self) -> None:
        """Start the processing thread."""
        self._incoming.start(self._take)

    def stop(self) -> None:
        """Apply what was put so far, then end the thread."""
        self._incoming.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def put(self, fact: AnyFact) -> None:
        """Take a fact from any thread."""
        if self._incoming.depth >= self._capacity and not self._is_overfull:
            self._is_overfull = True
            self._on_fault(f"the message queue holds {self._capacity} facts: the floor cannot keep up")
        self._incoming.put(fact)

    def ask(self, question: Callable[[FloorState], T]) -> Future[T]:
        """Answer a question about the state on its own thread, after all facts put before."""
        answer: Future[T] = Future()

        self._incoming.put(lambda: respond(answer, lambda: question(self._state)))
        return answer

    def _take(self, item: AnyFact | _Work) -> None:
        if not isinstance(item, Fact):
            item()
            return
        try:
            self._process(item)
        except Exception as error:
            log.exception("a fact could not be applied", fact=item)
            self._on_fault(f"a fact could not be applied, the books may be wrong: {error!r}")

    def _process(self, fact: AnyFact) -> None:
        place = f"queue.{type(fact).__name__}" if IS_ARMED else ""
        reach("queue.taken")
        if not self._state.is_news(fact):
            return
        if not isinstance(fact, SessionChanged):  # a link's ups and downs are for the log, not for the books
            self._write(fact)
        applied = self._state.apply(fact)
        if IS_ARMED:
            reach(f"{place}.applied")
        for observer in self._observers:
            observer(applied)
        if IS_ARMED:
            reach(f"{place}.delivered")

    def _write(self, fact: AnyFact) -> None:
        self._unwritten.append(fact)
        while self._unwritten:
            try:
                self._journal.append(self._unwritten[0], self._next_seq)
            except LedgerError as error:
                # Books go on in memory so that screens stay true; nothing new may be sent. What could not
                # be written is tried again before the next fact, so that the journal never has a gap.
                self._on_fault(f"the fact journal cannot be written: {error}")
                return
            self._unwritten.popleft()
            self._next_seq += 1
