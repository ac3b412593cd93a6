from __future__ import annotations

from threading import Barrier, Thread
from typing import Any

from ibfloor.manager.floor_state import Applied, FloorState
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.model.errors import LedgerError
from ibfloor.model.fact import AnyFact, OrderSubmitted, SessionChanged, SessionState
from ibfloor.model.ids import InstrumentId
from ibfloor.model.order import OrdStatus

SPY = InstrumentId(756733)


class ListJournal:
    def __init__(self, *, is_broken: bool = False) -> None:
        self.records: list[tuple[int, AnyFact]] = []
        self.is_broken = is_broken

    def append(self, fact: AnyFact, seq: int) -> None:
        if self.is_broken:
            raise LedgerError("no space left")
        self.records.append((seq, fact))


class Rig:
    """A running queue with a journal in memory."""

    def __init__(self, *, is_broken: bool = False, capacity: int = 1000) -> None:
        self.journal = ListJournal(is_broken=is_broken)
        self.faults: list[str] = []
        self.troubles: list[tuple[str, str | None]] = []
        self.applied: list[Applied] = []
        self.queue = MessageQueue(
            FloorState(),
            self.journal,
            next_seq=7,
            on_fault=self.faults.append,
            capacity=capacity,
            on_trouble=self.take_trouble,
        )
        self.queue.observe(self.applied.append)

    def take_trouble(self, name: str, text: str | None) -> None:
        self.troubles.append((name, text))

    def __enter__(self) -> Rig:
        self.queue.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.queue.stop()

    def settle(self) -> None:
        self.queue.ask(lambda state: None).result(30)


def test_facts_are_journaled_in_order_before_observers_see_them(facts: Any) -> None:
    with Rig() as rig:
        rig.queue.put(facts.submitted(facts.request()))
        rig.queue.put(facts.filled())
        rig.settle()
        assert [seq for seq, _ in rig.journal.records] == [7, 8]
        assert [applied.fact for applied in rig.applied] == [fact for _, fact in rig.journal.records]
        assert rig.applied[1].order is not None
        assert rig.applied[1].order.status is OrdStatus.FILLED


def test_the_same_execution_by_two_sessions_is_booked_and_journaled_once(facts: Any) -> None:
    with Rig() as rig:
        rig.queue.put(facts.submitted(facts.request()))
        rig.queue.put(facts.filled())
        rig.queue.put(facts.filled())
        total = rig.queue.ask(lambda state: state.books.position_total(SPY)).result(30)
        assert total == 100
        assert len(rig.journal.records) == 2


def test_a_session_coming_and_going_is_seen_but_not_journaled() -> None:
    with Rig() as rig:
        rig.queue.put(
            SessionChanged(ts_event_ns=1, ts_init_ns=1, session="master", client_id=0, state=SessionState.CONNECTED)
        )
        rig.settle()
        assert len(rig.applied) == 1
        assert rig.journal.records == []


def test_a_journal_that_fails_is_a_fault_and_the_books_go_on(facts: Any) -> None:
    with Rig(is_broken=True) as rig:
        rig.queue.put(facts.submitted(facts.request()))
        rig.queue.put(facts.filled())
        total = rig.queue.ask(lambda state: state.books.position_total(SPY)).result(30)
        assert total == 100
        assert rig.troubles[0][0] == "journal"
        assert "no space left" in str(rig.troubles[0][1])


def test_facts_a_full_disk_refused_are_journaled_later_without_a_gap(facts: Any) -> None:
    with Rig(is_broken=True) as rig:
        rig.queue.put(facts.submitted(facts.request(1), order_id=1))
        rig.queue.put(facts.submitted(facts.request(2), order_id=2))
        rig.settle()
        assert rig.journal.records == []
        rig.journal.is_broken = False
        rig.queue.put(facts.submitted(facts.request(3), order_id=3))
        rig.settle()
        told = [(seq, fact.order_id) for seq, fact in rig.journal.records if isinstance(fact, OrderSubmitted)]
        assert told == [(7, 1), (8, 2), (9, 3)]


def test_a_fact_that_cannot_be_applied_shuts_the_gate_and_the_queue_lives_on(facts: Any) -> None:
    rig = Rig()

    def breaks(applied: Applied) -> None:
        if isinstance(applied.fact, OrderSubmitted) and applied.fact.order_id == 1:
            raise OSError("bad file descriptor")

    rig.queue.observe(breaks)
    with rig:
        rig.queue.put(facts.submitted(facts.request(1), order_id=1))
        rig.queue.put(facts.submitted(facts.request(2), order_id=2))
        rig.settle()
        assert len(rig.journal.records) == 2
        assert "bad file descriptor" in rig.faults[0]


def test_an_asker_that_left_does_no_harm(facts: Any) -> None:
    rig = Rig()
    abandoned = rig.queue.ask(lambda state: 1)
    abandoned.cancel()
    with rig:
        rig.queue.put(facts.submitted(facts.request()))
        rig.settle()
        assert len(rig.journal.records) == 1
        assert rig.faults == []


def test_an_overfull_queue_is_a_fault_and_loses_nothing(facts: Any) -> None:
    rig = Rig(capacity=3)
    for number in range(1, 11):
        rig.queue.put(facts.submitted(facts.request(number), order_id=number))
    with rig:
        rig.settle()
        assert [(name, text is None) for name, text in rig.troubles] == [("backlog", False), ("backlog", True)]
        assert len(rig.journal.records) == 10


def test_facts_of_many_threads_keep_each_threads_order(facts: Any) -> None:
    barrier = Barrier(4)

    def send(first: int) -> None:
        barrier.wait()
        for number in range(first, first + 50):
            rig.queue.put(facts.submitted(facts.request(number), order_id=number))

    with Rig() as rig:
        threads = [Thread(target=send, args=(first,)) for first in (1000, 2000, 3000, 4000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rig.settle()
        order_ids = [fact.order_id for _, fact in rig.journal.records if isinstance(fact, OrderSubmitted)]
        assert len(order_ids) == 200
        for first in (1000, 2000, 3000, 4000):
            own = [number for number in order_ids if first <= number < first + 50]
            assert own == sorted(own)


def test_a_question_that_raises_answers_with_the_error_and_the_queue_lives_on(facts: Any) -> None:
    with Rig() as rig:
        broken = rig.queue.ask(lambda state: 1 / 0)
        assert isinstance(broken.exception(5), ZeroDivisionError)
        rig.queue.put(facts.submitted(facts.request()))
        rig.settle()
        assert len(rig.journal.records) == 1


def test_a_disk_that_takes_facts_again_is_told_when_all_are_on_it_though_no_fact_comes(facts: Any) -> None:
    with Rig(is_broken=True) as rig:
        rig.queue.put(facts.submitted(facts.request(1), order_id=1))
        rig.queue.put(facts.submitted(facts.request(2), order_id=2))
        rig.settle()
        rig.queue.write_again()
        rig.settle()
        assert all(text is not None for _, text in rig.troubles)
        rig.journal.is_broken = False
        rig.queue.write_again()
        rig.settle()
        assert rig.troubles[-1] == ("journal", None)
        assert [seq for seq, _ in rig.journal.records] == [7, 8]
        told = len(rig.troubles)
        rig.queue.write_again()
        rig.settle()
        assert len(rig.troubles) == told


def test_an_observer_that_raises_keeps_the_fact_from_no_other(facts: Any) -> None:
    rig = Rig()
    later: list[Applied] = []

    def breaks(applied: Applied) -> None:
        raise OSError("bad file descriptor")

    rig.queue.observe(breaks, later.append)
    with rig:
        rig.queue.put(facts.submitted(facts.request()))
        rig.settle()
        assert len(later) == 1
        assert "bad file descriptor" in rig.faults[0]
