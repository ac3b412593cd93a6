"""IB's limits, kept: messages per second and historical data."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibfloor.broker.ib.pacing import HistoryPacer, MessageBudget, Outbox, Urgency


class Wall:
    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


@given(st.lists(st.tuples(st.sampled_from(list(Urgency)), st.floats(0, 0.2)), max_size=300))
def test_no_second_ever_holds_more_messages_than_allowed(asked: list[tuple[Urgency, float]]) -> None:
    wall = Wall()
    budget = MessageBudget(40, 10, wall)
    sent: list[tuple[float, Urgency]] = []
    for urgency, pause_s in asked:
        wall.s += pause_s
        if budget.take(urgency) == 0.0:
            sent.append((wall.s, urgency))
    for at, _ in sent:
        window = [urgency for when, urgency in sent if at <= when < at + 1.0]
        assert len(window) <= 40
    # what is reserved stays free: at any send of theirs fewer than their share had gone in the second before
    share = {Urgency.ORDER: 30, Urgency.REQUEST: 30, Urgency.CANCEL: 40}
    for index, (at, urgency) in enumerate(sent):
        assert sum(1 for when, _ in sent[:index] if at - when < 1.0) < share[urgency]


def test_cancels_go_when_nothing_else_may() -> None:
    wall = Wall()
    budget = MessageBudget(40, 10, wall)
    assert [budget.take(Urgency.REQUEST) for _ in range(20)] == [0.0] * 20
    assert budget.take(Urgency.REQUEST) > 0
    assert [budget.take(Urgency.ORDER) for _ in range(10)] == [0.0] * 10
    assert budget.take(Urgency.ORDER) > 0
    assert [budget.take(Urgency.CANCEL) for _ in range(10)] == [0.0] * 10
    assert budget.take(Urgency.CANCEL) > 0
    wall.s += 1.0
    assert budget.take(Urgency.ORDER) == 0.0


def test_the_wait_told_is_enough() -> None:
    wall = Wall()
    budget = MessageBudget(10, 4, wall)
    while (wait_s := budget.take(Urgency.ORDER)) == 0.0:
        wall.s += 0.01
    wall.s += wait_s
    assert budget.take(Urgency.ORDER) == 0.0


class Sender:
    """One session with messages that wait; it asks again when it was told to."""

    def __init__(self, budget: MessageBudget, name: str, urgency: Urgency) -> None:
        self.budget, self.name, self.urgency = budget, name, urgency
        self.waiting: list[float] = []
        self.waits_s: list[float] = []
        self.ask_s = 0.0

    def turn(self, now_s: float) -> None:
        while self.waiting and now_s >= self.ask_s:
            wait_s = self.budget.take(self.urgency, self.name)
            if wait_s:
                self.ask_s = now_s + wait_s
            else:
                self.waits_s.append(now_s - self.waiting.pop(0))


def contend(senders: list[tuple[Sender, float, int]], wall: Wall, for_s: float) -> None:
    """Let senders get new messages every so often, so many at once; the first always asks first."""
    due = {sender.name: wall.s for sender, _, _ in senders}
    end_s = wall.s + for_s
    while wall.s < end_s:
        for sender, every_s, count in senders:
            while due[sender.name] <= wall.s:
                sender.waiting += [wall.s] * count
                due[sender.name] += every_s
            sender.turn(wall.s)
        wall.s += 0.001


@pytest.mark.parametrize(("urgency", "most_s"), [(Urgency.ORDER, 0.01), (Urgency.REQUEST, 1.01)])
def test_session_that_floods_the_budget_leaves_others_their_share(urgency: Urgency, most_s: float) -> None:
    wall = Wall()
    budget = MessageBudget(40, 10, wall)
    flood, quiet, other = (Sender(budget, name, urgency) for name in ("flood", "quiet", "other"))
    contend([(flood, 0.1, 50), (quiet, 0.5, 1), (other, 0.4, 1)], wall, 6.0)
    assert max(quiet.waits_s + other.waits_s) < most_s
    assert len(quiet.waits_s) >= 10
    assert len(flood.waits_s) > 60, "what they leave is the flood's"


def test_flood_of_orders_leaves_requests_their_share_and_a_flood_of_requests_leaves_orders_theirs() -> None:
    for flooding, asking in ((Urgency.ORDER, Urgency.REQUEST), (Urgency.REQUEST, Urgency.ORDER)):
        wall = Wall()
        budget = MessageBudget(40, 10, wall)
        flood, master = Sender(budget, "flood", flooding), Sender(budget, "master", asking)
        contend([(flood, 0.1, 50), (master, 1.0, 5)], wall, 6.0)
        assert len(master.waits_s) >= 25
        assert max(master.waits_s) < 1.01


def test_two_that_flood_share_alike_and_one_that_has_gone_is_not_waited_for() -> None:
    wall = Wall()
    budget = MessageBudget(40, 10, wall)
    one, two = Sender(budget, "one", Urgency.ORDER), Sender(budget, "two", Urgency.ORDER)
    contend([(one, 0.1, 50), (two, 0.1, 50)], wall, 5.0)
    assert abs(len(one.waits_s) - len(two.waits_s)) <= 20, "the first second was one's alone"
    budget.leave("two")
    sent = len(one.waits_s)
    contend([(one, 0.1, 50)], wall, 2.0)
    assert len(one.waits_s) - sent >= 45


def test_no_limit_means_no_limit() -> None:
    budget = MessageBudget(0)
    assert {budget.take(Urgency.REQUEST) for _ in range(1000)} == {0.0}


def test_outbox_is_cancels_first_and_fair_among_equals() -> None:
    box = Outbox()
    box.push(Urgency.REQUEST, b"r1", 0)
    box.push(Urgency.ORDER, b"o1", 1)
    box.push(Urgency.CANCEL, b"c1", 0)
    box.push(Urgency.ORDER, b"o2", 2)
    assert box.head() is Urgency.CANCEL
    assert [box.pop() for _ in range(2)] == [b"c1", b"o1"]
    assert box.drain() == [(Urgency.ORDER, 2), (Urgency.REQUEST, 0)]
    assert not box


def test_same_history_request_waits_fifteen_seconds() -> None:
    async def test() -> None:
        wall = Wall()
        pacer = HistoryPacer(wall)
        async with pacer.slot(("spy", "1 D"), ("spy",), is_small_bar=False):
            pass
        assert pacer.wait_s(("spy", "1 D"), ("spy",), is_small_bar=False) == 15.0
        assert pacer.wait_s(("spy", "2 D"), ("spy",), is_small_bar=False) == 0.0
        wall.s += 15.0
        assert pacer.wait_s(("spy", "1 D"), ("spy",), is_small_bar=False) == 0.0

    asyncio.run(test())


def test_sixth_request_for_one_contract_within_two_seconds_waits() -> None:
    async def test() -> None:
        wall = Wall()
        pacer = HistoryPacer(wall)
        for number in range(5):
            async with pacer.slot((number,), ("spy", "TRADES"), is_small_bar=False):
                pass
        assert pacer.wait_s((9,), ("spy", "TRADES"), is_small_bar=False) == 2.0
        assert pacer.wait_s((9,), ("bac", "TRADES"), is_small_bar=False) == 0.0

    asyncio.run(test())


def test_small_bars_keep_to_sixty_in_ten_minutes_and_bid_ask_counts_twice() -> None:
    async def test() -> None:
        wall = Wall()
        pacer = HistoryPacer(wall)
        for number in range(59):
            wall.s += 1
            async with pacer.slot((number,), (number,), is_small_bar=True):
                pass
        assert pacer.wait_s(("x",), ("x",), is_small_bar=True) == 0.0
        assert pacer.wait_s(("x",), ("x",), is_small_bar=True, weight=2) > 500
        assert pacer.wait_s(("x",), ("x",), is_small_bar=False) == 0.0

    asyncio.run(test())
