"""Children of a parent, and groups of which one fill ends or reduces the rest."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ibfloor.model.order import OrdType, Side
from ibfloor.sim.exchange.engine import CANCELED, OCA_FILLED, PARENT_GONE, Exchange
from ibfloor.sim.exchange.values import Activated, Hold, Oca, OcaKind, Peg, Resized

LIMIT, STOP = OrdType.LIMIT, OrdType.STOP


def bracket(pit: Any, qty: int = 100, entry: str = "9.98") -> list[Any]:
    pair = Oca(group="1", kind=OcaKind.REDUCE)
    events = pit.place(1, Side.BUY, qty, LIMIT, limit_px=entry)
    events += pit.place(2, Side.SELL, qty, LIMIT, limit_px="10.50", parent_key=1, oca=pair)
    events += pit.place(3, Side.SELL, qty, STOP, stop_px="9.50", parent_key=1, oca=pair)
    return list(events)


def sizes(events: list[Any]) -> list[tuple[int, int]]:
    return [(event.key, int(event.qty)) for event in events if isinstance(event, Resized)]


def test_children_are_held_until_the_parent_trades(pit: Any) -> None:
    events = bracket(pit)
    assert [event.held_by for event in events] == [(), (Hold.PARENT,), (Hold.PARENT, Hold.TRIGGER)]
    assert pit.fills(pit.print("10.60", 500)) == []
    events = pit.print("9.97", 500)
    assert pit.fills(events) == [(1, 100, "9.98")]
    assert [event.key for event in events if isinstance(event, Activated)] == [2, 3]
    assert pit.fills(pit.print("10.60", 500)) == [(2, 100, "10.50")]


def test_children_trade_no_more_than_the_parent_has(pit: Any) -> None:
    bracket(pit)
    pit.print("9.97", 40)
    events = pit.print("10.60", 500)
    assert pit.fills(events) == [(2, 40, "10.50")]
    assert sizes(events) == [(3, 60)]
    events = pit.print("9.40", 1)  # the parent buys one more and the stop is triggered
    assert pit.fills(events) == [(1, 1, "9.98"), (3, 1, "10.00")]
    events = pit.top("9.38", "9.40")
    assert pit.fills(events) == [(1, 59, "9.98"), (3, 59, "9.38")]
    assert pit.exchange.live_keys() == []


def test_full_take_profit_ends_the_stop(pit: Any) -> None:
    bracket(pit)
    pit.print("9.97", 500)
    events = pit.print("10.60", 500)
    assert pit.ended(events) == [(3, OCA_FILLED)]
    assert pit.exchange.live_keys() == []


def test_children_end_with_an_unfilled_parent(pit: Any) -> None:
    bracket(pit)
    assert pit.ended(pit.exchange.cancel(1, 9)) == [(1, CANCELED), (2, PARENT_GONE), (3, PARENT_GONE)]
    assert pit.exchange.live_keys() == []


def test_children_of_a_partly_filled_parent_stay_to_protect_what_it_bought(pit: Any) -> None:
    bracket(pit)
    pit.print("9.97", 40)
    events = pit.exchange.cancel(1, 9)
    assert pit.ended(events) == [(1, CANCELED)]
    assert sizes(events) == [(2, 40), (3, 40)]
    events = pit.print("9.40", 1)
    assert pit.fills(events) == [(3, 40, "10.00")]
    assert pit.ended(events) == [(2, OCA_FILLED)]


def test_child_of_a_parent_that_has_traded_works_at_once(pit: Any) -> None:
    pit.place(1, Side.BUY, 150, LIMIT, limit_px="10.02")
    events = pit.place(2, Side.SELL, 150, LIMIT, limit_px="10.00", parent_key=1)
    assert pit.fills(events) == [(2, 100, "10.00")]


def test_grandchildren_follow_their_own_parent(pit: Any) -> None:
    pit.place(1, Side.BUY, 10, LIMIT, limit_px="9.00")
    pit.place(2, Side.SELL, 10, LIMIT, limit_px="10.50", parent_key=1)
    pit.place(3, Side.BUY, 10, LIMIT, limit_px="9.00", parent_key=2)
    assert [key for key, _ in pit.ended(pit.exchange.cancel(1, 9))] == [1, 2, 3]


def group(pit: Any, kind: OcaKind, first: int = 100, second: int = 100) -> None:
    oca = Oca(group="g", kind=kind)
    pit.place(1, Side.BUY, first, LIMIT, limit_px="9.98", oca=oca)
    pit.place(2, Side.BUY, second, LIMIT, limit_px="9.97", oca=oca)


def test_first_fill_of_a_canceling_group_ends_the_others_within_the_same_print(pit: Any) -> None:
    group(pit, OcaKind.CANCEL)
    events = pit.print("9.96", 130)
    assert pit.fills(events) == [(1, 100, "9.98")]
    assert pit.ended(events) == [(2, OCA_FILLED)]


def test_partial_fill_of_a_canceling_group_ends_the_others_too(pit: Any) -> None:
    group(pit, OcaKind.CANCEL)
    assert pit.ended(pit.print("9.96", 30)) == [(2, OCA_FILLED)]
    assert pit.fills(pit.print("9.96", 500)) == [(1, 70, "9.98")]


def test_reducing_group_with_block_never_trades_too_much(pit: Any) -> None:
    group(pit, OcaKind.REDUCE_BLOCKED)
    events = pit.print("9.96", 30)
    assert (pit.fills(events), sizes(events)) == ([(1, 30, "9.98")], [(2, 70)])
    assert pit.fills(pit.print("9.96", 500)) == [(1, 70, "9.98")]
    assert pit.exchange.live_keys() == []


def test_reducing_group_without_block_may_trade_twice_in_one_tick(pit: Any) -> None:
    group(pit, OcaKind.REDUCE)
    events = pit.print("9.96", 150)
    assert pit.fills(events) == [(1, 100, "9.98"), (2, 50, "9.97")]
    assert pit.ended(events) == [(2, OCA_FILLED)]


@pytest.mark.parametrize(("fills", "left"), [((1,), 100), ((1, 1), 100), ((3,), 99), ((150,), 50), ((299,), 1)])
def test_members_of_different_sizes_are_reduced_in_proportion(pit: Any, fills: tuple[int, ...], left: int) -> None:
    group(pit, OcaKind.REDUCE_BLOCKED, first=300, second=100)
    totals = [100]
    for qty in fills:
        totals += [total for _, total in sizes(pit.print("9.97", qty))]
    assert totals[-1] == left


def test_order_that_another_pegged_orders_fill_ended_stays_ended(pit: Any) -> None:
    pit.exchange = Exchange()  # both wait for a first quote, which reaches both
    oca = Oca(group="g", kind=OcaKind.CANCEL)
    for key in (1, 2):
        pit.place(key, Side.BUY, 10, LIMIT, peg=Peg(offset=Decimal("0.05")), oca=oca)
    events = pit.top("10.00", "10.02")
    assert pit.fills(events) == [(1, 10, "10.02")]
    assert pit.ended(events) == [(2, OCA_FILLED)]
    assert pit.fills(pit.top("10.00", "10.02")) == []
    assert pit.exchange.live_keys() == []
