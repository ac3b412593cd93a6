"""An unmodified ``ib_async.IB`` against the simulated gateway, over TCP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any

import pytest
from ib_async import IB, Contract, Forex, Future, LimitOrder, MarketOrder, Order, Stock, StopOrder, Trade

from ibfloor.model.ids import AccountId
from ibfloor.model.order import Side
from ibfloor.sim.account import SimAccount
from ibfloor.sim.gateway.clock import SimClock
from ibfloor.sim.gateway.gateway import Gateway
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.scripted import ScriptedMarket
from ibfloor.sim.gateway.tcp import GatewayServer

ConnectIb = Callable[[GatewayLab, int], Awaitable[IB]]
Until = Callable[[Callable[[], object]], Awaitable[None]]
Complaints = Callable[[], list[str]]
SPY = Stock("SPY", "SMART", "USD")
SPY_BY_ID = Contract(secType="STK", conId=756733, symbol="SPY", exchange="SMART", currency="USD")
MINUTE_NS = 60 * 1_000_000_000


def play(scene: Callable[[GatewayLab], Coroutine[Any, Any, None]], at: str = "10:00") -> None:
    async def run() -> None:
        async with GatewayLab(at=at) as lab:
            await asyncio.wait_for(scene(lab), 30)

    asyncio.run(run())


async def spy(ib: IB) -> Contract:
    (contract,) = await ib.qualifyContractsAsync(Stock("SPY", "SMART", "USD"))
    assert isinstance(contract, Contract)
    return contract


def status(trade: Trade) -> str:
    return trade.orderStatus.status


def raw(client: object) -> Any:  # ib_async's client has no types
    return client


@pytest.mark.parametrize("client_id", [0, 7])
def test_connect_completes_every_start_up_request_without_a_complaint(
    connect_ib: ConnectIb, ib_complaints: Complaints, until: Until, client_id: int
) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02")
        first = await connect_ib(lab, client_id)
        contract = await spy(first)
        bought = first.placeOrder(contract, MarketOrder("BUY", 100))
        resting = first.placeOrder(contract, LimitOrder("BUY", 10, 150))
        await until(lambda: bought.isDone() and status(resting) == "Submitted")
        first.disconnect()
        await until(lambda: not lab.gateway.sessions)

        again = await connect_ib(lab, client_id)
        assert [position.position for position in again.positions()] == [100]
        assert [trade.order.lmtPrice for trade in again.openTrades()] == [150]
        assert [fill.execution.shares for fill in again.fills()] == [100]
        assert [fill.commissionReport.commission for fill in again.fills()] == [1.0]
        assert {trade.orderStatus.status for trade in again.trades()} == {"Filled", "Submitted"}
        values = {value.tag: value.value for value in again.accountValues() if value.currency == "USD"}
        assert values["NetLiquidation"] == "999998.00"  # spread and commission are gone
        assert [item.position for item in again.portfolio()] == [100]
        assert again.client.getReqId() > resting.order.orderId
        assert ib_complaints() == []

    play(scene)


def test_quotes_and_prints_stream_into_the_ticker(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02", size=300)
        ib = await connect_ib(lab, 1)
        ticker = ib.reqMktData(SPY_BY_ID)
        await until(lambda: ticker.bid == 168.0 and ticker.askSize == 300)
        lab.quote("SPY", "168.01", "168.02", size=200, after_s=1)
        lab.trade("SPY", "168.02", 400, after_s=1)
        lab.trade("SPY", "167.90", 100, after_s=1)
        await until(lambda: ticker.volume == 500)
        assert (ticker.bid, ticker.bidSize, ticker.ask, ticker.askSize) == (168.01, 200, 168.02, 200)
        assert (ticker.last, ticker.lastSize, ticker.open, ticker.high, ticker.low) == (
            167.9,
            100,
            168.02,
            168.02,
            167.9,
        )
        assert (ticker.minTick, ticker.marketDataType) == (0.01, 1)
        ib.cancelMktData(SPY_BY_ID)
        await ib.reqCurrentTimeAsync()
        lab.quote("SPY", "169.00", "169.02", after_s=1)
        await ib.reqCurrentTimeAsync()
        assert ticker.bid == 168.01

    play(scene)


def test_a_burst_within_a_quarter_second_is_sampled_but_ends_on_the_newest_quote(
    connect_ib: ConnectIb, until: Until
) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        ticker = ib.reqMktData(await spy(ib))
        bids: list[float] = []
        ticker.updateEvent += lambda _: bids.append(ticker.bid)
        for cents in range(20):
            lab.market.quote("SPY", f"168.{cents:02d}", "169.00", lab.start_ns + 1_000_000_000 + cents * 1_000_000)
        lab.advance(1.5)
        await until(lambda: bids and bids[-1] == 168.19)
        assert len(bids) <= 3

    play(scene)


def test_snapshot_ends_by_itself(connect_ib: ConnectIb) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02")
        ib = await connect_ib(lab, 1)
        (ticker,) = await ib.reqTickersAsync(await spy(ib))
        assert (ticker.bid, ticker.ask) == (168.0, 168.02)

    play(scene)


def test_history_comes_with_dates_in_the_exchange_zone_and_as_epoch(connect_ib: ConnectIb) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.market.give_history(
            "SPY", lab.start_ns - 5 * MINUTE_NS, MINUTE_NS, ["167.5", "167.6", "167.7", "167.8", "168"]
        )
        ib = await connect_ib(lab, 1)
        contract = await spy(ib)
        bars = await ib.reqHistoricalDataAsync(contract, "", "1 D", "1 min", "TRADES", useRTH=True)
        assert [bar.close for bar in bars] == [167.5, 167.6, 167.7, 167.8, 168]
        assert (bars[-1].date.strftime("%H:%M"), bars[-1].volume, bars[-1].barCount) == ("09:59", 100, 1)
        epoch = await ib.reqHistoricalDataAsync(contract, "", "120 S", "1 min", "TRADES", useRTH=True, formatDate=2)
        assert [bar.date.timestamp() * 1e9 for bar in epoch if isinstance(bar.date, datetime)] == [
            lab.start_ns - 2 * MINUTE_NS,
            lab.start_ns - MINUTE_NS,
        ]

    play(scene)


def test_history_kept_up_to_date_grows_and_adds_bars(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        first = lab.start_ns - MINUTE_NS
        lab.market.give_history("SPY", first, MINUTE_NS, ["167.5"])
        ib = await connect_ib(lab, 1)
        bars = await ib.reqHistoricalDataAsync(await spy(ib), "", "1 D", "1 min", "TRADES", True, keepUpToDate=True)
        lab.market.give_history("SPY", first, MINUTE_NS, ["167.6", "168.0"])
        lab.advance(5)
        await until(lambda: len(bars) == 2)
        assert [bar.close for bar in bars] == [167.6, 168.0]

    play(scene)


def test_no_history_is_error_162(connect_ib: ConnectIb, ib_complaints: Complaints) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        assert not await ib.reqHistoricalDataAsync(await spy(ib), "", "1 D", "1 min", "TRADES", True)

    play(scene)
    assert any("Error 162" in text for text in ib_complaints())


def test_market_order_fills_at_the_ask_then_its_commission_comes(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02")
        ib = await connect_ib(lab, 1)
        trade = ib.placeOrder(await spy(ib), MarketOrder("BUY", 300, orderRef="alpha:1"))
        await until(lambda: trade.fills and trade.fills[0].commissionReport.execId)
        fill = trade.fills[0]
        assert (fill.execution.price, fill.execution.shares, fill.execution.orderRef) == (168.02, 300, "alpha:1")
        assert fill.execution.time.timestamp() * 1e9 == lab.start_ns
        assert (fill.commissionReport.commission, fill.commissionReport.currency) == (1.5, "USD")
        assert status(trade) == "Filled"
        await until(lambda: ib.positions())
        (row,) = lab.book.executions
        assert (row.exec_id, row.order_ref, row.con_id) == (fill.execution.execId, "alpha:1", 756733)

    play(scene)


def test_partial_fills_report_cumulative_quantity_and_average(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02", size=100)
        ib = await connect_ib(lab, 1)
        trade = ib.placeOrder(await spy(ib), MarketOrder("BUY", 250))
        await until(lambda: trade.filled() == 100)
        assert (status(trade), trade.remaining()) == ("Submitted", 150)
        lab.quote("SPY", "168.02", "168.04", size=150, after_s=1)
        await until(lambda: status(trade) == "Filled")
        assert [fill.execution.cumQty for fill in trade.fills] == [100, 250]
        assert trade.orderStatus.avgFillPrice == pytest.approx((100 * 168.02 + 150 * 168.04) / 250)

    play(scene)


def test_limit_order_rests_is_changed_and_canceled(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02")
        ib = await connect_ib(lab, 1)
        trade = ib.placeOrder(await spy(ib), LimitOrder("BUY", 100, 167))
        await until(lambda: status(trade) == "Submitted")
        perm_id = trade.order.permId
        trade.order.lmtPrice = 167.5
        ib.placeOrder(trade.contract, trade.order)
        await until(lambda: any(entry.message == "Modified" for entry in trade.log))
        trade.order.totalQuantity = 200
        ib.placeOrder(trade.contract, trade.order)
        await until(lambda: trade.orderStatus.remaining == 200)
        (row,) = lab.book.orders
        assert (str(row.limit_px), str(row.qty), row.perm_id) == ("167.5", "200", perm_id)
        heard: list[int] = []
        ib.errorEvent += lambda req_id, code, text, about: heard.append(code)
        ib.cancelOrder(trade.order)
        await until(lambda: status(trade) == "Cancelled")
        await until(lambda: heard == [202])
        assert [row.status for row in lab.book.orders] == ["Cancelled"]
        completed = await ib.reqCompletedOrdersAsync(False)
        assert [(one.order.permId, status(one)) for one in completed] == [(perm_id, "Cancelled")]

    play(scene)


def test_stop_waits_for_its_trigger_and_then_fills(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02")
        lab.trade("SPY", "168.01")
        ib = await connect_ib(lab, 1)
        trade = ib.placeOrder(await spy(ib), StopOrder("SELL", 100, 167.5))
        await until(lambda: trade.orderStatus.whyHeld == "trigger")
        assert status(trade) == "PreSubmitted"
        lab.quote("SPY", "167.48", "167.50", after_s=1)
        lab.trade("SPY", "167.50", after_s=1)
        await until(lambda: status(trade) == "Filled")
        assert trade.fills[0].execution.price == 167.48

    play(scene)


def test_an_order_before_the_open_waits_and_fills_after_it(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02")
        ib = await connect_ib(lab, 1)
        trade = ib.placeOrder(await spy(ib), MarketOrder("BUY", 100))
        await until(lambda: status(trade) == "PreSubmitted")
        lab.quote("SPY", "168.10", "168.12", after_s=240)
        await until(lambda: status(trade) == "Filled")
        assert "Submitted" in [entry.status for entry in trade.log]
        assert trade.fills[0].execution.price == 168.12

    play(scene, at="09:26")


def test_orders_survive_a_cut_connection_and_fill_while_nobody_listens(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02")
        ib = await connect_ib(lab, 4)
        trade = ib.placeOrder(await spy(ib), LimitOrder("BUY", 100, 167.9, orderRef="s:1"))
        await until(lambda: status(trade) == "Submitted")
        order_id, perm_id = trade.order.orderId, trade.order.permId
        lab.cut_connections()
        await until(lambda: not ib.isConnected() and not lab.gateway.sessions)
        lab.quote("SPY", "167.88", "167.90", after_s=1)

        again = await connect_ib(lab, 4)
        (fill,) = again.fills()
        assert (fill.execution.orderId, fill.execution.permId, fill.execution.orderRef) == (order_id, perm_id, "s:1")
        assert again.client.getReqId() > order_id

    play(scene)


def test_a_client_hears_of_its_own_orders_and_client_0_of_all(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02")
        master = await connect_ib(lab, 0)
        one, two = await connect_ib(lab, 1), await connect_ib(lab, 2)
        contract = await spy(one)
        bought = one.placeOrder(contract, MarketOrder("BUY", 100))
        resting = two.placeOrder(contract, LimitOrder("SELL", 50, 170))
        await until(lambda: status(bought) == "Filled" and status(resting) == "Submitted")
        await until(lambda: len(master.trades()) == 2 and master.fills()[0].commissionReport.execId)
        assert {trade.order.clientId for trade in master.trades()} == {1, 2}
        assert [trade.order.clientId for trade in one.trades()] == [1]
        assert [trade.order.clientId for trade in two.trades()] == [2]
        assert not two.fills()
        assert [fill.execution.clientId for fill in await master.reqExecutionsAsync()] == [1]
        assert await two.reqExecutionsAsync() == []
        assert [trade.order.clientId for trade in await two.reqOpenOrdersAsync()] == [2]
        assert [trade.order.clientId for trade in await one.reqAllOpenOrdersAsync()] == [2]

    play(scene)


def test_only_the_placing_client_can_cancel_but_a_global_cancel_takes_all(
    connect_ib: ConnectIb, ib_complaints: Complaints, until: Until
) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02")
        one, two = await connect_ib(lab, 1), await connect_ib(lab, 2)
        resting = one.placeOrder(await spy(one), LimitOrder("BUY", 50, 160))
        await until(lambda: status(resting) == "Submitted")
        raw(two.client).cancelOrder(resting.order.orderId)
        await until(lambda: any("Error 10147" in text for text in ib_complaints()))
        assert status(resting) == "Submitted"
        raw(two.client).reqGlobalCancel()
        await until(lambda: status(resting) == "Cancelled")

    play(scene)


def test_a_second_connection_under_the_same_id_gets_326_and_is_closed(
    connect_ib: ConnectIb, ib_complaints: Complaints
) -> None:
    async def scene(lab: GatewayLab) -> None:
        first = await connect_ib(lab, 5)
        with pytest.raises((ConnectionError, TimeoutError)):
            await IB().connectAsync("127.0.0.1", lab.port, clientId=5, timeout=1)
        assert first.isConnected()
        assert await first.reqCurrentTimeAsync()

    play(scene)
    assert any("Error 326" in text for text in ib_complaints())


def test_manual_orders_are_bound_to_client_0_and_their_fills_are_seen(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02")
        master, other = await connect_ib(lab, 0), await connect_ib(lab, 3)
        manual = lab.place_manual_order("SPY", Side.BUY, 100, "167.9")
        await until(lambda: master.openTrades())
        await master.reqOpenOrdersAsync()
        bound = lab.gateway.broker.order(manual.perm_id)
        assert bound.order_id < 0
        lab.quote("SPY", "167.88", "167.90", after_s=1)
        await until(lambda: master.fills())
        assert master.fills()[0].execution.permId == manual.perm_id
        assert not other.fills()
        await until(lambda: other.positions())

    play(scene)


REFUSED_ORDERS: list[tuple[Order, int]] = [
    (Order(action="BUY", totalQuantity=10, orderType="PEG STK"), 387),
    (Order(action="HOLD", totalQuantity=10, orderType="MKT"), 321),
    (Order(action="BUY", totalQuantity=0, orderType="MKT"), 434),
    (Order(action="BUY", totalQuantity=-5, orderType="MKT"), 321),
    (Order(action="BUY", totalQuantity=1.5, orderType="MKT"), 10243),
    (Order(action="BUY", totalQuantity=10, orderType="LMT"), 321),
    (Order(action="BUY", totalQuantity=10, orderType="LMT", lmtPrice=100.001), 110),
    (Order(action="BUY", totalQuantity=10, orderType="STP", auxPrice=-1), 321),
    (Order(action="BUY", totalQuantity=10, orderType="MKT", tif="GTX"), 10052),
    (Order(action="BUY", totalQuantity=10, orderType="MKT", account="DU9"), 321),
    (Order(action="BUY", totalQuantity=10, orderType="MKT", parentId=3), 10006),
]


def test_every_order_it_cannot_take_is_refused_with_ibs_code(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02")
        ib = await connect_ib(lab, 1)
        contract = await spy(ib)
        heard: dict[int, int] = {}
        ib.errorEvent += lambda req_id, code, text, about: heard.setdefault(req_id, code)
        expected = {}
        for order, code in REFUSED_ORDERS:
            trade = ib.placeOrder(contract, order)
            expected[trade.order.orderId] = code
        unknown = ib.placeOrder(Stock("NOSUCH", "SMART", "USD"), MarketOrder("BUY", 1))
        expected[unknown.order.orderId] = 200
        await until(lambda: len(heard) == len(expected))
        assert heard == expected
        assert lab.book.orders == []

    play(scene)


def test_changes_and_cancels_of_what_is_over_are_refused(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02")
        ib = await connect_ib(lab, 1)
        contract = await spy(ib)
        heard: list[tuple[int, int]] = []
        ib.errorEvent += lambda req_id, code, text, about: heard.append((req_id, code))
        filled = ib.placeOrder(contract, MarketOrder("BUY", 100))
        resting = ib.placeOrder(contract, LimitOrder("BUY", 100, 160))
        await until(lambda: status(filled) == "Filled" and status(resting) == "Submitted")
        raw(ib.client).placeOrder(filled.order.orderId, contract, MarketOrder("BUY", 200))
        raw(ib.client).cancelOrder(filled.order.orderId)
        raw(ib.client).cancelOrder(9999)
        raw(ib.client).placeOrder(filled.order.orderId - 1, contract, MarketOrder("BUY", 1))
        raw(ib.client).placeOrder(resting.order.orderId, contract, LimitOrder("SELL", 100, 160))
        await until(lambda: len(heard) == 5)
        gone = filled.order.orderId
        assert heard == [(gone, 104), (gone, 10148), (9999, 10147), (gone - 1, 103), (resting.order.orderId, 105)]
        assert [row.status for row in lab.book.orders] == ["Filled", "Submitted"]

    play(scene)


def test_what_if_answers_margins_and_places_nothing(connect_ib: ConnectIb) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02")
        ib = await connect_ib(lab, 1)
        state = await ib.whatIfOrderAsync(await spy(ib), LimitOrder("BUY", 100, 168))
        assert (float(state.initMarginChange), state.commission) == (8400, 1.0)
        assert lab.book.orders == []

    play(scene)


def test_contract_details_list_all_matches_and_200_for_none(connect_ib: ConnectIb, ib_complaints: Complaints) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        (details,) = await ib.reqContractDetailsAsync(SPY)
        assert details.contract is not None
        assert (details.contract.conId, details.minTick, details.stockType) == (756733, 0.01, "ETF")
        assert details.timeZoneId == "US/Eastern"
        assert details.tradingHours.startswith("20131007:0400-20131007:2000;")
        futures = await ib.reqContractDetailsAsync(Future("ES", exchange="CME"))
        assert len(futures) == 2
        (euro,) = await ib.reqContractDetailsAsync(Forex("EURUSD"))
        assert euro.minTick == 0.00005
        assert ib_complaints() == []
        assert await ib.reqContractDetailsAsync(Stock("NOSUCH", "SMART", "USD")) == []

    play(scene)
    assert any("Error 200" in text for text in ib_complaints())


def test_tick_by_tick_and_five_second_bars_stream(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02")
        ib = await connect_ib(lab, 1)
        contract = await spy(ib)
        prints = ib.reqTickByTickData(contract, "AllLast")
        quotes = ib.reqTickByTickData(contract, "BidAsk")
        mids = ib.reqTickByTickData(contract, "MidPoint")
        bars = ib.reqRealTimeBars(contract, 5, "TRADES", True)
        await ib.reqCurrentTimeAsync()
        heard: list[tuple[str, float]] = []
        ib.pendingTickersEvent += lambda tickers: heard.extend(
            (
                type(tick).__name__,
                getattr(tick, "price", 0) or getattr(tick, "bidPrice", 0) or getattr(tick, "midPoint", 0),
            )
            for ticker in tickers
            for tick in ticker.tickByTicks
        )
        lab.trade("SPY", "168.02", 300, after_s=1)
        lab.trade("SPY", "168.00", 100, after_s=1)
        lab.quote("SPY", "168.02", "168.04", after_s=1)
        await until(lambda: len(heard) == 4)
        assert {kind for kind, _ in heard} == {"TickByTickAllLast", "TickByTickBidAsk", "TickByTickMidPoint"}
        lab.advance(5)
        await until(lambda: len(bars) == 1)
        assert (bars[0].open_, bars[0].high, bars[0].low, bars[0].close, bars[0].volume) == (
            168.02,
            168.02,
            168.0,
            168.0,
            400,
        )
        assert bars[0].wap == pytest.approx((300 * 168.02 + 100 * 168.0) / 400)
        assert prints is quotes is mids

    play(scene)


def test_account_summary_pnl_and_multi_updates_follow_a_fill(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02")
        ib = await connect_ib(lab, 1)
        contract = await spy(ib)
        account = ib.managedAccounts()[0]
        summary = await ib.accountSummaryAsync()
        assert {row.tag for row in summary} >= {"NetLiquidation", "BuyingPower", "CashBalance"}
        assert {row.currency for row in summary if row.tag == "CashBalance"} == {"USD", "BASE"}
        pnl, single = ib.reqPnL(account), ib.reqPnLSingle(account, "", contract.conId)
        trade = ib.placeOrder(contract, MarketOrder("BUY", 100))
        await until(trade.isDone)
        lab.quote("SPY", "169.00", "169.02", after_s=2)
        await until(lambda: pnl.unrealizedPnL == 98.0 and single.position == 100)
        assert (single.unrealizedPnL, single.value, pnl.dailyPnL) == (98.0, 16901.0, 98.0)
        await until(
            lambda: any(value.tag == "NetLiquidation" and value.value == "1000098.00" for value in ib.accountValues())
        )

    play(scene)


def test_account_values_come_every_three_minutes_and_not_between(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02")
        ib = await connect_ib(lab, 1)
        trade = ib.placeOrder(await spy(ib), MarketOrder("BUY", 100))
        await until(lambda: ib.portfolio())
        lab.advance(1)
        await ib.reqCurrentTimeAsync()
        marks: list[float] = []
        ib.updatePortfolioEvent += lambda item: marks.append(item.marketPrice)
        lab.quote("SPY", "170.00", "170.02", after_s=120)
        await ib.reqCurrentTimeAsync()
        assert marks == []
        lab.advance(60)
        await until(lambda: marks == [170.01])
        assert trade.isDone()

    play(scene)


def test_lookups_end_even_when_there_is_nothing(connect_ib: ConnectIb, ib_complaints: Complaints) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        contract = await spy(ib)
        found = await ib.reqMatchingSymbolsAsync("SP")
        assert found is not None
        assert [one.contract.symbol for one in found if one.contract] == ["SPY"]
        rule = await ib.reqMarketRuleAsync(26)
        assert rule is not None
        assert [step.increment for step in rule] == [0.01]
        assert await ib.reqSecDefOptParamsAsync("SPY", "", "STK", contract.conId) == []
        assert await ib.reqNewsProvidersAsync() == []
        assert (await ib.reqCurrentTimeAsync()).timestamp() * 1e9 == lab.start_ns
        assert ib_complaints() == []

    play(scene)


def test_a_clock_that_is_not_real_is_announced_on_start_and_on_every_move(until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        told: list[str] = []
        ib = IB()
        ib.errorEvent += lambda req_id, code, text, about: told.append(text) if code == 2199 else None
        await ib.connectAsync("127.0.0.1", lab.port, clientId=1)
        lab.advance(60)
        await until(lambda: len(told) == 2)
        then = lab.start_ns + 60 * 1_000_000_000
        assert told == [f"Simulated clock: market_ns={ns} speed=0.001" for ns in (lab.start_ns, then)]

    play(scene)


def test_a_real_clock_is_not_announced() -> None:
    async def scene() -> None:
        told: list[int] = []
        gateway = Gateway(ScriptedMarket(), SimAccount(AccountId("DU1")), SimClock())
        async with GatewayServer(gateway, "127.0.0.1", 0) as server:
            ib = IB()
            ib.errorEvent += lambda req_id, code, text, about: told.append(code)
            await ib.connectAsync("127.0.0.1", server.port, clientId=1)
            await ib.reqCurrentTimeAsync()
            ib.disconnect()
        assert told == [2104, 2106, 2158]

    asyncio.run(scene())
