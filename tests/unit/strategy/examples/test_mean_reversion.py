"""Mean reversion quotes both sides of the average, moves with it, and keeps its inventory small."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from ibfloor.model.order import OrdStatus, OrdType, Side

if TYPE_CHECKING:
    from tests.unit.strategy.conftest import Desk


def second(desk: Desk, px: float) -> None:
    desk.touch("QQQ", px)
    desk.forward(1)


def limits(desk: Desk) -> dict[Side, Decimal | None]:
    return {order.request.side: order.request.limit_px for order in desk.working(OrdType.LIMIT)}


def test_quiet_market_is_quoted_on_both_sides_of_the_average(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("revert-qqq")
    desk.start()
    for _ in range(12):
        second(desk, 400.0)
    assert limits(desk) == {Side.BUY: Decimal("399.92"), Side.SELL: Decimal("400.08")}


def test_orders_move_with_the_average_and_keep_their_identity(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("revert-qqq", window_s=20)
    desk.start()
    for _ in range(12):
        second(desk, 400.0)
    before = {order.cl_ord_id for order in desk.orders()}
    for n in range(40):
        second(desk, 400.0 + n * 0.002)
    assert {order.cl_ord_id for order in desk.orders()} == before
    buy_px = limits(desk)[Side.BUY]
    assert buy_px is not None
    assert buy_px > Decimal("399.92")


def test_fall_is_bought_below_the_average(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("revert-qqq")
    desk.start()
    for _ in range(12):
        second(desk, 400.0)
    second(desk, 399.90)
    assert [fill.signed_qty for fill in desk.fills] == [100]


def test_full_inventory_takes_the_bid_away(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("revert-qqq")
    desk.start()
    px = 400.0
    for n in range(120):
        px -= 0.02
        second(desk, px)
        assert abs(desk.held("QQQ")) <= 200, f"after {n} seconds"
    assert desk.held("QQQ") == 200
    assert Side.BUY not in limits(desk)


def test_a_walk_trades_both_ways_within_the_inventory(
    demo_desk: Callable[..., Desk], walk: Callable[..., Iterator[float]]
) -> None:
    desk = demo_desk("revert-qqq")
    desk.start()
    prices = walk(400.0, seed=3, step_bps=0.7)
    for _ in range(30 * 60):
        second(desk, next(prices))
        assert abs(desk.held("QQQ")) <= 200
    assert {fill.side for fill in desk.fills} == {Side.BUY, Side.SELL}
    assert len(desk.working(OrdType.LIMIT)) <= 2


def test_afternoon_end_cancels_first_and_then_closes(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("revert-qqq", at="15:48")
    desk.start()
    for _ in range(12):
        second(desk, 400.0)
    second(desk, 399.90)
    desk.forward(150)
    assert desk.held("QQQ") == 0
    assert not desk.orders()
    assert desk.fills[-1].note == "close"


def test_stop_cancels_what_works(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("revert-qqq")
    desk.start()
    for _ in range(12):
        second(desk, 400.0)
    desk.call("on_stop")
    assert {order.status for order in desk.all_orders.values()} == {OrdStatus.CANCELED}


def test_nothing_is_quoted_before_the_open(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("revert-qqq", at="09:26")
    desk.start()
    for _ in range(60):
        second(desk, 400.0)
    assert not desk.all_orders
