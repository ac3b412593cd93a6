"""Pegs of every kind, discretion, icebergs, hidden orders, scales, conditions, hedges: one by one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ibfloor.model.order import OrdType, Side
from ibfloor.sim.exchange.engine import Exchange
from ibfloor.sim.exchange.values import Auction, Hold, Moved, Peg, PegMoves, PegTo, Rung, Working

CENT = Decimal("0.01")
LIMIT = OrdType.LIMIT


def limits(events: list[Any]) -> list[str]:
    return [str(event.limit_px) for event in events if isinstance(event, Moved)]


@pytest.mark.parametrize(
    ("side", "to", "offset", "expected"),
    [
        (Side.BUY, PegTo.OWN, "0.01", "10.01"),
        (Side.BUY, PegTo.OPPOSITE, "0.01", "10.05"),
        (Side.BUY, PegTo.MIDDLE, "0.01", "10.02"),
        (Side.SELL, PegTo.OWN, "0.01", "10.05"),
        (Side.SELL, PegTo.OPPOSITE, "0.01", "10.01"),
        (Side.SELL, PegTo.MIDDLE, "0.01", "10.04"),
    ],
)
def test_a_peg_is_measured_from_its_own_the_other_side_or_the_middle(
    pit: Any, side: Side, to: PegTo, offset: str, expected: str
) -> None:
    pit.top("10.00", "10.06")
    events = pit.place(1, side, 10, LIMIT, peg=Peg(offset=Decimal(offset), to=to), grid=CENT)
    assert limits(events) == [expected]


def test_a_peg_to_the_middle_goes_both_ways_up_to_its_cap_and_rounds_towards_its_own_side(pit: Any) -> None:
    peg = Peg(to=PegTo.MIDDLE, moves=PegMoves.BOTH)
    assert limits(pit.place(1, Side.BUY, 10, LIMIT, limit_px="10.05", peg=peg, grid=CENT)) == ["10.01"]
    assert limits(pit.top("10.02", "10.06")) == ["10.04"]
    assert limits(pit.top("10.00", "10.03")) == ["10.01"]
    assert limits(pit.top("10.10", "10.20")) == ["10.05"]


def test_a_snap_is_priced_once(pit: Any) -> None:
    peg = Peg(to=PegTo.OPPOSITE, moves=PegMoves.ONCE)
    pit.place(1, Side.BUY, 150, LIMIT, peg=peg, grid=CENT)
    assert limits(pit.top("10.05", "10.07")) == []
    assert pit.fills(pit.top("10.00", "10.02")) == [(1, 50, "10.02")]


def test_discretion_takes_a_price_beyond_the_limit_but_rests_at_it(pit: Any) -> None:
    order = {"limit_px": "10.00", "discretion": CENT}
    assert pit.fills(pit.place(1, Side.BUY, 150, LIMIT, **order)) == []
    assert pit.fills(pit.top("10.00", "10.01", 60)) == [(1, 60, "10.01")]
    assert pit.fills(pit.print("10.01", 500)) == []
    assert pit.fills(pit.print("9.99", 500)) == [(1, 90, "10.00")]


def test_each_part_of_an_iceberg_queues_anew(pit: Any) -> None:
    pit.top("10.00", "10.02", 40)
    pit.place(1, Side.BUY, 100, LIMIT, limit_px="10.00", display_qty=Decimal(30))
    assert pit.fills(pit.print("10.00", 100)) == [(1, 30, "10.00")]  # 40 before us, then what was shown
    assert pit.fills(pit.print("10.00", 50)) == [(1, 10, "10.00")]
    assert pit.fills(pit.print("10.00", 50)) == [(1, 20, "10.00")]  # the rest of that part
    assert pit.fills(pit.top("9.98", "10.00", 500)) == [(1, 40, "10.00")]  # whoever comes to us gets all


def test_a_plain_order_in_the_place_of_the_iceberg_gets_more(pit: Any) -> None:
    pit.top("10.00", "10.02", 40)
    pit.place(1, Side.BUY, 100, LIMIT, limit_px="10.00")
    assert pit.fills(pit.print("10.00", 100)) == [(1, 60, "10.00")]


def test_a_hidden_order_trades_after_everything_that_is_displayed(pit: Any) -> None:
    pit.top("10.00", "10.02", 40)
    pit.place(1, Side.BUY, 100, LIMIT, limit_px="10.00", is_hidden=True)
    assert pit.fills(pit.print("10.00", 40)) == []
    assert pit.fills(pit.print("10.00", 40)) == []  # no queue that would grow shorter
    assert pit.fills(pit.print("10.00", 100)) == [(1, 60, "10.00")]


def test_a_scale_works_one_component_after_the_other_each_at_a_lower_price(pit: Any) -> None:
    rungs = tuple(Rung(Decimal(upto), Decimal(px)) for upto, px in ((50, "10.00"), (80, "9.90"), (100, "9.80")))
    (working,) = pit.place(1, Side.BUY, 100, LIMIT, limit_px="10.00", rungs=rungs)
    assert isinstance(working, Working)
    first = pit.top("9.98", "10.00", 500)
    assert (pit.fills(first), limits(first)) == ([(1, 50, "10.00")], ["9.90"])
    assert pit.fills(pit.top("9.89", "9.91", 500)) == []
    both = pit.top("9.70", "9.75", 500)  # through two components at once
    assert pit.fills(both) == [(1, 30, "9.90"), (1, 20, "9.75")]
    assert pit.exchange.live_keys() == []


def test_a_conditional_order_waits_until_it_is_released(pit: Any) -> None:
    (working,) = pit.place(1, Side.BUY, 10, is_conditional=True)
    assert working.held_by == (Hold.CONDITION,)
    assert pit.top("10.00", "10.01") == []
    assert pit.fills(pit.exchange.release(1, pit.now_ns)) == [(1, 10, "10.01")]
    assert pit.exchange.release(1, pit.now_ns) == []


def test_a_condition_in_a_group_ends_with_the_group_and_children_wait_for_both(pit: Any) -> None:
    pit.place(1, Side.BUY, 10, LIMIT, limit_px="9.00")
    pit.place(2, Side.SELL, 10, parent_key=1, is_conditional=True)
    assert pit.exchange.release(2, pit.now_ns) == []
    assert pit.fills(pit.top("8.98", "9.00")) == [(1, 10, "9.00"), (2, 10, "8.98")]


def test_a_hedge_is_released_in_proportion_to_its_parents_fills(pit: Any) -> None:
    pit.place(1, Side.BUY, 100, LIMIT, limit_px="9.99")
    pit.place(2, Side.SELL, 40, parent_key=1, per_parent=Decimal("0.4"))
    assert pit.fills(pit.top("9.97", "9.99", 24)) == [(1, 24, "9.99"), (2, 9, "9.97")]
    ended = pit.exchange.cancel(1, pit.now_ns)
    assert pit.exchange.live_keys() == []  # what the fills asked for has been traded
    assert [type(event).__name__ for event in ended] == ["Gone", "Gone"]


def test_a_pause_at_noon_is_no_closing_auction(pit: Any) -> None:
    paused = [False]
    pit.exchange = Exchange(lambda _key, _ts: pit.is_regular, lambda _key, _ts: paused[0])
    pit.print("10.00")
    pit.place(1, Side.BUY, 10, auction=Auction.CLOSE)
    pit.is_regular, paused[0] = False, True
    assert pit.wait(pit.now_ns + 1) == []
    pit.is_regular, paused[0] = True, False
    assert pit.wait(pit.now_ns + 1) == []
    pit.is_regular = False
    assert pit.fills(pit.wait(pit.now_ns + 1)) == [(1, 10, "10.00")]
