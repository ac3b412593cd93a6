"""Combinations through an unmodified ``ib_async.IB``: one order, an execution for it and for each leg."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ib_async import IB, ComboLeg, Contract, LimitOrder, MarketOrder, Order

from ibfloor.sim.gateway.lab import GatewayLab

ConnectIb = Callable[[GatewayLab, int], Awaitable[IB]]
Until = Callable[[Callable[[], object]], Awaitable[None]]


def play(scene: Callable[[GatewayLab], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with GatewayLab() as lab:
            lab.quote("SPY", "168.00", "168.02")
            lab.quote("QQQ", "78.00", "78.01", size=500)
            await asyncio.wait_for(scene(lab), 30)

    asyncio.run(run())


def pair(lab: GatewayLab, *, ratio: int = 2) -> Contract:
    legs = [("SPY", 1, "BUY"), ("QQQ", ratio, "SELL")]
    return Contract(
        secType="BAG",
        symbol="SPY,QQQ",
        exchange="SMART",
        currency="USD",
        comboLegs=[
            ComboLeg(conId=lab.instrument(symbol).instrument_id, ratio=count, action=action, exchange="SMART")
            for symbol, count, action in legs
        ],
    )


def test_market_combo_trades_all_legs_at_their_touches(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        trade = ib.placeOrder(pair(lab), MarketOrder("BUY", 100))
        await until(lambda: len(trade.fills) == 3 and trade.fills[-1].commissionReport.execId)
        told = [(fill.contract.secType, fill.execution.side, fill.execution.shares) for fill in trade.fills]
        assert told == [("BAG", "BOT", 100), ("STK", "BOT", 100), ("STK", "SLD", 200)]
        assert [fill.execution.price for fill in trade.fills] == [12.02, 168.02, 78.0]
        assert {fill.execution.orderId for fill in trade.fills} == {trade.order.orderId}
        assert (trade.filled(), trade.orderStatus.status) == (100, "Filled")
        held = {row.symbol: int(row.qty) for row in lab.book.positions}
        assert held == {"SPY": 100, "QQQ": -200}
        assert [row.perm_id for row in lab.book.executions] == [trade.order.permId] * 2
        again = await connect_ib(lab, 2)
        ib.disconnect()
        await until(lambda: 1 not in lab.gateway.sessions)
        assert len(again.positions()) == 2
        back = await connect_ib(lab, 1)
        assert sorted(fill.contract.secType for fill in back.fills()) == ["BAG", "STK", "STK"]

    play(scene)


def test_limit_combo_rests_until_the_legs_quotes_reach_it_in_parts(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        trade = ib.placeOrder(pair(lab), LimitOrder("BUY", 300, 11.9))
        await until(lambda: trade.orderStatus.status == "Submitted")
        lab.quote("SPY", "167.90", "167.92", after_s=1)
        await ib.reqCurrentTimeAsync()
        assert not trade.fills
        lab.quote("QQQ", "78.02", "78.03", size=400, after_s=1)
        await until(lambda: trade.filled() == 200)
        assert [int(row.qty) for row in lab.book.executions] == [200, 400]
        cost = sum(row.qty * row.px * (1 if row.side == "BUY" else -1) for row in lab.book.executions)
        assert cost == 2380
        ib.cancelOrder(trade.order)
        await until(lambda: trade.orderStatus.status == "Cancelled")
        (seen,) = await ib.reqCompletedOrdersAsync(False)
        assert (seen.contract.secType, len(seen.contract.comboLegs)) == ("BAG", 2)

    play(scene)


def test_combo_may_pay_money_and_previews_all_its_legs(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        state = await ib.whatIfOrderAsync(pair(lab, ratio=3), LimitOrder("BUY", 100, -65))
        assert (float(state.initMarginChange), state.commission) == (20101.25, 2.5)
        trade = ib.placeOrder(pair(lab, ratio=3), LimitOrder("BUY", 100, -65.98))
        await until(lambda: trade.orderStatus.status == "Filled")
        assert trade.fills[0].execution.price == -65.98

    play(scene)


def test_combos_that_make_no_sense_are_refused(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        heard: list[int] = []
        ib.errorEvent += lambda req_id, code, text, about: heard.append(code)
        lonely = pair(lab)
        lonely.comboLegs = lonely.comboLegs[:1]
        unknown = pair(lab)
        unknown.comboLegs[0].conId = 1
        for contract in (lonely, unknown, pair(lab, ratio=0)):
            ib.placeOrder(contract, MarketOrder("BUY", 1))
        ib.placeOrder(pair(lab), Order(action="BUY", totalQuantity=1, orderType="STP", auxPrice=1))
        await until(lambda: heard == [313, 200, 313, 387])
        assert lab.book.orders == []

    play(scene)
