"""Every method of ``ib_async.IB`` that asks for something gets an answer, or IB's own error; never silence."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import date
from typing import Any

import pytest
from ib_async import IB, Contract, ExecutionFilter, LimitOrder, MarketOrder, Option, ScannerSubscription, Stock
from ib_async.objects import WshEventData

pytestmark = pytest.mark.slow
ASKS = re.compile(r"(req|cancel|calculate|exercise|get|place|qualify|replace|request|whatIf)[A-Z]|accountSummary$")
ACCOUNT = "DU1000001"
SPY = Contract(secType="STK", conId=756733, symbol="SPY", exchange="SMART", currency="USD")
WAIT_S = 8.0
OPTIONS = "--port 0 --parent-pipe --limits off --speed 5 --start 10:00 --seed 7 --securities world"
Answer = Any
Call = Callable[["Desk"], Awaitable[Answer]]
Check = Callable[[Answer], object]


def raw(client: IB) -> Any:  # some methods of ib_async have no types
    return client


class Desk:
    """One connected client, and what it is told beside its answers."""

    def __init__(self, ib: IB) -> None:
        self.ib = ib
        self.codes: list[int] = []
        self.changed = asyncio.Event()
        ib.errorEvent += self._on_error
        ib.updateEvent += self.changed.set

    def _on_error(self, req_id: int, code: int, text: str, contract: object) -> None:
        self.codes.append(code)
        self.changed.set()

    async def until(self, found: Callable[[], Any]) -> Any:
        """Return what a question finds, once it is true; every update of the client may make it so."""
        async with asyncio.timeout(WAIT_S):
            while not (answer := found()):
                await self.changed.wait()
                self.changed.clear()
        return answer

    async def option(self) -> Contract:
        chains = await self.ib.reqSecDefOptParamsAsync("SPY", "", "STK", 756733)
        chain = next(one for one in chains if one.exchange == "SMART")
        strike = sorted(chain.strikes)[len(chain.strikes) // 2]
        wanted = Option("SPY", sorted(chain.expirations)[-1], strike, "C", "SMART", currency="USD")
        (contract,) = await self.ib.qualifyContractsAsync(wanted)
        assert isinstance(contract, Contract)
        return contract

    async def read(self) -> None:
        """Wait until the gateway has read all that was sent: it answers in order."""
        await self.ib.reqCurrentTimeAsync()


def _stream(found: Callable[[Any], Any], start: Callable[[IB], Any]) -> Call:
    async def call(desk: Desk) -> Any:
        started = start(desk.ib)
        return await desk.until(lambda: found(started))

    return call


def _plain(start: Callable[[IB], Awaitable[Any]]) -> Call:
    async def call(desk: Desk) -> Any:
        return await start(desk.ib)

    return call


def _ended(start: Callable[[IB], Any], end: Callable[[IB, Any], Any]) -> Call:
    """Start a stream, end it, and see that the connection goes on without a word."""

    async def call(desk: Desk) -> bool:
        started = start(desk.ib)
        await desk.read()
        end(desk.ib, started)
        await desk.read()
        return not desk.codes

    return call


def _refused(codes: set[int], start: Callable[[IB], Any]) -> Call:
    """Be told some codes; what ib_async returns then is its own affair."""

    async def call(desk: Desk) -> set[int]:
        started = start(desk.ib)
        if inspect.isawaitable(started):
            await started
        await desk.until(lambda: codes <= set(desk.codes))
        return codes

    return call


async def _order(desk: Desk) -> Any:
    trade = desk.ib.placeOrder(SPY, MarketOrder("BUY", 1))
    await desk.until(trade.isDone)
    return trade.orderStatus.status == "Filled"


async def _cancel(desk: Desk) -> Any:
    trade = desk.ib.placeOrder(SPY, LimitOrder("BUY", 1, 10))
    await desk.until(lambda: trade.orderStatus.status in ("Submitted", "Cancelled"))
    desk.ib.cancelOrder(trade.order)
    await desk.until(trade.isDone)
    return trade.orderStatus.status == "Cancelled"


async def _cancel_all(desk: Desk) -> Any:
    trade = desk.ib.placeOrder(SPY, LimitOrder("BUY", 1, 10))
    raw(desk.ib).reqGlobalCancel()
    await desk.until(trade.isDone)
    return trade.orderStatus.status == "Cancelled"


async def _cancel_history(desk: Desk) -> bool:
    bars = await desk.ib.reqHistoricalDataAsync(SPY, "", "1 D", "1 min", "TRADES", True, keepUpToDate=True)
    await desk.until(lambda: bars)
    desk.ib.cancelHistoricalData(bars)
    await desk.read()
    return not desk.codes


async def _volatility(desk: Desk) -> Any:
    return await desk.ib.calculateImpliedVolatilityAsync(await desk.option(), 12.5, 441.0)


async def _option_price(desk: Desk) -> Any:
    return await desk.ib.calculateOptionPriceAsync(await desk.option(), 0.2, 441.0)


async def _exercise(desk: Desk) -> set[int]:
    desk.ib.exerciseOptions(await desk.option(), 1, 1, ACCOUNT, 0)
    await desk.until(lambda: 322 in desk.codes)
    return {322}


SCAN = ScannerSubscription(instrument="STK", locationCode="STK.US.MAJOR", scanCode="MOST_ACTIVE")
OK = bool
ANY: Check = lambda answer: True  # noqa: E731 - an empty list is an answer too
CALLS: dict[str, tuple[Call, Check]] = {
    "accountSummary": (_plain(lambda ib: ib.accountSummaryAsync(ACCOUNT)), OK),
    "calculateImpliedVolatility": (_volatility, lambda one: 0 < one.impliedVol < 2),
    "calculateOptionPrice": (_option_price, lambda one: one.optPrice > 0),
    "cancelHistoricalData": (_cancel_history, OK),
    "cancelMktData": (_ended(lambda ib: ib.reqMktData(SPY), lambda ib, _: ib.cancelMktData(SPY)), OK),
    "cancelMktDepth": (
        _ended(
            lambda ib: ib.reqMktDepth(SPY, isSmartDepth=True), lambda ib, _: ib.cancelMktDepth(SPY, isSmartDepth=True)
        ),
        OK,
    ),
    "cancelNewsBulletins": (
        _ended(lambda ib: ib.reqNewsBulletins(True), lambda ib, _: raw(ib).cancelNewsBulletins()),
        OK,
    ),
    "cancelOrder": (_cancel, OK),
    "cancelPnL": (_ended(lambda ib: ib.reqPnL(ACCOUNT), lambda ib, _: ib.cancelPnL(ACCOUNT)), OK),
    "cancelPnLSingle": (
        _ended(lambda ib: ib.reqPnLSingle(ACCOUNT, "", 756733), lambda ib, _: ib.cancelPnLSingle(ACCOUNT, "", 756733)),
        OK,
    ),
    "cancelRealTimeBars": (
        _ended(lambda ib: ib.reqRealTimeBars(SPY, 5, "TRADES", False), lambda ib, bars: ib.cancelRealTimeBars(bars)),
        OK,
    ),
    "cancelScannerSubscription": (
        _ended(lambda ib: ib.reqScannerSubscription(SCAN), lambda ib, rows: ib.cancelScannerSubscription(rows)),
        OK,
    ),
    "cancelTickByTickData": (
        _ended(lambda ib: ib.reqTickByTickData(SPY, "BidAsk"), lambda ib, _: ib.cancelTickByTickData(SPY, "BidAsk")),
        OK,
    ),
    "cancelWshEventData": (
        _refused({10282, 10284}, lambda ib: _wsh(ib, ib.reqWshEventData, ib.cancelWshEventData)),
        OK,
    ),
    "cancelWshMetaData": (_refused({10276, 10280}, lambda ib: _wsh(ib, ib.reqWshMetaData, ib.cancelWshMetaData)), OK),
    "exerciseOptions": (_exercise, OK),
    "getWshEventData": (_refused({10282, 10284}, lambda ib: ib.getWshEventDataAsync(WshEventData())), OK),
    "getWshMetaData": (_refused({10276}, lambda ib: ib.getWshMetaDataAsync()), OK),
    "placeOrder": (_order, OK),
    "qualifyContracts": (_plain(lambda ib: ib.qualifyContractsAsync(Stock("SPY", "SMART", "USD"))), OK),
    "replaceFA": (_refused({321}, lambda ib: ib.replaceFA(1, "<x/>")), OK),
    "reqAccountSummary": (_plain(lambda ib: ib.reqAccountSummaryAsync()), ANY),
    "reqAccountUpdates": (_plain(lambda ib: ib.reqAccountUpdatesAsync(ACCOUNT)), ANY),
    "reqAccountUpdatesMulti": (_plain(lambda ib: ib.reqAccountUpdatesMultiAsync(ACCOUNT)), ANY),
    "reqAllOpenOrders": (_plain(lambda ib: ib.reqAllOpenOrdersAsync()), ANY),
    "reqCompletedOrders": (_plain(lambda ib: ib.reqCompletedOrdersAsync(False)), ANY),
    "reqContractDetails": (_plain(lambda ib: ib.reqContractDetailsAsync(SPY)), OK),
    "reqCurrentTime": (_plain(lambda ib: ib.reqCurrentTimeAsync()), OK),
    "reqExecutions": (_plain(lambda ib: ib.reqExecutionsAsync(ExecutionFilter())), ANY),
    "reqFundamentalData": (_refused({430}, lambda ib: ib.reqFundamentalDataAsync(SPY, "ReportSnapshot")), OK),
    "reqGlobalCancel": (_cancel_all, OK),
    "reqHeadTimeStamp": (_plain(lambda ib: ib.reqHeadTimeStampAsync(SPY, "TRADES", True, 1)), OK),
    "reqHistogramData": (_plain(lambda ib: ib.reqHistogramDataAsync(SPY, False, "1 day")), OK),
    "reqHistoricalData": (
        _plain(lambda ib: ib.reqHistoricalDataAsync(SPY, "", "2 D", "1 min", "TRADES", True)),
        lambda bars: len(bars) > 300,
    ),
    "reqHistoricalNews": (_plain(lambda ib: ib.reqHistoricalNewsAsync(756733, "BZ", "", "", 10)), ANY),
    "reqHistoricalSchedule": (_plain(lambda ib: ib.reqHistoricalScheduleAsync(SPY, 3)), lambda one: one.sessions),
    "reqHistoricalTicks": (
        _plain(lambda ib: ib.reqHistoricalTicksAsync(SPY, date(2020, 1, 2), "", 5, "TRADES", False)),
        ANY,
    ),
    "reqMarketRule": (_plain(lambda ib: ib.reqMarketRuleAsync(26)), OK),
    "reqMatchingSymbols": (_plain(lambda ib: ib.reqMatchingSymbolsAsync("SP")), OK),
    "reqMktData": (_stream(lambda ticker: ticker.bid > 0 and ticker.last > 0, lambda ib: ib.reqMktData(SPY)), OK),
    "reqMktDepth": (
        _stream(lambda ticker: ticker.domBids and ticker.domAsks, lambda ib: ib.reqMktDepth(SPY, isSmartDepth=True)),
        OK,
    ),
    "reqMktDepthExchanges": (_plain(lambda ib: ib.reqMktDepthExchangesAsync()), OK),
    "reqNewsArticle": (_refused({10172}, lambda ib: ib.reqNewsArticleAsync("BZ", "BZ$1")), OK),
    "reqNewsProviders": (_plain(lambda ib: ib.reqNewsProvidersAsync()), ANY),
    "reqOpenOrders": (_plain(lambda ib: ib.reqOpenOrdersAsync()), ANY),
    "reqPnL": (_stream(lambda one: one.dailyPnL == one.dailyPnL, lambda ib: ib.reqPnL(ACCOUNT)), OK),
    "reqPnLSingle": (_stream(lambda one: one.value == one.value, lambda ib: ib.reqPnLSingle(ACCOUNT, "", 756733)), OK),
    "reqPositions": (_plain(lambda ib: ib.reqPositionsAsync()), ANY),
    "reqRealTimeBars": (_stream(OK, lambda ib: ib.reqRealTimeBars(SPY, 5, "TRADES", False)), OK),
    "reqScannerData": (_plain(lambda ib: ib.reqScannerDataAsync(SCAN)), OK),
    "reqScannerParameters": (_plain(lambda ib: ib.reqScannerParametersAsync()), OK),
    "reqScannerSubscription": (_stream(OK, lambda ib: ib.reqScannerSubscription(SCAN)), OK),
    "reqSecDefOptParams": (_plain(lambda ib: ib.reqSecDefOptParamsAsync("SPY", "", "STK", 756733)), OK),
    "reqSmartComponents": (_plain(lambda ib: raw(ib).reqSmartComponentsAsync("9c0001")), OK),
    "reqTickByTickData": (_stream(lambda one: one.tickByTicks, lambda ib: ib.reqTickByTickData(SPY, "BidAsk")), OK),
    "reqTickers": (_plain(lambda ib: ib.reqTickersAsync(SPY)), lambda tickers: tickers[0].bid > 0),
    "reqUserInfo": (_plain(lambda ib: raw(ib).reqUserInfoAsync()), ANY),
    "reqWshEventData": (_refused({10282}, lambda ib: ib.reqWshEventData(WshEventData())), OK),
    "reqWshMetaData": (_refused({10276}, lambda ib: raw(ib).reqWshMetaData()), OK),
    "requestFA": (_refused({321}, lambda ib: ib.requestFAAsync(1)), OK),
    "whatIfOrder": (
        _plain(lambda ib: ib.whatIfOrderAsync(SPY, MarketOrder("BUY", 100))),
        lambda state: float(state.initMarginChange) > 0,
    ),
}
"""How each is asked, and what an answer must be."""
GIVEN_UP = {"requestFA": ["requestFAAsync: Timeout"]}
"""What ib_async waits for in vain after IB's error, which names no request."""
UNANSWERED: dict[str, Callable[[IB], Any]] = {
    "reqAutoOpenOrders": lambda ib: ib.reqAutoOpenOrders(True),
    "reqMarketDataType": lambda ib: ib.reqMarketDataType(1),
    "reqNewsBulletins": lambda ib: ib.reqNewsBulletins(True),
}
"""What IB does not answer either."""


def _wsh(ib: IB, start: Callable[..., Any], end: Callable[[], Any]) -> None:
    start(*([WshEventData()] if start == ib.reqWshEventData else []))
    end()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    gateway = subprocess.Popen(
        [sys.executable, "-m", "ibfloor", "gateway", *OPTIONS.split()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert gateway.stdin is not None
    assert gateway.stdout is not None
    try:
        yield int(json.loads(gateway.stdout.readline())["port"])
    finally:
        gateway.stdin.close()
        gateway.wait(10)
        gateway.stdout.close()


def test_every_public_request_of_ib_async_is_tried_here() -> None:
    names = {name for name, _ in inspect.getmembers(IB, inspect.isfunction) if ASKS.match(name)}
    assert {name.removesuffix("Async") for name in names} == set(CALLS) | set(UNANSWERED)


def ask(port: int, client_id: int, call: Call) -> tuple[Answer, list[int]]:
    async def scene() -> tuple[Answer, list[int]]:
        ib = IB()
        await ib.connectAsync("127.0.0.1", port, clientId=client_id, timeout=8)
        desk = Desk(ib)
        try:
            answer = await asyncio.wait_for(call(desk), 20)
            await ib.reqCurrentTimeAsync()
            return answer, desk.codes
        finally:
            ib.disconnect()

    return asyncio.run(scene())


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What ib_async logged of timeouts and of fields it could not read; errors that it was told are checked apart."""
    records = [record for record in caplog.records if record.levelno >= logging.WARNING]
    return [text for record in records if not re.match(r"(Error|Warning) \d+, reqId", text := record.getMessage())]


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_request_is_answered_or_refused_as_ib_refuses_it(
    name: str, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    call, check = CALLS[name]
    answer, codes = ask(port, 100 + sorted(CALLS).index(name), call)
    assert check(answer)
    expected = answer if isinstance(answer, set) else set()
    if name in ("cancelOrder", "reqGlobalCancel"):
        expected = {202}
    assert {code for code in codes if not 2100 <= code < 2200} == expected
    assert complaints(caplog) == GIVEN_UP.get(name, [])


@pytest.mark.parametrize("name", sorted(UNANSWERED))
def test_what_ib_does_not_answer_is_read_without_a_word(name: str, port: int, caplog: pytest.LogCaptureFixture) -> None:
    async def call(desk: Desk) -> None:
        UNANSWERED[name](desk.ib)

    # automatic binding is for client 0 alone
    assert ask(port, 0, call) == (None, [])
    assert complaints(caplog) == []
