"""Opening-range breakout: what is held has a stop of its size, or is closed."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ibfloor.model.ids import ClientOrderId, StrategyId
from ibfloor.model.order import Order, OrderRequest, OrdStatus, OrdType, Refusal, Refused, Side
from ibfloor.strategy.registry import make_strategy

if TYPE_CHECKING:
    from tests.unit.strategy.conftest import Desk

FILE = Path(__file__).parents[4] / "examples" / "opening_range.py"


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """The opening range of AAPL is 99 to 101, and it is 09:35."""
    made = make_strategy(StrategyId("orb-aapl"), file=FILE)
    desk = make_desk(made.strategy)
    desk.start()
    desk.forward(4 * 60)
    for prices in ((100, 100.5, 99.5, 100), (100, 101, 100, 100.6), (100, 100, 99, 99.5), (99.5, 100, 99.5, 100)):
        desk.forward(60)
        desk.bar("AAPL", *prices)
    desk.forward(60)
    desk.bar("AAPL", 100, 100.4, 99.8, 100.2)
    assert not desk.all_orders
    return desk


def minute(desk: Desk, px: float) -> None:
    desk.forward(60)
    desk.bar("AAPL", px)


def test_breakout_places_a_protective_stop_of_the_filled_size(desk: Desk) -> None:
    minute(desk, 101.5)
    assert desk.held("AAPL") == 100
    (stop,) = desk.working(OrdType.STOP)
    assert (stop.request.side, stop.leaves_qty, stop.request.stop_px) == (Side.SELL, Decimal(100), Decimal(99))


def test_stop_grows_with_partial_fills(desk: Desk) -> None:
    desk.lot = Decimal(30)
    minute(desk, 101.5)
    assert [fill.qty for fill in desk.fills] == [30, 30, 30, 10]
    (stop,) = desk.working(OrdType.STOP)
    assert stop.leaves_qty == 100
    assert len(desk.changes) <= 3


def test_stop_shrinks_to_what_is_left_after_it_filled_in_part(desk: Desk) -> None:
    minute(desk, 101.5)
    desk.lot = Decimal(40)
    desk.touch("AAPL", 98.9)
    assert desk.held("AAPL") == 0
    assert not desk.orders()
    assert not desk.changes


def test_position_is_closed_when_its_stop_cannot_grow(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Refused(ClientOrderId("desk:2"), Refusal(rule="any", text="no changes today"))
    monkeypatch.setattr(desk, "replace", lambda order_id, **_: refused)
    desk.lot = Decimal(30)
    minute(desk, 101.5)
    minute(desk, 101.5)
    assert desk.held("AAPL") == 0
    assert not desk.orders()


def test_break_below_is_sold_short_with_a_stop_above(desk: Desk) -> None:
    minute(desk, 98.5)
    assert desk.held("AAPL") == -100
    (stop,) = desk.working(OrdType.STOP)
    assert (stop.request.side, stop.request.stop_px) == (Side.BUY, Decimal(101))


def test_no_order_while_price_stays_within_the_range(desk: Desk) -> None:
    for px in (100.0, 100.9, 99.1):
        minute(desk, px)
    assert not desk.all_orders


def test_stopped_out_leaves_nothing_held_and_nothing_working(desk: Desk) -> None:
    minute(desk, 101.5)
    desk.touch("AAPL", 98.8)
    assert desk.held("AAPL") == 0
    assert not desk.orders()


def test_entries_end_after_the_days_maximum(desk: Desk) -> None:
    for px in (101.5, 98.5, 100.0, 98.5, 102.0, 101.5, 98.0):
        minute(desk, px)
    assert sum(order.request.note == "entry" for order in desk.all_orders.values()) == 2


def test_close_cancels_the_stop_before_it_sells(desk: Desk) -> None:
    minute(desk, 101.5)
    stop_id = desk.working(OrdType.STOP)[0].cl_ord_id
    working_when_closing: list[list[Order]] = []

    def watch(request: OrderRequest) -> None:
        working_when_closing.append(desk.working(OrdType.STOP))

    desk.refuse = watch
    desk.forward(7 * 3600)
    assert working_when_closing == [[]]
    assert desk.all_orders[stop_id].status is OrdStatus.CANCELED
    assert desk.fills[-1].note == "close"
    assert desk.held("AAPL") == 0
    assert not desk.orders()


def test_position_is_closed_when_its_stop_is_refused(desk: Desk) -> None:
    desk.refuse = lambda r: Refusal(rule="any", text="no stops today") if r.ord_type is OrdType.STOP else None
    minute(desk, 101.5)
    assert desk.held("AAPL") == 0
    assert [fill.note for fill in desk.fills] == ["entry", "close"]


def test_position_is_closed_when_the_broker_rejects_its_stop(desk: Desk) -> None:
    desk.reject = lambda r: r.ord_type is OrdType.STOP
    minute(desk, 101.5)
    assert desk.held("AAPL") == 0
    assert not desk.orders()


def test_range_of_the_morning_is_known_after_a_start_at_noon(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(make_strategy(StrategyId("orb-aapl"), file=FILE).strategy, at="12:00")
    minute_ns = 60_000_000_000
    morning = desk.clock.ns - 150 * minute_ns
    prices = [(100, 101, 99, 100)] * 5 + [(100, 105, 95, 100)] * 145
    desk.past["AAPL"] = [desk.bar_at("AAPL", morning + n * minute_ns, *each) for n, each in enumerate(prices)]
    desk.start()
    assert not desk.all_orders
    minute(desk, 101.5)
    (stop,) = desk.working(OrdType.STOP)
    assert stop.request.stop_px == 99
