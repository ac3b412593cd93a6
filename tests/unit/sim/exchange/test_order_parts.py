"""Triggers, trails, pegs, dates, auctions and schedules, one by one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ibfloor.model.order import OrdType, Side, TimeInForce
from ibfloor.sim.exchange.engine import EXPIRED, IOC_REST, NOT_IN_AUCTION, Exchange
from ibfloor.sim.exchange.values import (
    Activated,
    Approach,
    Auction,
    Hold,
    Moved,
    Peg,
    Resized,
    Slice,
    Trigger,
    Triggered,
    TriggerKind,
    Working,
)

CENT = Decimal("0.01")
LIMIT = OrdType.LIMIT


def trail(px: str | None = None, **parts: str) -> Trigger:
    exact = {name: Decimal(value) for name, value in parts.items()}
    return Trigger(kind=TriggerKind.STOP, px=None if px is None else Decimal(px), **exact)


def touch(px: str) -> Trigger:
    return Trigger(kind=TriggerKind.TOUCH, px=Decimal(px))


def stops(events: list[Any]) -> list[tuple[str, str | None]]:
    return [
        (str(event.stop_px), None if event.limit_px is None else str(event.limit_px))
        for event in events
        if isinstance(event, Moved)
    ]


def test_stop_limit_becomes_a_limit_that_does_not_chase(pit: Any) -> None:
    pit.print("10.01")
    (working,) = pit.place(1, Side.SELL, 50, LIMIT, limit_px="9.95", trigger=trail("9.97"))
    assert working.held_by == (Hold.TRIGGER,)
    pit.top("9.90", "9.92")
    events = pit.print("9.96")
    assert [type(event) for event in events] == [Triggered]
    assert pit.fills(pit.top("9.95", "9.97")) == [(1, 50, "9.95")]


def test_touched_market_order_waits_for_a_better_price_and_then_takes_the_touch(pit: Any) -> None:
    pit.print("10.01")
    pit.place(1, Side.BUY, 10, trigger=touch("9.95"))
    assert pit.print("9.96") == []
    pit.top("9.93", "9.94")
    assert pit.fills(pit.print("9.95")) == [(1, 10, "9.94")]


def test_touched_limit_order_rests_at_its_limit(pit: Any) -> None:
    pit.print("10.01")
    pit.place(1, Side.SELL, 10, LIMIT, limit_px="10.08", trigger=touch("10.05"))
    assert pit.fills(pit.print("10.09", 50)) == []
    assert pit.fills(pit.print("10.09", 50)) == [(1, 10, "10.08")]


def test_trailing_stop_begins_at_the_market_follows_it_and_never_steps_back(pit: Any) -> None:
    pit.print("10.00")
    assert stops(pit.place(1, Side.SELL, 10, trigger=trail(trail_amount="0.10"))) == [("9.90", None)]
    assert stops(pit.print("10.20")) == [("10.10", None)]
    assert pit.print("10.15") == []
    assert pit.fills(pit.print("10.10")) == [(1, 10, "10.00")]


def test_trailing_stop_starts_where_it_was_told_until_the_market_pulls_it(pit: Any) -> None:
    pit.print("10.00")
    assert stops(pit.place(1, Side.BUY, 10, trigger=trail("10.50", trail_amount="0.60"))) == []
    assert stops(pit.print("9.95")) == []
    assert stops(pit.print("9.80")) == [("10.40", None)]


def test_trail_by_percent_lands_on_the_grid_away_from_the_market(pit: Any) -> None:
    pit.print("10.07")
    events = pit.place(1, Side.SELL, 10, trigger=trail(trail_percent="1"), grid=CENT)
    assert stops(events) == [("9.96", None)]  # 10.07 less 0.1007 is 9.9693


def test_limit_of_a_trailing_stop_limit_moves_with_its_trigger_and_then_stays(pit: Any) -> None:
    pit.print("10.00")
    parts = {"trigger": trail(trail_amount="0.10", limit_offset="0.02")}
    assert stops(pit.place(1, Side.SELL, 10, LIMIT, **parts)) == [("9.90", "9.88")]
    assert stops(pit.print("10.05")) == [("9.95", "9.93")]
    pit.top("9.90", "9.91")
    assert pit.fills(pit.print("9.95")) == []
    assert pit.fills(pit.top("9.93", "9.95")) == [(1, 10, "9.93")]


def test_trail_before_any_price_begins_with_the_first_one(pit: Any) -> None:
    pit.exchange = Exchange()
    assert stops(pit.place(1, Side.SELL, 10, trigger=trail(trail_amount="0.10"))) == []
    assert stops(pit.print("10.00")) == [("9.90", None)]


def test_rest_of_a_market_to_limit_stays_at_the_price_of_its_first_fill(pit: Any) -> None:
    events = pit.place(1, Side.BUY, 150, is_market_to_limit=True)
    assert pit.fills(events) == [(1, 100, "10.02")]
    assert events[-1] == Moved(key=1, ts_ns=pit.now_ns, stop_px=None, limit_px=Decimal("10.02"))
    assert pit.fills(pit.top("10.02", "10.04")) == []
    assert pit.fills(pit.top("10.01", "10.02")) == [(1, 50, "10.02")]


def test_relative_order_follows_its_side_towards_the_market_up_to_its_cap(pit: Any) -> None:
    events = pit.place(1, Side.BUY, 10, LIMIT, limit_px="10.06", peg=Peg(offset=CENT), grid=CENT)
    assert [type(event) for event in events] == [Working, Moved]
    assert stops(events) == [("None", "10.01")]
    assert stops(pit.top("10.03", "10.08")) == [("None", "10.04")]
    assert stops(pit.top("10.01", "10.08")) == []
    assert stops(pit.top("10.07", "10.09")) == [("None", "10.06")]
    assert pit.fills(pit.print("10.05", 20)) == [(1, 10, "10.06")]


def test_fill_or_kill_takes_all_or_nothing(pit: Any) -> None:
    kill = {"time_in_force": TimeInForce.IOC, "limit_px": "10.02"}
    assert pit.ended(pit.place(1, Side.BUY, 150, LIMIT, min_qty=Decimal(150), **kill)) == [(1, IOC_REST)]
    assert pit.fills(pit.place(2, Side.BUY, 100, LIMIT, min_qty=Decimal(100), **kill)) == [(2, 100, "10.02")]


def test_all_or_none_waits_for_enough_size_and_blocks_nobody(pit: Any) -> None:
    pit.place(1, Side.BUY, 150, LIMIT, limit_px="10.01", is_all_or_none=True)
    pit.place(2, Side.BUY, 30, LIMIT, limit_px="10.01")
    assert pit.fills(pit.print("10.00", 100)) == [(2, 30, "10.01")]
    assert pit.fills(pit.top("9.99", "10.01", 149)) == []
    assert pit.fills(pit.top("9.99", "10.01", 150)) == [(1, 150, "10.01")]


def test_minimum_quantity_binds_the_first_fill_only(pit: Any) -> None:
    pit.place(1, Side.BUY, 100, LIMIT, limit_px="10.01", min_qty=Decimal(60))
    assert pit.fills(pit.print("10.00", 50)) == []
    assert pit.fills(pit.print("10.00", 70)) == [(1, 70, "10.01")]
    assert pit.fills(pit.print("10.00", 5)) == [(1, 5, "10.01")]


def test_good_till_date_ends_at_its_time_also_when_nothing_ticks(pit: Any) -> None:
    pit.place(1, Side.BUY, 10, LIMIT, limit_px="9.00", time_in_force=TimeInForce.GTC, good_until_ns=50)
    assert pit.exchange.expire(40) == []
    assert pit.wait(49) == []
    assert pit.ended(pit.wait(50)) == [(1, EXPIRED)]


def test_good_after_time_holds_an_order_until_then(pit: Any) -> None:
    (working,) = pit.place(1, Side.BUY, 10, good_from_ns=50)
    assert working.held_by == (Hold.TIME,)
    assert pit.fills(pit.top("10.00", "10.01")) == []
    events = pit.wait(60)
    assert events[0] == Activated(key=1, ts_ns=50)
    assert pit.fills(events) == [(1, 10, "10.01")]


def test_order_for_the_open_trades_at_the_first_print_of_the_day_whole_or_not_at_all(pit: Any) -> None:
    pit.is_regular = False
    pit.place(1, Side.BUY, 5000, auction=Auction.OPEN)
    pit.place(2, Side.BUY, 10, LIMIT, limit_px="10.10", auction=Auction.OPEN)
    assert pit.print("10.30") == []
    pit.is_regular = True
    assert pit.top("10.20", "10.22") == []
    events = pit.print("10.21", 300)
    assert pit.fills(events) == [(1, 5000, "10.21")]
    assert pit.ended(events) == [(2, NOT_IN_AUCTION)]


def test_order_for_the_open_placed_in_the_day_waits_for_the_next(pit: Any) -> None:
    pit.place(1, Side.BUY, 10, auction=Auction.OPEN)
    assert pit.print("10.01") == []
    assert pit.exchange.expire(pit.now_ns) == []
    pit.is_regular = False
    pit.print("10.05")
    pit.is_regular = True
    assert pit.fills(pit.print("10.08")) == [(1, 10, "10.08")]


def test_order_for_the_close_trades_at_the_last_price_when_the_hours_end(pit: Any) -> None:
    pit.place(1, Side.SELL, 5000, auction=Auction.CLOSE)
    pit.place(2, Side.SELL, 10, LIMIT, limit_px="10.40", auction=Auction.CLOSE)
    assert pit.print("10.30") == []
    pit.is_regular = False
    events = pit.wait(100)
    assert pit.fills(events) == [(1, 5000, "10.30")]
    assert pit.ended(events) == [(2, NOT_IN_AUCTION)]


def test_schedule_lets_slices_go_one_by_one(pit: Any) -> None:
    slices = (Slice(10, Decimal(30)), Slice(20, Decimal(60)), Slice(30, Decimal(100)))
    assert pit.fills(pit.place(1, Side.BUY, 100, slices=slices)) == []
    assert pit.fills(pit.wait(10)) == [(1, 30, "10.02")]
    assert pit.fills(pit.top("10.00", "10.03")) == []
    assert pit.fills(pit.wait(35)) == [(1, 30, "10.03"), (1, 40, "10.03")]


def test_approach_steps_from_its_own_side_across_the_spread(pit: Any) -> None:
    pit.top("10.00", "10.08")
    steps = (Approach(0, Decimal(0)), Approach(10, Decimal("0.5")), Approach(20, Decimal(1)))
    pit.place(1, Side.BUY, 10, approach=steps, grid=CENT)
    assert pit.fills(pit.print("10.01", 50)) == []
    pit.wait(10)
    assert pit.fills(pit.print("10.05", 50)) == []
    assert pit.fills(pit.wait(20)) == [(1, 10, "10.08")]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"trigger": trail(trail_amount="0")}, "trailing distance"),
        ({"trigger": Trigger(kind=TriggerKind.STOP)}, "needs a price"),
        ({"min_qty": Decimal(20)}, "minimum quantity"),
    ],
)
def test_senseless_parts_are_refused_with_the_reason(pit: Any, parts: dict[str, Any], reason: str) -> None:
    ((_, text),) = pit.ended(pit.place(1, Side.BUY, 10, **parts))
    assert reason in text


def test_amended_trail_keeps_the_distance_it_is_given(pit: Any) -> None:
    pit.print("10.00")
    pit.place(1, Side.SELL, 10, trigger=trail(trail_amount="0.10"))
    wider = pit.order(1, Side.SELL, 10, trigger=trail(trail_amount="0.50"))
    assert stops(pit.exchange.amend(wider, 9)) == [("9.50", None)]
    assert not any(isinstance(event, Resized) for event in pit.print("9.80"))
