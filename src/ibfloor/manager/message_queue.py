"""MessageQueue: the floor's one ordered stream of facts, and the thread that applies them.

Get a fact, apply it, publish what changed: this loop is the middle of the floor.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Protocol, TypeVar

from ibfloor.manager.floor_state import Applied, FloorState
from ibfloor.model.errors import LedgerError
from ibfloor.model.fact import AnyFact, Fact, SessionChanged

T = TypeVar("T")
Observer = Callable[[Applied], None]
_Work = Callable[[], None]


class FactJournal(Protocol):
    """The ordered journal: the truth that every book can be rebuilt from."""

    def append(self, fact: AnyFact, seq: int) -> None:
        """Put the fact on disk under its sequence number."""


class MessageQueue:
    """Facts in from any thread; applied, journaled and published by one thread, in order.

    The queue never blocks a sender and never drops a fact. Holding more than ``capacity`` facts is
    a fault: ``on_fault`` is called once (it shuts the gate), and facts are still taken. The
    processing thread owns the ``FloorState``; others see it through ``ask`` and the observers.
    """

    def __init__(
        self,
        state: FloorState,
        journal: FactJournal,
        *,
        next_seq: int,
        on_fault: Callable[[str], None],
        capacity: int = 100_000,
    ) -> None:
        self._state = state
        self._journal = journal
        self._next_seq = next_seq
        self._on_fault = on_fault
        self._capacity = capacity
        self._incoming: SimpleQueue[AnyFact | _Work | None] = SimpleQueue()
        self._observers: list[Observer] = []
        self._thread = Thread(target=self._run, name="message-queue")

    @property
    def depth(self) -> int:
        """Return how many facts wait."""
        return self._incoming.qsize()

    def observe(self, observer: Observer) -> None:
        """Call an observer with every applied fact, on the processing thread; before ``start``."""
        self._observers.append(observer)

    def start(self) -> None:
        """Start the processing thread."""
        self._thread.start()

    def stop(self) -> None:
        """Apply what was put so far, then end the thread."""
        self._incoming.put(None)
        self._thread.join()

    def put(self, fact: AnyFact) -> None:
        """Take a fact from any thread."""
        if self._incoming.qsize() == self._capacity:
            self._on_fault(f"the message queue holds {self._capacity} facts: the floor cannot keep up")
        self._incoming.put(fact)

    def ask(self, question: Callable[[FloorState], T]) -> Future[T]:
        """Answer a question about the state on its own thread, after all facts put before."""
        answer: Future[T] = Future()

        def work() -> None:
            try:
                answer.set_result(question(self._state))
            except Exception as error:  # noqa: BLE001 - carried to the asker, not swallowed
                answer.set_exception(error)

        self._incoming.put(work)
        return answer

    def _run(self) -> None:
        try:
            self._apply_until_stopped()
        except BaseException as error:
            self._on_fault(f"the message queue died of a bug: {error!r}")
            raise

    def _apply_until_stopped(self) -> None:
        while (item := self._incoming.get()) is not None:
            if isinstance(item, Fact):
                self._process(item)
            else:
                item()

    def _process(self, fact: AnyFact) -> None:
        if not self._state.is_news(fact):
            return
        if not isinstance(fact, SessionChanged):  # a link's ups and downs are for the log, not for the books
            self._write(fact)
        applied = self._state.apply(fact)
        for observer in self._observers:
            observer(applied)

    def _write(self, fact: AnyFact) -> None:
        try:
            self._journal.append(fact, self._next_seq)
        except LedgerError as error:
            # Books go on in memory so that screens stay true; nothing new may be sent.
            self._on_fault(f"the fact journal cannot be written: {error}")
        self._next_seq += 1
