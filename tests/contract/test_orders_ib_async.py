"""Every kind of order, placed by an unmodified ``ib_async.IB``; the gateway's book is the oracle."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from ib_async import IB, Contract, LimitOrder, Order, Stock, Trade

from ibfloor.sim.gateway.lab import GatewayLab

ConnectIb = Callable[[GatewayLab, int], Awaitable[IB]]
Until = Callable[[Callable[[], object]], Awaitable[None]]


def play(scene: Callable[[GatewayLab], Coroutine[Any, Any, None]], at: str = "10:00") -> None:
    async def run() -> None:
        async with GatewayLab(at=at) as lab:
            lab.quote("SPY", "168.00", "168.02")
            lab.trade("SPY", "168.01")
            await asyncio.wait_for(scene(lab), 30)

    asyncio.run(run())


async def spy(ib: IB) -> Contract:
    (contract,) = await ib.qualifyContractsAsync(Stock("SPY", "SMART", "USD"))
    assert isinstance(contract, Contract)
    return contract


def status(trade: Trade) -> str:
    return trade.orderStatus.status


def order(order_type: str, action: str = "BUY", qty: float = 100, **fields: Any) -> Order:
    return Order(action=action, totalQuantity=qty, orderType=order_type, **fields)


def incarnations(lab: GatewayLab, trade: Trade) -> list[tuple[str, str, str]]:
    rows = [row for row in lab.book.incarnations if row.order_id == trade.order.orderId]
    return [(row.status, str(row.qty), str(row.stop_px)) for row in rows]


def test_stop_limit_waits_then_rests_at_its_limit(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        trade = ib.placeOrder(await spy(ib), order("STP LMT", "SELL", auxPrice=167.5, lmtPrice=167.4))
        await until(lambda: trade.orderStatus.whyHeld == "trigger")
        lab.quote("SPY", "167.30", "167.32", after_s=1)
        lab.trade("SPY", "167.50", after_s=1)
        await until(lambda: status(trade) == "Submitted")
        lab.quote("SPY", "167.40", "167.42", after_s=1)
        await until(lambda: status(trade) == "Filled")
        assert trade.fills[0].execution.price == 167.4
        assert [row.ord_type for row in lab.book.orders] == ["STP LMT"]

    play(scene)


def test_trailing_stop_shows_each_step_and_fills_after_the_turn(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        trade = ib.placeOrder(await spy(ib), order("TRAIL", "SELL", auxPrice=1))
        await until(lambda: trade.orderStatus.whyHeld == "trigger")
        lab.trade("SPY", "169.00", after_s=1)
        (seen,) = await (await connect_ib(lab, 2)).reqAllOpenOrdersAsync()
        assert (seen.order.trailStopPrice, seen.order.auxPrice, seen.order.orderType) == (168.0, 1, "TRAIL")
        lab.trade("SPY", "168.50", after_s=1)
        lab.trade("SPY", "168.00", after_s=1)
        await until(lambda: status(trade) == "Filled")
        steps = [stop for _, _, stop in incarnations(lab, trade)]
        assert [step for step in dict.fromkeys(steps) if step != "None"] == ["167.01", "168.00"]

    play(scene)


def test_trailing_stop_limit_by_percent_starts_where_it_was_told(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        asked = order("TRAIL LIMIT", "SELL", trailingPercent=1, trailStopPrice=166, lmtPriceOffset=0.1)
        trade = ib.placeOrder(await spy(ib), asked)
        await until(lambda: status(trade) == "PreSubmitted" and trade.order.permId)
        (row,) = lab.book.orders  # one per cent under 168.01, down to the cent
        assert (str(row.stop_px), str(row.limit_px)) == ("166.32", "166.22")
        assert next(stop for _, _, stop in incarnations(lab, trade)) == "166"

    play(scene)


def test_touched_orders_wait_for_the_better_price(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await spy(ib)
        market = ib.placeOrder(contract, order("MIT", auxPrice=167.5))
        limit = ib.placeOrder(contract, order("LIT", auxPrice=167.5, lmtPrice=167.3))
        await until(lambda: [status(one) for one in (market, limit)] == ["PreSubmitted"] * 2)
        lab.quote("SPY", "167.48", "167.51", after_s=1)
        lab.trade("SPY", "167.50", after_s=1)
        await until(lambda: status(market) == "Filled" and status(limit) == "Submitted")
        assert market.fills[0].execution.price == 167.51

    play(scene)


def test_market_to_limit_leaves_a_limit_at_its_fill(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        trade = ib.placeOrder(await spy(ib), order("MTL", qty=1500))
        await until(lambda: trade.filled() == 1000 and trade.order.lmtPrice == 168.02)
        lab.quote("SPY", "168.05", "168.07", after_s=1)
        await ib.reqCurrentTimeAsync()
        assert (trade.filled(), trade.remaining()) == (1000, 500)

    play(scene)


def test_relative_order_rides_on_the_bid(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        lab.quote("SPY", "168.00", "168.10", after_s=1)
        trade = ib.placeOrder(await spy(ib), order("REL", auxPrice=0.02, lmtPrice=168.2))
        await until(lambda: trade.order.lmtPrice == 168.02)
        lab.quote("SPY", "168.05", "168.10", after_s=1)
        await until(lambda: trade.order.lmtPrice == 168.07)
        assert trade.order.auxPrice == 0.02

    play(scene)


def test_fill_or_kill_and_immediate_or_cancel(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await spy(ib)
        killed = ib.placeOrder(contract, order("LMT", qty=1500, lmtPrice=168.02, tif="FOK"))
        partly = ib.placeOrder(contract, order("LMT", qty=1500, lmtPrice=168.02, tif="IOC"))
        await until(lambda: killed.isDone() and partly.isDone())
        assert (killed.filled(), partly.filled()) == (0, 1000)
        assert [row.time_in_force for row in lab.book.orders] == ["FOK", "IOC"]

    play(scene)


def test_good_till_date_ends_then_and_good_after_time_begins_then(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await spy(ib)
        ending = ib.placeOrder(
            contract, order("LMT", lmtPrice=160, tif="GTD", goodTillDate="20131007 10:05:00 US/Eastern")
        )
        utc = ib.placeOrder(contract, order("LMT", lmtPrice=160, tif="GTD", goodTillDate="20131007-14:06:00"))
        later = ib.placeOrder(contract, order("MKT", goodAfterTime="20131007 10:10:00 US/Eastern"))
        await until(lambda: [status(one) for one in (ending, utc, later)] == ["Submitted", "Submitted", "PreSubmitted"])
        lab.advance(300)
        await until(lambda: status(ending) == "Cancelled")
        assert not utc.isDone()
        lab.advance(60)
        await until(lambda: status(utc) == "Cancelled")
        assert not later.fills
        lab.advance(240)
        await until(lambda: status(later) == "Filled")

    play(scene)


def test_orders_for_the_open_trade_at_the_first_print(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await spy(ib)
        market = ib.placeOrder(contract, order("MKT", qty=5000, tif="OPG"))
        limit = ib.placeOrder(contract, order("LMT", lmtPrice=167, tif="OPG"))
        await until(lambda: {status(market), status(limit)} == {"PreSubmitted"})
        lab.quote("SPY", "168.30", "168.34", after_s=299)
        lab.trade("SPY", "168.33", after_s=2)
        await until(lambda: market.isDone() and limit.isDone())
        assert [fill.execution.price for fill in market.fills] == [168.33]
        assert status(limit) == "Cancelled"

    play(scene, at="09:25")


def test_orders_for_the_close_trade_at_the_last_price(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await spy(ib)
        market = ib.placeOrder(contract, order("MOC", "SELL", 5000))
        limit = ib.placeOrder(contract, order("LOC", "SELL", lmtPrice=168.1))
        await until(lambda: {status(market), status(limit)} == {"PreSubmitted"})
        lab.trade("SPY", "168.22", after_s=60)
        lab.advance(240)
        await until(lambda: market.isDone() and limit.isDone())
        assert [trade.fills[0].execution.price for trade in (market, limit)] == [168.22, 168.22]

    play(scene, at="15:55")


def bracket(ib: IB, contract: Contract, qty: float = 100) -> tuple[Trade, Trade, Trade]:
    parent, profit, loss = (
        ib.placeOrder(contract, one)
        for one in ib.bracketOrder("BUY", qty, 167.9, takeProfitPrice=170, stopLossPrice=166)
    )
    return parent, profit, loss


def test_bracket_is_held_until_its_last_child_then_follows_its_parent(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        parent, profit, loss = bracket(ib, await spy(ib))
        await until(lambda: status(parent) == "Submitted" and loss.orderStatus.whyHeld == "child,trigger")
        assert (status(profit), profit.orderStatus.whyHeld) == ("PreSubmitted", "child")
        assert profit.orderStatus.parentId == parent.order.orderId
        lab.quote("SPY", "167.88", "167.90", size=40, after_s=1)
        await until(lambda: parent.filled() == 40 and status(profit) == "Submitted")
        lab.quote("SPY", "167.88", "167.90", size=60, after_s=1)
        await until(lambda: status(parent) == "Filled" and loss.orderStatus.whyHeld == "trigger")
        lab.quote("SPY", "170.00", "170.02", size=30, after_s=1)
        await until(lambda: profit.filled() == 30 and loss.order.totalQuantity == 70)
        lab.quote("SPY", "170.00", "170.02", after_s=1)
        await until(lambda: status(profit) == "Filled" and status(loss) == "Cancelled")
        assert [int(row.qty) for row in lab.book.positions] == [0]
        assert ("Submitted", "100", "None") in incarnations(lab, profit)
        assert ("PreSubmitted", "70") in [(state, qty) for state, qty, _ in incarnations(lab, loss)]

    play(scene)


def test_untransmitted_bracket_reaches_no_market(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await spy(ib)
        parent, profit, _ = ib.bracketOrder("BUY", 100, 168.5, takeProfitPrice=170, stopLossPrice=166)
        trades = [ib.placeOrder(contract, parent), ib.placeOrder(contract, profit)]
        await until(lambda: all(trade.order.permId for trade in trades))
        lab.quote("SPY", "168.00", "168.02", after_s=1)
        await ib.reqCurrentTimeAsync()
        assert lab.book.executions == []
        ib.cancelOrder(parent)
        await until(lambda: all(status(trade) == "Cancelled" for trade in trades))

    play(scene)


def test_children_are_canceled_with_their_parent(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        trades = bracket(ib, await spy(ib))
        await until(lambda: status(trades[0]) == "Submitted")
        ib.cancelOrder(trades[0].order)
        await until(lambda: all(status(trade) == "Cancelled" for trade in trades))

    play(scene)


@pytest.mark.parametrize(("oca_type", "left"), [(1, 0), (2, 60), (3, 60)])
def test_group_ends_or_reduces_the_other_order(connect_ib: ConnectIb, until: Until, oca_type: int, left: int) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await spy(ib)
        pair = ib.oneCancelsAll([LimitOrder("BUY", 100, 167.9), LimitOrder("BUY", 100, 160)], "pair", oca_type)
        first, second = (ib.placeOrder(contract, one) for one in pair)
        await until(lambda: status(first) == "Submitted" and status(second) == "Submitted")
        lab.quote("SPY", "167.88", "167.90", size=40, after_s=1)
        await until(lambda: first.filled() == 40)
        await until(lambda: second.remaining() == left if left else status(second) == "Cancelled")
        assert (second.order.ocaGroup, second.order.ocaType) == ("pair", oca_type)

    play(scene)


REFUSED: list[tuple[Order, int]] = [
    (order("TRAIL"), 321),
    (order("TRAIL LIMIT", auxPrice=1), 321),
    (order("STP LMT", auxPrice=1, lmtPrice=1.001), 110),
    (order("MIT", auxPrice=1.001), 110),
    (order("MOC", tif="GTC"), 113),
    (order("STP", auxPrice=170, tif="IOC"), 111),
    (order("MTL", tif="FOK"), 111),
    (order("LMT", lmtPrice=1, tif="GTD", goodTillDate="tomorrow"), 391),
    (order("LMT", lmtPrice=1, tif="GTD", goodTillDate="20131001"), 201),
    (order("LMT", lmtPrice=1, goodAfterTime="20131007 10:00:00 Nowhere/Else"), 391),
    (order("LMT", lmtPrice=1, ocaGroup="x", ocaType=9), 321),
    (order("LMT", lmtPrice=1, minQty=200), 321),
]


def test_orders_that_contradict_themselves_get_ibs_codes(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await spy(ib)
        heard: dict[int, int] = {}
        ib.errorEvent += lambda req_id, code, text, about: heard.setdefault(req_id, code)
        expected = {ib.placeOrder(contract, one).order.orderId: code for one, code in REFUSED}
        await until(lambda: len(heard) == len(expected))
        assert heard == expected
        assert lab.book.orders == []

    play(scene)


def test_minimum_quantity_and_all_or_none_wait_for_size(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await spy(ib)
        least = ib.placeOrder(contract, order("LMT", qty=2000, lmtPrice=168.02, minQty=1200))
        whole = ib.placeOrder(contract, order("LMT", qty=1500, lmtPrice=168.01, allOrNone=True))
        await until(lambda: status(least) == "Submitted" and status(whole) == "Submitted")
        lab.quote("SPY", "168.00", "168.02", size=1300, after_s=1)
        await until(lambda: least.filled() == 1300)
        lab.quote("SPY", "167.99", "168.01", size=2200, after_s=1)
        await until(lambda: least.isDone() and whole.isDone())
        assert [fill.execution.shares for fill in whole.fills] == [1500]

    play(scene)


def test_an_order_beyond_the_margin_is_rejected_with_ibs_json(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await spy(ib)
        heard: list[tuple[int, str, str]] = []
        ib.errorEvent += lambda req_id, code, text, about: heard.append((code, text, ""))
        trade = ib.placeOrder(contract, order("MKT", qty=20000))
        await until(lambda: trade.isDone() and heard)
        assert heard[0][0] == 201
        assert "EQUITY WITH LOAN VALUE [1000000.00 USD] MUST EXCEED THE INITIAL MARGIN [1680100.00 USD]" in heard[0][1]
        assert json.loads(trade.advancedError)["rejects"][0]["code"] == "201"
        assert [row.status for row in lab.book.orders] == ["Inactive"]
        bracketed = bracket(ib, contract, qty=20000)
        await until(lambda: all(one.isDone() for one in bracketed))
        small = ib.placeOrder(contract, order("MKT", qty=100))
        await until(lambda: status(small) == "Filled")

    play(scene)


def test_a_limit_that_nobody_means_is_109_unless_overridden(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await spy(ib)
        heard: list[int] = []
        ib.errorEvent += lambda req_id, code, text, about: heard.append(code)
        ib.placeOrder(contract, order("LMT", lmtPrice=1680))
        meant = ib.placeOrder(contract, order("LMT", lmtPrice=1680, overridePercentageConstraints=True))
        await until(lambda: status(meant) == "Filled")
        assert heard == [109]

    play(scene)


def test_a_short_sale_is_held_until_the_shares_are_located(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        broker = lab.gateway.broker
        key = lab.instrument("SPY").instrument_id
        broker.unlocated.add(key)
        ib = await connect_ib(lab, 1)
        heard: list[int] = []
        ib.errorEvent += lambda req_id, code, text, about: heard.append(code)
        trade = ib.placeOrder(await spy(ib), order("MKT", "SELL"))
        gone = ib.placeOrder(await spy(ib), order("LMT", "SELL", lmtPrice=169))
        await until(lambda: trade.orderStatus.whyHeld == gone.orderStatus.whyHeld == "locate")
        assert heard == [404, 404]
        ib.cancelOrder(gone.order)
        await until(lambda: status(gone) == "Cancelled")
        broker.locate(key, lab.gateway.now_ns())
        lab.advance(1)
        await until(lambda: status(trade) == "Filled")
        assert lab.book.positions[0].qty == -100

    play(scene)


WHAT_IFS: list[Order] = [
    order("MKT"),
    order("STP LMT", auxPrice=170, lmtPrice=170.1),
    order("TRAIL", trailingPercent=2),
    order("MOC"),
    order("REL", auxPrice=0.01),
    order("LMT", lmtPrice=168, tif="FOK"),
]


def test_what_if_tells_margins_before_and_after_for_every_kind(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await spy(ib)
        bought = ib.placeOrder(contract, order("MKT"))
        await until(bought.isDone)
        for asked in WHAT_IFS:
            state = await ib.whatIfOrderAsync(contract, asked)
            before, change, after = (
                float(value) for value in (state.initMarginBefore, state.initMarginChange, state.initMarginAfter)
            )
            assert before == 8400.5
            assert change > 8300
            assert after == pytest.approx(before + change)
            assert (state.commission, float(state.equityWithLoanBefore)) == (1.0, 999998.0)
        closing = await ib.whatIfOrderAsync(contract, order("MKT", "SELL"))
        assert float(closing.initMarginChange) < 0
        assert len(lab.book.orders) == 1

    play(scene)
