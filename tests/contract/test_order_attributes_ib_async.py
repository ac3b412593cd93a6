"""What orders may say beside type and price, said by an unmodified ``ib_async.IB``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import pytest
from ib_async import (
    IB,
    Contract,
    ExecutionCondition,
    Forex,
    MarginCondition,
    Order,
    PercentChangeCondition,
    PriceCondition,
    Stock,
    TimeCondition,
    Trade,
    VolumeCondition,
)

from ibfloor.sim.gateway.lab import GatewayLab

ConnectIb = Callable[[GatewayLab, int], Awaitable[IB]]
Until = Callable[[Callable[[], object]], Awaitable[None]]
SPY, AAPL = 756733, 265598


def play(scene: Callable[[GatewayLab], Coroutine[Any, Any, None]], at: str = "10:00") -> None:
    async def run() -> None:
        async with GatewayLab(at=at) as lab:
            lab.quote("SPY", "168.00", "168.10")
            lab.quote("AAPL", "480.00", "480.10")
            lab.quote("EUR.USD", "1.35000", "1.35010", size=5_000_000)
            await asyncio.wait_for(scene(lab), 30)

    asyncio.run(run())


async def contract_of(ib: IB, asked: Contract | None = None) -> Contract:
    (contract,) = await ib.qualifyContractsAsync(asked or Stock("SPY", "SMART", "USD"))
    assert isinstance(contract, Contract)
    return contract


def status(trade: Trade) -> str:
    return trade.orderStatus.status


def has_status(trade: Trade, *wanted: str) -> bool:
    return status(trade) in wanted


def order(order_type: str, action: str = "BUY", qty: float = 100, **fields: Any) -> Order:
    return Order(action=action, totalQuantity=qty, orderType=order_type, **fields)


async def settled(ib: IB) -> None:
    """Wait until the gateway has told everything it had to tell."""
    await ib.reqCurrentTimeAsync()


def prices(trade: Trade) -> list[tuple[float, float]]:
    return [(fill.execution.shares, fill.execution.price) for fill in trade.fills]


# -- conditions


def above(con_id: int, px: float, **more: Any) -> PriceCondition:
    return PriceCondition(conId=con_id, exch="SMART", isMore=True, price=px, **more)


def test_conditions_hold_an_order_until_they_are_met(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await contract_of(ib)
        one = ib.placeOrder(contract, order("MKT", conditions=[above(AAPL, 481)]))
        both = ib.placeOrder(contract, order("MKT", conditions=[above(AAPL, 481), above(SPY, 169)]))
        either = ib.placeOrder(contract, order("MKT", conditions=[above(AAPL, 490, conjunction="o"), above(SPY, 169)]))
        await until(lambda: [status(trade) for trade in (one, both, either)] == ["PreSubmitted"] * 3)
        lab.trade("AAPL", "480.99", after_s=1)
        await settled(ib)
        assert [trade.isDone() for trade in (one, both, either)] == [False] * 3
        lab.trade("AAPL", "481.00", after_s=1)
        await until(lambda: status(one) == "Filled")
        assert [trade.isDone() for trade in (both, either)] == [False] * 2
        lab.trade("SPY", "169.00", after_s=1)
        await until(lambda: status(both) == "Filled" and status(either) == "Filled")
        (seen,) = [trade for trade in await ib.reqCompletedOrdersAsync(False) if len(trade.order.conditions) == 1]
        assert isinstance(seen.order.conditions[0], PriceCondition)
        assert (seen.order.conditions[0].conId, seen.order.conditions[0].price) == (AAPL, 481)

    play(scene)


def test_a_condition_may_cancel_an_order_that_works(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        asked = order("LMT", lmtPrice=167, conditions=[above(AAPL, 481)], conditionsCancelOrder=True)
        trade = ib.placeOrder(await contract_of(ib), asked)
        await until(lambda: status(trade) == "Submitted")
        lab.trade("AAPL", "481.00", after_s=1)
        await until(lambda: status(trade) == "Cancelled")
        assert [row.status for row in lab.book.orders] == ["Cancelled"]

    play(scene)


def test_a_condition_is_met_in_regular_hours_unless_it_ignores_them(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await contract_of(ib)
        plain: dict[str, Any] = {"lmtPrice": 168.2, "outsideRth": True, "conditions": [above(AAPL, 481)]}
        waits = ib.placeOrder(contract, order("LMT", **plain))
        early = ib.placeOrder(contract, order("LMT", **plain, conditionsIgnoreRth=True))
        await until(lambda: status(waits) == status(early) == "PreSubmitted")
        lab.trade("AAPL", "481.00", after_s=1)
        await until(lambda: status(early) == "Filled")
        assert not waits.isDone()
        lab.advance(600)
        lab.trade("AAPL", "481.00", after_s=1)
        await until(lambda: status(waits) == "Filled")

    play(scene, at="09:20")


def test_time_volume_change_margin_and_execution_are_conditions_too(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await contract_of(ib)
        conditions = {
            "time": TimeCondition(isMore=True, time="20131007 10:05:00 US/Eastern"),
            "volume": VolumeCondition(isMore=True, volume=500, conId=AAPL, exch="SMART"),
            "execution": ExecutionCondition(secType="STK", exch="SMART", symbol="AAPL"),
            "margin": MarginCondition(isMore=False, percent=85),
        }
        trades = {name: ib.placeOrder(contract, order("MKT", conditions=[one])) for name, one in conditions.items()}
        await until(lambda: all(status(trade) == "PreSubmitted" for trade in trades.values()))

        def filled() -> set[str]:
            return {name for name, trade in trades.items() if status(trade) == "Filled"}

        lab.advance(300)
        await until(lambda: filled() == {"time"})
        lab.trade("AAPL", "480.05", 499, after_s=1)
        await settled(ib)
        assert filled() == {"time"}
        lab.trade("AAPL", "480.05", 1, after_s=1)
        await until(lambda: filled() == {"time", "volume"})
        apple = await contract_of(ib, Stock("AAPL", "SMART", "USD"))
        await until(ib.placeOrder(apple, order("MKT", qty=600)).isDone)
        lab.advance(1)
        await until(lambda: filled() == {"time", "volume", "execution"})
        lab.quote("AAPL", "480.00", "480.10", after_s=1)
        await until(ib.placeOrder(apple, order("MKT", qty=1000)).isDone)
        lab.advance(1)
        await until(lambda: filled() == set(trades))

    play(scene)


def test_a_change_in_per_cent_needs_yesterdays_close(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        change = PercentChangeCondition(isMore=True, changePercent=1, conId=AAPL, exch="SMART")
        trade = ib.placeOrder(await contract_of(ib), order("MKT", conditions=[change]))
        lab.trade("AAPL", "480.00", after_s=1)
        await until(lambda: status(trade) == "PreSubmitted")
        lab.market.set_previous_close("AAPL", "475.00")
        lab.trade("AAPL", "479.00", after_s=1)
        await settled(ib)
        assert not trade.isDone()
        lab.trade("AAPL", "480.00", after_s=1)
        await until(lambda: status(trade) == "Filled")

    play(scene)


@pytest.mark.parametrize(
    ("method", "quotes", "is_met"),
    [
        (2, [("481.00", "481.10")], False),
        (4, [("480.90", "481.00")], False),
        (4, [("481.00", "481.10")], True),
        (7, [("481.00", "481.10")], True),
        (8, [("480.95", "481.05")], True),
        (1, [("481.00", "481.10")], False),
        (1, [("481.00", "481.10"), ("481.01", "481.10")], True),
    ],
)
def test_a_price_is_read_by_the_method_of_the_condition(
    connect_ib: ConnectIb, until: Until, method: int, quotes: list[tuple[str, str]], is_met: bool
) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        lab.trade("AAPL", "480.05", after_s=1)
        asked = order("MKT", conditions=[above(AAPL, 481, triggerMethod=method)])
        trade = ib.placeOrder(await contract_of(ib), asked)
        await until(lambda: status(trade) == "PreSubmitted")
        for bid, ask in quotes:
            lab.quote("AAPL", bid, ask, after_s=1)
        await settled(ib)
        assert trade.isDone() == is_met

    play(scene)


def test_conditions_can_be_changed_and_taken_away(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await contract_of(ib)
        trade = ib.placeOrder(contract, order("LMT", lmtPrice=168.5, conditions=[above(AAPL, 490)]))
        await until(lambda: status(trade) == "PreSubmitted")
        trade.order.conditions = [above(AAPL, 485)]
        ib.placeOrder(contract, trade.order)
        lab.trade("AAPL", "484.00", after_s=1)
        await settled(ib)
        assert not trade.isDone()
        trade.order.conditions = []
        ib.placeOrder(contract, trade.order)
        await until(lambda: status(trade) == "Filled")

    play(scene)


# -- prices the exchange makes


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("PEG MKT", 168.09, 168.29),
        ("PEG MID", 168.04, 168.24),
        ("MIDPRICE", 168.05, 168.25),
        ("SNAP MKT", 168.09, 168.09),
        ("SNAP MID", 168.04, 168.04),
        ("SNAP PRIM", 168.01, 168.01),
    ],
)
def test_a_pegged_order_follows_the_price_its_type_names(
    connect_ib: ConnectIb, until: Until, kind: str, first: float, second: float
) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        offset: dict[str, Any] = {} if kind == "MIDPRICE" else {"auxPrice": 0.01}
        trade = ib.placeOrder(await contract_of(ib), order(kind, lmtPrice=169, **offset))
        await until(lambda: trade.order.lmtPrice == first)
        lab.quote("SPY", "168.20", "168.30", after_s=1)
        await settled(ib)
        assert trade.order.lmtPrice == second
        assert trade.order.orderType == kind

    play(scene)


def test_a_relative_order_may_name_its_offset_in_per_cent(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        trade = ib.placeOrder(await contract_of(ib), order("REL", percentOffset=0.0005))
        await until(lambda: trade.order.lmtPrice == 168.08)  # a twentieth of a per cent above the bid

    play(scene)


def test_discretion_takes_a_price_beyond_the_limit(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        trade = ib.placeOrder(await contract_of(ib), order("LMT", lmtPrice=168, discretionaryAmt=0.05))
        await until(lambda: status(trade) == "Submitted")
        lab.quote("SPY", "168.00", "168.06", after_s=1)
        await settled(ib)
        assert not trade.fills
        lab.quote("SPY", "168.00", "168.05", after_s=1)
        await until(lambda: prices(trade) == [(100, 168.05)])
        assert (trade.order.lmtPrice, trade.order.discretionaryAmt) == (168, 0.05)

    play(scene)


def test_an_iceberg_shows_its_parts_one_after_the_other(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        lab.quote("SPY", "168.00", "168.10", size=50, after_s=1)
        trade = ib.placeOrder(await contract_of(ib), order("LMT", lmtPrice=168, displaySize=30))
        await until(lambda: status(trade) == "Submitted")
        lab.trade("SPY", "168.00", 500, after_s=1)
        await until(lambda: prices(trade) == [(30, 168)])
        lab.trade("SPY", "168.00", 60, after_s=1)
        await until(lambda: prices(trade) == [(30, 168), (10, 168)])

    play(scene)


def test_a_hidden_order_trades_after_what_is_displayed(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        lab.quote("SPY", "168.00", "168.10", size=50, after_s=1)
        trade = ib.placeOrder(await contract_of(ib), order("LMT", lmtPrice=168, hidden=True))
        await until(lambda: status(trade) == "Submitted")
        for _ in range(2):
            lab.trade("SPY", "168.00", 50, after_s=1)
        await settled(ib)
        assert not trade.fills
        lab.trade("SPY", "168.00", 70, after_s=1)
        await until(lambda: prices(trade) == [(20, 168)])

    play(scene)


def test_a_scale_works_its_components_down_the_market(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        scale: dict[str, Any] = {"scaleInitLevelSize": 50, "scaleSubsLevelSize": 30, "scalePriceIncrement": 0.1}
        trade = ib.placeOrder(await contract_of(ib), order("LMT", lmtPrice=168, **scale))
        await until(lambda: status(trade) == "Submitted")
        lab.quote("SPY", "167.98", "168.00", after_s=1)
        await until(lambda: trade.filled() == 50 and trade.order.lmtPrice == 167.9)
        lab.quote("SPY", "167.78", "167.80", after_s=1)
        await until(lambda: status(trade) == "Filled")
        assert prices(trade) == [(50, 168), (30, 167.9), (20, 167.8)]

    play(scene)


# -- money, and families


def test_a_sum_of_money_buys_whole_units(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        euros = await contract_of(ib, Forex("EURUSD"))
        pair = ib.placeOrder(euros, order("MKT", "SELL", 0, cashQty=13_500))
        shares = ib.placeOrder(await contract_of(ib), order("LMT", qty=0, lmtPrice=168.1, cashQty=1000))
        await until(lambda: pair.isDone() and shares.isDone())
        assert prices(pair) == [(10_000, 1.35)]
        assert prices(shares) == [(5, 168.1)]  # 840.50 of the thousand
        heard: list[int] = []
        ib.errorEvent += lambda req_id, code, text, about: heard.append(code)
        ib.placeOrder(await contract_of(ib), order("MKT", "SELL", 0, cashQty=1000))
        ib.placeOrder(await contract_of(ib), order("STP", qty=0, auxPrice=170, cashQty=1000))
        resting = ib.placeOrder(await contract_of(ib), order("LMT", qty=0, lmtPrice=160, cashQty=1000))
        await until(lambda: status(resting) == "Submitted" and resting.order.totalQuantity == 6)
        ib.placeOrder(
            await contract_of(ib), order("LMT", qty=0, lmtPrice=160, cashQty=2000, orderId=resting.order.orderId)
        )
        await until(lambda: heard == [10244, 10244, 10241])

    play(scene)


@pytest.mark.parametrize(
    ("hedge", "asked", "sizes"),
    [
        ({"hedgeType": "P", "hedgeParam": "0.5"}, Stock("AAPL", "SMART", "USD"), [20, 30]),
        (
            {"hedgeType": "B", "hedgeParam": "1.2"},
            Stock("AAPL", "SMART", "USD"),
            [16, 25],  # 16 800 times 1.2 by 480.05
        ),
        ({"hedgeType": "F"}, Forex("EURUSD"), [4977, 7466]),  # 16 800 dollars in euros
    ],
)
def test_a_hedge_follows_the_fills_of_its_parent(
    connect_ib: ConnectIb, until: Until, hedge: dict[str, Any], asked: Contract, sizes: list[int]
) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        parent = ib.placeOrder(await contract_of(ib), order("LMT", lmtPrice=168, transmit=False))
        other = await contract_of(ib, asked)
        child = ib.placeOrder(other, order("MKT", "SELL", 0, parentId=parent.order.orderId, **hedge))
        await until(lambda: status(parent) == "Submitted" and child.orderStatus.whyHeld == "child")
        lab.quote("SPY", "167.98", "168.00", size=40, after_s=1)
        await until(lambda: parent.filled() == 40 and len(child.fills) == 1)
        lab.quote("SPY", "167.98", "168.00", size=60, after_s=1)
        await until(lambda: status(parent) == status(child) == "Filled")
        assert [fill.execution.shares for fill in child.fills] == sizes

    play(scene)


def test_a_child_may_take_its_parent_along(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await contract_of(ib)
        for takes_along, expected in ((False, "Submitted"), (True, "Cancelled")):
            parent = ib.placeOrder(contract, order("LMT", lmtPrice=160, transmit=False))
            stop = order("STP", "SELL", auxPrice=150, parentId=parent.order.orderId, autoCancelParent=takes_along)
            child = ib.placeOrder(contract, stop)
            await until(partial(has_status, parent, "Submitted"))
            ib.cancelOrder(child.order)
            await until(partial(has_status, child, "Cancelled"))
            await settled(ib)
            assert status(parent) == expected

    play(scene)


def test_an_order_outside_regular_hours_trades_only_when_it_says_so(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await contract_of(ib)
        waits = ib.placeOrder(contract, order("LMT", lmtPrice=168.2, orderRef="later"))
        trades = ib.placeOrder(contract, order("LMT", lmtPrice=168.2, outsideRth=True, orderRef="now"))
        await until(lambda: status(trades) == "Filled" and status(waits) == "PreSubmitted")
        assert [fill.execution.orderRef for fill in ib.fills()] == ["now"]
        lab.advance(3600)
        lab.quote("SPY", "168.00", "168.10", after_s=1)
        await until(lambda: status(waits) == "Filled")

    play(scene, at="08:45")


# -- what is refused

PARENTLESS: dict[str, Any] = {"hedgeType": "P", "hedgeParam": "1"}
REFUSED: list[tuple[Order, int]] = [
    (order("LMT", lmtPrice=168, displaySize=100), 10020),
    (order("LMT", lmtPrice=168, displaySize=10, discretionaryAmt=0.01), 157),
    (order("LMT", lmtPrice=168, discretionaryAmt=0.001), 168),
    (order("STP", auxPrice=170, discretionaryAmt=0.01), 325),
    (order("MKT", hidden=True), 152),
    (order("MKT", displaySize=10), 321),
    (order("LMT", qty=49, lmtPrice=168, blockOrder=True), 117),
    (order("LMT", lmtPrice=168, scaleInitLevelSize=10), 408),
    (order("LMT", lmtPrice=168, scalePriceIncrement=0.1), 419),
    (order("LMT", lmtPrice=168, scalePriceIncrement=0.1, scaleInitLevelSize=500), 417),
    (order("LMT", lmtPrice=168, scalePriceIncrement=0.1, scaleInitLevelSize=50, scaleProfitOffset=1), 418),
    (order("MKT", qty=0, **PARENTLESS), 10006),
    (order("MKT", qty=0, hedgeType="D"), 10010),
    (order("MKT", qty=0, hedgeType="X"), 10007),
    (order("LMT", lmtPrice=168, percentOffset=0.1), 321),
    (order("PEG MKT", auxPrice=-0.01), 321),
    (order("MKT", conditions=[above(12345, 1)]), 147),
    (order("MKT", conditions=[above(AAPL, 1, triggerMethod=5)]), 146),
    (order("MKT", conditions=[TimeCondition(isMore=True, time="soon")]), 391),
    (order("STP", auxPrice=170, triggerMethod=4), 146),
    (order("PEG BENCH", lmtPrice=168), 387),
]


def test_attributes_that_do_not_fit_get_ibs_codes(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await contract_of(ib)
        heard: dict[int, int] = {}
        ib.errorEvent += lambda req_id, code, text, about: heard.setdefault(req_id, code)
        expected = {ib.placeOrder(contract, one).order.orderId: code for one, code in REFUSED}
        await until(lambda: len(heard) == len(expected))
        assert heard == expected
        assert lab.book.orders == []

    play(scene)


CUT_OFFS = [  # a contract, a time, and what is still taken then
    ("BAC", "15:49", "MOC LOC"),
    ("BAC", "15:50", ""),
    ("AAPL", "15:54", "MOC LOC"),
    ("AAPL", "15:55", "LOC"),
    ("AAPL", "15:58", ""),
    ("SPY", "15:58", "MOC LOC"),
    ("SPY", "15:59", ""),
    ("SPY", "16:01", "MOC LOC"),  # for the next day
    ("AAPL", "09:27", "MKT/OPG LMT/OPG"),
    ("AAPL", "09:28", ""),
    ("SPY", "09:28", "MKT/OPG LMT/OPG"),
    ("SPY", "09:29", ""),
    ("BAC", "09:29", "MKT/OPG LMT/OPG"),
]


@pytest.mark.parametrize(("symbol", "at", "taken"), CUT_OFFS)
def test_orders_for_an_auction_are_refused_when_they_come_too_late(
    connect_ib: ConnectIb, until: Until, symbol: str, at: str, taken: str
) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await contract_of(ib, Stock(symbol, "SMART", "USD"))
        heard: dict[int, tuple[int, str]] = {}
        ib.errorEvent += lambda req_id, code, text, about: heard.setdefault(req_id, (code, text))
        is_open = "09" in at
        for kind in ("MKT", "LMT") if is_open else ("MOC", "LOC"):
            px: dict[str, Any] = {} if kind in ("MKT", "MOC") else {"lmtPrice": 10}
            trade = ib.placeOrder(contract, order(kind, tif="OPG" if is_open else "DAY", **px))
            await until(partial(has_status, trade, "PreSubmitted", "Cancelled"))
            name = f"{kind}/OPG" if is_open else kind
            assert (status(trade) == "PreSubmitted") == (name in taken.split())
            if trade.isDone():
                code, text = heard[trade.order.orderId]
                assert code == 201
                assert "too late" in text

    play(scene, at=at)


def test_times_of_orders_are_read_in_the_zone_they_name(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await contract_of(ib)
        texts = {  # all a minute after ten in New York
            "20131007 10:01:00": True,
            "20131007 10:01:00 US/Eastern": True,
            "20131007 10:01:00 America/New_York": True,
            "20131007 09:01:00 US/Central": True,
            "20131007 15:01:00 Europe/London": True,
            "20131007 23:01:00 Asia/Tokyo": True,
            "20131007-14:01:00": True,
            "20131007 14:01:00 UTC": True,
            "20131007": False,  # the end of the day
            "20131008 10:01:00 US/Eastern": False,
        }
        trades = {
            text: ib.placeOrder(contract, order("LMT", lmtPrice=160, tif="GTD", goodTillDate=text)) for text in texts
        }
        await until(lambda: all(status(trade) == "Submitted" for trade in trades.values()))
        lab.advance(59)
        await settled(ib)
        assert not any(trade.isDone() for trade in trades.values())
        lab.advance(1)
        await until(lambda: {text: trade.isDone() for text, trade in trades.items()} == texts)

    play(scene)
