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
OnTrouble = Callable[[str, str | None], None]
_Work = Callable[[], None]


class FactJournal(Protocol):
    """The ordered journal: the truth that every book can be rebuilt from."""

    def append(self, fact: AnyFact, seq: int) -> None:
        """Put the fact on disk under its sequence number."""


class MessageQueue:
    """Facts in from any thread; applied, journaled and published by one thread, in order.

    The queue never blocks a sender and never drops a fact: the bound is a fault line, not a wall.
    ``on_trouble`` is told by name what stands in the way, and ``None`` when it has passed: "backlog"
    while more than ``capacity`` facts wait, "journal" while what happened is not on disk. ``on_fault``
    is told what only a restart mends. The processing thread owns the ``FloorState``; others see it
    through ``ask`` and the observers.
    """

    def __init__(
        self,
        state: FloorState,
        journal: FactJournal,
        *,
        next_seq: int,
        on_fault: Callable[[str], None],
        on_trouble: OnTrouble | None = None,
        capacity: int = 100_000,
        line: Line | None = None,
    ) -> None:
        self._state = state
        self._journal = journal
        self._next_seq = next_seq
        self._on_fault = on_fault
        self._on_trouble = on_trouble or (lambda _, text: None if text is None else on_fault(text))
        self._capacity = capacity
        self._is_stuck = False
        self._incoming = ThreadLine("message-queue") if line is None else line
        self._observers: list[Observer] = []
        self._unwritten: deque[AnyFact] = deque()
        self._is_overfull = False

    @property
    def depth(self) -> int:
        """Return how many facts wait."""
        return self._incoming.depth

    def observe(self, *observers: Observer) -> None:
        """Call observers with every applied fact, in this order, on the processing thread; before ``start``."""
        self._observers += observers

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
            self._on_trouble("backlog", f"the message queue holds {self._capacity} facts: the floor cannot keep up")
        self._incoming.put(fact)

    def write_again(self) -> None:
        """Try once more to write what the disk did not take, also when no fact comes; from any thread."""
        if self._is_stuck:
            self._incoming.put(self._write_all)

    def ask(self, question: Callable[[FloorState], T]) -> Future[T]:
        """Answer a question about the state on its own thread, after all facts put before."""
        answer: Future[T] = Future()

        self._incoming.put(lambda: respond(answer, lambda: question(self._state)))
        return answer

    def decide(self, question: Callable[[FloorState], tuple[T, AnyFact | None]]) -> Future[T]:
        """Answer a question and apply the fact it comes to in one step: no other fact gets between.

        The answer fails with ``LedgerError`` while the journal takes nothing.
        """
        answer: Future[T] = Future()
        self._incoming.put(lambda: respond(answer, lambda: self._decide(question)))
        return answer

    def _decide(self, question: Callable[[FloorState], tuple[T, AnyFact | None]]) -> T:
        if self._is_stuck:
            raise LedgerError("the fact journal cannot be written: nothing was booked")
        found, fact = question(self._state)
        if fact is not None:
            self._take(fact)
        return found

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
        if self._is_overfull and self.depth <= self._capacity // 2:
            self._is_overfull = False
            self._on_trouble("backlog", None)
        fact = self._state.attributed(fact)
        if not self._state.is_news(fact):
            return
        if not isinstance(fact, SessionChanged):  # a link's ups and downs are for the log, not for the books
            self._write(fact)
        applied = self._state.apply(fact)
        if IS_ARMED:
            reach(f"{place}.applied")
        failure: Exception | None = None
        for observer in self._observers:
            try:
                observer(applied)
            except Exception as error:  # the others must hear of it all the same
                log.exception("a fact could not be told", fact=fact)
                failure = failure or error
        if IS_ARMED:
            reach(f"{place}.delivered")
        if failure is not None:
            self._on_fault(f"a fact could not be told to all who need it: {failure!r}")

    def _write(self, fact: AnyFact) -> None:
        self._unwritten.append(fact)
        self._write_all()

    def _write_all(self) -> None:
        was_stuck = self._is_stuck
        while self._unwritten:
            try:
                self._journal.append(self._unwritten[0], self._next_seq)
            except LedgerError as error:
                # Books go on in memory so that screens stay true; nothing new may be sent. What could not
                # be written is tried again, before the next fact and by ``write_again``: never a gap.
                self._is_stuck = True
                self._on_trouble("journal", f"the fact journal cannot be written: {error}")
                return
            self._unwritten.popleft()
            self._next_seq += 1
        self._is_stuck = False
        if was_stuck:
            self._on_trouble("journal", None)
