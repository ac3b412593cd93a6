"""IB's limits, kept: messages per second and historical data."""

from __future__ import annotations

import asyncio

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
    share = {Urgency.ORDER: 30, Urgency.REQUEST: 20, Urgency.CANCEL: 40}
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
