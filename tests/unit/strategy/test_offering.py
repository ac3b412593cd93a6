"""Offers as authors make them: exact, on the grid, or refused with a reason; none while bars come from history."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from ibfloor import Offer, OrdType, Refused, Side, Stock, Strategy, StrategyParams
from ibfloor.model.ids import ClientOrderId

if TYPE_CHECKING:
    from tests.unit.strategy.conftest import Desk

SPY = Stock("SPY")


class Idle(Strategy[StrategyParams]):
    pass


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    desk = make_desk(Idle(StrategyParams()))
    desk.start()
    return desk


def test_an_offer_goes_out_exact_and_on_the_grid(desk: Desk) -> None:
    desk.trader.offer(SPY, Side.BUY, 30)
    desk.trader.offer(SPY, Side.SELL, 10, limit=100.011, for_s=5)
    (first, first_s), (second, second_s) = desk.offered
    assert (first.side, first.order_qty, first.ord_type, first.limit_px, first_s) == (
        Side.BUY,
        Decimal(30),
        OrdType.MARKET,
        None,
        30.0,
    )
    assert (second.side, second.limit_px, second_s) == (Side.SELL, Decimal("100.02"), 5)


def test_what_makes_no_offer_is_refused_and_never_raises(desk: Desk) -> None:
    for refused in (desk.trader.offer(SPY, Side.BUY, 1.5), desk.trader.offer(SPY, Side.BUY, 1, limit=float("nan"))):
        assert isinstance(refused, Refused)
    desk.is_warming = True
    warming = desk.trader.offer(SPY, Side.BUY, 1)
    assert isinstance(warming, Refused)
    assert warming.reason.rule == "warm-up"
    assert desk.offered == []


def test_an_offer_is_withdrawn_by_itself_or_by_its_id(desk: Desk) -> None:
    offer = Offer(offer_id=ClientOrderId("idle:offer-1"), contract=SPY, side=Side.BUY, qty=Decimal(1))
    desk.trader.withdraw(offer)
    desk.trader.withdraw(offer.offer_id)
    assert desk.withdrawn == [offer.offer_id] * 2
