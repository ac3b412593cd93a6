"""IB's algorithms through an unmodified ``ib_async.IB``: many fills, one order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ib_async import IB, Contract, Order, Stock, TagValue, Trade

from ibfloor.sim.gateway.lab import GatewayLab

ConnectIb = Callable[[GatewayLab, int], Awaitable[IB]]
Until = Callable[[Callable[[], object]], Awaitable[None]]


def play(scene: Callable[[GatewayLab], Coroutine[Any, Any, None]], at: str = "10:00") -> None:
    async def run() -> None:
        async with GatewayLab(at=at) as lab:
            lab.quote("SPY", "168.00", "168.08", size=100_000)
            await asyncio.wait_for(scene(lab), 30)

    asyncio.run(run())


def algo(name: str, qty: float, order_type: str = "MKT", tif: str = "DAY", **params: str) -> Order:
    return Order(
        action="BUY",
        totalQuantity=qty,
        orderType=order_type,
        tif=tif,
        algoStrategy=name,
        algoParams=[TagValue(tag, value) for tag, value in params.items()],
    )


async def place(ib: IB, order: Order) -> Trade:
    (contract,) = await ib.qualifyContractsAsync(Stock("SPY", "SMART", "USD"))
    assert isinstance(contract, Contract)
    return ib.placeOrder(contract, order)


def test_twap_lets_equal_slices_go_a_minute_under_one_order(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        trade = await place(ib, algo("Twap", 1000, startTime="10:02:00 US/Eastern", endTime="10:12:00 US/Eastern"))
        await until(lambda: trade.orderStatus.status == "Submitted")
        lab.advance(119)
        await ib.reqCurrentTimeAsync()
        assert not trade.fills
        for _ in range(10):
            lab.advance(60)
        await until(lambda: trade.orderStatus.status == "Filled")
        assert [fill.execution.shares for fill in trade.fills] == [100] * 10
        assert {fill.execution.orderId for fill in trade.fills} == {trade.order.orderId}
        assert len(lab.book.orders) == 1

    play(scene)


def test_vwap_trades_more_at_the_end_of_the_day_than_before_it(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        trade = await place(ib, algo("Vwap", 6000, maxPctVol="0.1", endTime="16:00:00 US/Eastern"))
        await until(lambda: trade.fills)
        for _ in range(120):
            lab.advance(60)
        await until(lambda: trade.orderStatus.status == "Filled")
        shares = [fill.execution.shares for fill in trade.fills]
        assert len(shares) == 60
        assert sum(shares) == 6000
        assert shares[-1] > 2 * shares[0]

    play(scene, at="14:00")


def test_adaptive_crosses_the_spread_when_its_patience_ends(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        patient = await place(ib, algo("Adaptive", 100, adaptivePriority="Patient"))
        urgent = await place(ib, algo("Adaptive", 100, adaptivePriority="Urgent"))
        await until(lambda: patient.orderStatus.status == urgent.orderStatus.status == "Submitted")
        lab.advance(4)
        await until(lambda: urgent.orderStatus.status == "Filled")
        assert urgent.fills[0].execution.price == 168.08
        lab.advance(30)  # half way across by now: a print in the middle reaches it
        lab.trade("SPY", "168.03", 500, after_s=1)
        await until(lambda: patient.orderStatus.status == "Filled")
        assert patient.fills[0].execution.price == 168.04

    play(scene)


def test_algorithms_that_make_no_sense_get_ibs_codes(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        heard: list[int] = []
        ib.errorEvent += lambda req_id, code, text, about: heard.append(code)
        await place(ib, algo("Twap", 100, endTime="09:40:00 US/Eastern"))
        await place(ib, algo("Twap", 100, endTime="soon"))
        await place(ib, algo("Adaptive", 100, adaptivePriority="Hasty"))
        await place(ib, algo("Vwap", 100, colour="red"))
        await place(ib, algo("DarkIce", 100))
        await place(ib, algo("Twap", 100, tif="GTC"))
        await until(lambda: heard == [441, 441, 441, 441, 442, 442])
        assert lab.book.orders == []

    play(scene)
