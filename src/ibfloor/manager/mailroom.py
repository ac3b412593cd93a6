"""Mailroom: which worker gets the notices of which strategy. Owner: the MessageQueue's thread."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from ibfloor.manager.floor_state import Applied, FloorState
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.notice import Homecoming, Notice, homecoming, notice_of
from ibfloor.model.entry import BookEntry
from ibfloor.model.ids import StrategyId


class NoticeBox(Protocol):
    """Where a worker gets its notices."""

    def put(self, value: Notice, /) -> bool:
        """Take a notice from any thread; never blocks."""


class Mailroom:
    """Delivers every fact of a strategy to its worker, from the moment it enrolled."""

    def __init__(self, state: FloorState, queue: MessageQueue) -> None:
        self._state = state
        self._queue = queue
        self._boxes: dict[StrategyId, NoticeBox] = {}

    def observe(self, applied: Applied) -> None:
        """Deliver a fact to the strategy it concerns, a book entry to all whose books it touches."""
        if isinstance(applied.fact, BookEntry):
            for strategy in sorted(applied.fact.strategies):
                self._deliver(applied, strategy)
        elif applied.strategy is not None:
            self._deliver(applied, applied.strategy)

    def _deliver(self, applied: Applied, strategy: StrategyId) -> None:
        if (box := self._boxes.get(strategy)) is not None:
            box.put(notice_of(applied, self._state, strategy))

    def enroll(self, strategy: StrategyId, client_id: int, box: NoticeBox) -> Future[Homecoming]:
        """Return where the strategy stands, and deliver every later fact: nothing missed, nothing twice."""

        def on_queue(state: FloorState) -> Homecoming:
            self._boxes[strategy] = box
            return homecoming(state, strategy, client_id)

        return self._queue.ask(on_queue)

    def leave(self, strategy: StrategyId, box: NoticeBox) -> None:
        """Stop delivering to a box; from any thread."""

        def on_queue(state: FloorState) -> None:
            if self._boxes.get(strategy) is box:
                del self._boxes[strategy]

        self._queue.ask(on_queue)
