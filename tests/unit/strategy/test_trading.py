"""Orders as authors ask for them: exact, on the grid, or refused with a reason."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ibfloor import (
    Accepted,
    Limit,
    OrdStatus,
    OrdType,
    Quote,
    Refused,
    Side,
    Stock,
    Strategy,
    StrategyParams,
    TimeInForce,
)
from ibfloor.model.errors import StrategyError
from ibfloor.model.ids import ClientOrderId
from ibfloor.model.order import Refusal

if TYPE_CHECKING:
    from tests.unit.strategy.conftest import Desk

SPY, QQQ = Stock("SPY"), Stock("QQQ")


class Idle(Strategy[StrategyParams]):
    def on_start(self) -> None:
        self.subscribe_quotes(SPY)


class Async(Strategy[StrategyParams]):
    async def on_quote(self, quote: Quote) -> None:
        bars = await self.history(quote.contract, "1 min", count=2)
        self.log.info("history", bars=len(bars))


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    desk = make_desk(Idle(StrategyParams()))
    desk.start()
    return desk


def asked(answer: Accepted | Refused | None, desk: Desk) -> tuple[Any, ...]:
    assert isinstance(answer, Accepted), answer
    request = desk.all_orders[answer.cl_ord_id].request
    return request.side, request.order_qty, request.ord_type, request.limit_px, request.stop_px


def test_prices_decide_the_order_type(desk: Desk) -> None:
    trader = desk.trader
    assert asked(trader.buy(SPY, 100), desk) == (Side.BUY, 100, OrdType.MARKET, None, None)
    assert asked(trader.sell(SPY, 5, limit=99.5), desk) == (Side.SELL, 5, OrdType.LIMIT, Decimal("99.5"), None)
    assert asked(trader.sell(SPY, 5, stop=90), desk) == (Side.SELL, 5, OrdType.STOP, None, 90)
    assert asked(trader.buy(SPY, 5, limit=111, stop=110), desk) == (Side.BUY, 5, OrdType.STOP_LIMIT, 111, 110)


@pytest.mark.parametrize(
    ("side", "px", "expected"),
    [
        (Side.BUY, 100.019, "100.01"),
        (Side.SELL, 100.011, "100.02"),
        (Side.BUY, 100.01, "100.01"),
        (Side.SELL, 100.01, "100.01"),
        (Side.BUY, Decimal("100.01"), "100.01"),
    ],
)
def test_float_prices_go_to_the_grid_never_worse_for_the_side(
    desk: Desk, side: Side, px: float | Decimal, expected: str
) -> None:
    assert asked(desk.trader.submit(Limit(SPY, side, 1, px)), desk)[3] == Decimal(expected)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"qty": 0}, "order quantity"),
        ({"qty": -5}, "order quantity"),
        ({"qty": 1.5}, "order quantity"),
        ({"qty": float("nan")}, "order quantity"),
        ({"qty": Decimal("Infinity")}, "order quantity"),
        ({"qty": 1, "limit": Decimal("100.001")}, "tick grid"),
        ({"qty": 1, "limit": float("nan")}, "price"),
        ({"qty": 1, "stop": Decimal("NaN")}, "price"),
        ({"qty": 1, "tif": "FOREVER"}, "time in force"),
    ],
)
def test_what_makes_no_order_is_refused_and_logged_but_never_raises(
    desk: Desk, arguments: dict[str, Any], rule: str
) -> None:
    answer = desk.trader.buy(SPY, **arguments)
    assert isinstance(answer, Refused)
    assert answer.reason.rule == rule
    assert not desk.all_orders
    assert [(level, event) for level, event, _ in desk.log.lines] == [("warning", "order refused")]


def test_whole_floats_decimals_and_time_in_force_texts_are_taken(desk: Desk) -> None:
    answer = desk.trader.buy(SPY, 1e2, tif="GTC", note="why")
    assert isinstance(answer, Accepted)
    request = desk.all_orders[answer.cl_ord_id].request
    assert (request.order_qty, request.time_in_force, request.note) == (Decimal(100), TimeInForce.GTC, "why")
    assert asked(desk.trader.buy(SPY, Decimal("0.5")), desk)[1] == Decimal("0.5")


def test_refusal_of_the_floor_comes_back_as_it_is(desk: Desk) -> None:
    refusal = Refusal(rule="max quantity", text="too large")
    desk.refuse = lambda request: refusal
    answer = desk.trader.buy(SPY, 100)
    assert isinstance(answer, Refused)
    assert answer.reason is refusal


def test_instrument_the_broker_has_not_defined_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "instrument", lambda which: None)
    answer = desk.trader.buy(SPY, 100)
    assert isinstance(answer, Refused)
    assert "SPY" in answer.reason.text


def test_history_bar_sends_nothing(desk: Desk) -> None:
    desk.is_warming = True
    assert isinstance(desk.trader.buy(SPY, 100), Refused)
    assert isinstance(desk.trader.target(SPY, 100), Refused)
    assert not desk.all_orders
    assert not desk.log.lines


def test_target_sends_the_difference_once(desk: Desk) -> None:
    trader = desk.trader
    assert asked(trader.target(SPY, 100), desk)[:2] == (Side.BUY, 100)
    assert trader.target(SPY, 100) is None  # on its way
    desk.touch("SPY", 100.0)
    assert trader.position(SPY).qty == 100
    assert trader.target(SPY, 100) is None
    assert asked(trader.target(SPY, -50), desk)[:2] == (Side.SELL, 150)


def test_target_counts_what_a_working_limit_may_still_fill(desk: Desk) -> None:
    desk.touch("SPY", 100.0)
    desk.trader.buy(SPY, 60, limit=95.0)
    assert asked(desk.trader.target(SPY, 100), desk)[:2] == (Side.BUY, 40)


def test_target_does_not_count_stops_nor_what_is_being_canceled(desk: Desk) -> None:
    trader = desk.trader
    trader.buy(SPY, 100)
    desk.touch("SPY", 100.0)
    trader.sell(SPY, 100, stop=90.0)
    canceled = trader.buy(SPY, 30, limit=80.0)
    assert isinstance(canceled, Accepted)
    trader.cancel(canceled)
    desk.step(OrdStatus.PENDING_CANCEL)
    assert asked(trader.target(SPY, 0), desk)[:2] == (Side.SELL, 100)


def test_target_ignores_other_contracts(desk: Desk) -> None:
    desk.trader.buy(QQQ, 100, limit=1.0)
    assert asked(desk.trader.target(SPY, 100), desk)[:2] == (Side.BUY, 100)


def test_target_waits_while_an_order_is_unknown(desk: Desk) -> None:
    answer = desk.trader.buy(SPY, 100)
    assert isinstance(answer, Accepted)
    lost = desk.all_orders[answer.cl_ord_id]
    desk.all_orders[answer.cl_ord_id] = msgspec.structs.replace(lost, status=OrdStatus.UNKNOWN)
    again = desk.trader.target(SPY, 100)
    assert isinstance(again, Refused)
    assert again.reason.rule == "unknown order"


def test_cancel_all_of_a_contract_leaves_the_others(desk: Desk) -> None:
    desk.trader.buy(SPY, 1, limit=50.0)
    desk.trader.buy(QQQ, 1, limit=50.0)
    desk.trader.cancel_all(SPY)
    desk.settle()
    assert [order.status for order in desk.all_orders.values()] == [OrdStatus.CANCELED, OrdStatus.NEW]
    desk.trader.cancel_all()
    desk.settle()
    assert {order.status for order in desk.all_orders.values()} == {OrdStatus.CANCELED}


def test_replace_keeps_what_is_not_given(desk: Desk) -> None:
    answer = desk.trader.buy(SPY, 100, limit=50.0)
    assert isinstance(answer, Accepted)
    assert isinstance(desk.trader.replace(answer, limit=50.017), Accepted)
    desk.settle()
    assert isinstance(desk.trader.replace(answer.cl_ord_id, qty=40), Accepted)
    desk.settle()
    request = desk.all_orders[answer.cl_ord_id].request
    assert (request.order_qty, request.limit_px) == (Decimal(40), Decimal("50.01"))


def test_replace_of_an_order_that_works_no_more_is_refused(desk: Desk) -> None:
    answer = desk.trader.replace(ClientOrderId("desk:9"), qty=1)
    assert isinstance(answer, Refused)
    assert answer.cl_ord_id == "desk:9"


def test_acting_before_the_start_names_the_mistake() -> None:
    with pytest.raises(StrategyError, match="act in on_start"):
        Idle(StrategyParams()).buy(SPY, 1)


def test_async_handler_may_wait_for_history(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(Async(StrategyParams()))
    desk.start()
    desk.past["SPY"] = [desk.bar_at("SPY", 0, 1.0)] * 3
    desk.call("on_quote", Quote(desk.instrument_of("SPY"), 0, 1.0, 1.1, 1.0, 1.0))
    assert desk.log.lines == [("info", "history", {"bars": 2})]


def test_now_is_aware_market_time(desk: Desk) -> None:
    assert desk.trader.now.isoformat() == "2026-03-02T14:26:00+00:00"


def test_share_of_the_capital_buys_whole_lots_and_never_more(desk: Desk) -> None:
    trader = desk.trader
    desk.touch("SPY", 100.0)
    assert (trader.capital, trader.qty_for(SPY, 0.5)) == (None, None)
    desk.allocated = Decimal(10_050)
    assert trader.qty_for(SPY, 0.5) == 50
    assert trader.qty_for(SPY, Decimal("-0.25")) == -25
    assert trader.qty_for(SPY, 0.0049) == 0
    assert trader.qty_for(QQQ, 0.5) is None
    assert trader.capital == 10_050
