"""One build of the official client, driven through the gateway: run with the build's folder on PYTHONPATH.

Arguments: the port. Writes one JSON line per wish (``{"move": true}``: let the market move, answered
by a line) and at last ``{"report": ...}`` with what was seen and what went wrong.
"""

from __future__ import annotations

import inspect
import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ibapi.client import EClient
from ibapi.contract import Contract
from ibapi.execution import ExecutionFilter
from ibapi.order import Order
from ibapi.scanner import ScannerSubscription
from ibapi.wrapper import EWrapper

WAIT_S = 8.0
ACCOUNT = "DU1000001"
NOTICES = range(2100, 2200)
Test = Callable[[tuple[Any, ...]], object]


class Missing(Exception):
    """What was waited for did not come."""


class Complaints(logging.Handler):
    """What the client logs as a warning or worse, and every note of a bad message."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if (record.levelno >= logging.WARNING and not text.startswith("ANSWER error")) or "BadMessage" in text:
            self.texts.append(text)


class Judge(EWrapper, EClient):  # type: ignore[misc]  # the official client has no types
    """Keeps every callback and waits for some of them."""

    def __init__(self) -> None:
        EWrapper.__init__(self)
        EClient.__init__(self, wrapper=self)
        self.heard: list[tuple[str, tuple[Any, ...]]] = []
        self.changed = threading.Condition()
        self.next_req = 1000

    def note(self, name: str, args: tuple[Any, ...]) -> None:
        with self.changed:
            self.heard.append((name, args))
            self.changed.notify_all()

    def seen(self, name: str, test: Test | None = None, since: int = 0) -> list[tuple[Any, ...]]:
        return [args for told, args in self.heard[since:] if told == name and (test is None or test(args))]

    def until(self, name: str, test: Test | None = None, since: int = 0) -> tuple[Any, ...]:
        """Return the first call of a callback that passes a test; raise ``Missing`` when none comes."""
        deadline = time.monotonic() + WAIT_S
        with self.changed:
            while not (found := self.seen(name, test, since)):
                rest = deadline - time.monotonic()
                if rest <= 0:
                    last = list(self.heard[-6:])
                    raise Missing(f"{name} did not come; the last calls were {last!r}"[:900])
                self.changed.wait(rest)
            return found[0]

    def answer(self, name: str, req_id: int) -> tuple[Any, ...]:
        """Return the first call of a callback whose first argument is a request's id."""
        return self.until(name, lambda args: args[0] == req_id)

    def refusal(self, req_id: int, code: int) -> None:
        """Wait for an error of a request; its code stands at another place in newer builds."""
        self.until("error", lambda args: args[0] == req_id and code in args[1:3])

    def ask(self) -> int:
        self.next_req += 1
        return self.next_req

    def move(self) -> None:
        """Have the market move: a quote and a print, a second later."""
        sys.stdout.write('{"move": true}\n')
        sys.stdout.flush()
        assert sys.stdin.readline(), "the test has gone"


def _keeper(name: str) -> Callable[..., None]:
    def keep(self: Judge, *args: Any) -> None:
        self.note(name, args)

    return keep


for _name, _method in vars(EWrapper).items():
    if inspect.isfunction(_method) and not _name.startswith("_") and _name not in ("logAnswer",):
        setattr(Judge, _name, _keeper(_name))


def stock(symbol: str = "SPY") -> Any:
    contract = Contract()
    contract.symbol, contract.secType, contract.exchange, contract.currency = symbol, "STK", "SMART", "USD"
    return contract


def order(action: str, qty: int, kind: str = "MKT", **fields: object) -> Any:
    made = Order()
    made.action, made.totalQuantity, made.orderType, made.tif = action, Decimal(qty), kind, "DAY"
    made.eTradeOnly = made.firmQuoteOnly = False  # the oldest build has them on, which IB refuses
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def _with_tail(call: Callable[..., None], *args: object) -> None:
    # newer builds want an object that says how the order is canceled
    if len(inspect.signature(call).parameters) > len(args):
        try:
            from ibapi.order_cancel import OrderCancel
        except ImportError:
            call(*args, "")
        else:
            call(*args, OrderCancel())
    else:
        call(*args)


def start(judge: Judge) -> None:
    judge.until("nextValidId")
    assert judge.until("managedAccounts")[0] == ACCOUNT
    judge.until("error", lambda args: 2104 in args)
    judge.reqCurrentTime()
    judge.until("currentTime", lambda args: args[0] > 1_300_000_000)
    if judge.serverVersion() >= 197:
        judge.reqCurrentTimeInMillis()
        judge.until("currentTimeInMillis", lambda args: args[0] > 1_300_000_000_000)


def contracts(judge: Judge) -> None:
    req = judge.ask()
    judge.reqContractDetails(req, stock())
    details = judge.answer("contractDetails", req)[1]
    assert (details.contract.conId, details.minTick, details.longName) == (756733, 0.01, "SPDR S&P 500 ETF TRUST")
    assert details.contract.primaryExchange == "ARCA"
    assert "US/Eastern" in details.timeZoneId
    judge.answer("contractDetailsEnd", req)
    req = judge.ask()
    judge.reqContractDetails(req, stock("NOSUCH"))
    judge.refusal(req, 200)


def market_data(judge: Judge) -> None:
    req = judge.ask()
    judge.reqMarketDataType(1)
    judge.reqMktData(req, stock(), "", False, False, [])
    judge.answer("tickReqParams", req)
    judge.move()
    assert judge.until("tickPrice", lambda args: args[:2] == (req, 1))[2] > 100
    judge.until("tickSize", lambda args: args[0] == req)
    judge.until("tickString", lambda args: args[:2] == (req, 45))
    judge.cancelMktData(req)
    snap = judge.ask()
    judge.reqMktData(snap, stock(), "", True, False, [])
    judge.answer("tickSnapshotEnd", snap)


def tick_by_tick(judge: Judge) -> None:
    wanted = {
        "Last": "tickByTickAllLast",
        "AllLast": "tickByTickAllLast",
        "BidAsk": "tickByTickBidAsk",
        "MidPoint": "tickByTickMidPoint",
    }
    reqs = {kind: judge.ask() for kind in wanted}
    for kind, req in reqs.items():
        judge.reqTickByTickData(req, stock(), kind, 0, False)
    judge.reqRealTimeBars(900, stock(), 5, "TRADES", False, [])
    judge.reqCurrentTime()
    for _ in range(6):
        judge.move()
    for kind, name in wanted.items():
        judge.answer(name, reqs[kind])
        judge.cancelTickByTickData(reqs[kind])
    assert judge.answer("realtimeBar", 900)[2] > 100
    judge.cancelRealTimeBars(900)


def history(judge: Judge) -> None:
    for keep in (False, True):
        req = judge.ask()
        judge.reqHistoricalData(req, stock(), "", "1 D", "1 min", "TRADES", 0, 1, keep, [])
        bar = judge.answer("historicalData", req)[1]
        assert (bar.open, int(bar.volume), bar.barCount) == (167.5, 100, 1)
        judge.answer("historicalDataEnd", req)
    judge.cancelHistoricalData(req)
    req = judge.ask()
    judge.reqHistoricalData(req, stock(), "", "1 D", "1 fortnight", "TRADES", 0, 1, False, [])
    judge.refusal(req, 321)


def accounts(judge: Judge) -> None:
    judge.reqAccountUpdates(True, ACCOUNT)
    judge.until("updateAccountValue", lambda args: args[0] == "NetLiquidation")
    judge.until("accountDownloadEnd")
    judge.reqAccountUpdates(False, ACCOUNT)
    req = judge.ask()
    judge.reqAccountSummary(req, "All", "NetLiquidation,BuyingPower")
    judge.answer("accountSummaryEnd", req)
    assert len(judge.seen("accountSummary")) == 2
    judge.cancelAccountSummary(req)
    req = judge.ask()
    judge.reqAccountUpdatesMulti(req, ACCOUNT, "", True)
    judge.answer("accountUpdateMultiEnd", req)
    judge.cancelAccountUpdatesMulti(req)
    judge.reqManagedAccts()


def orders(judge: Judge) -> None:
    first = judge.until("nextValidId")[0]
    judge.placeOrder(first, stock(), order("BUY", 100, orderRef="judge"))
    filled = judge.until("orderStatus", lambda args: args[:2] == (first, "Filled"))
    assert [int(value) for value in filled[2:4]] == [100, 0]
    execution = judge.until("execDetails", lambda args: args[2].orderId == first)[2]
    assert (int(execution.shares), execution.side, execution.orderRef) == (100, "BOT", "judge")
    report = "commissionReport" if hasattr(EWrapper, "commissionReport") else "commissionAndFeesReport"
    judge.until(report, lambda args: args[0].execId == execution.execId)

    second = first + 1
    judge.placeOrder(second, stock(), order("BUY", 10, "LMT", lmtPrice=150.0))
    judge.until("orderStatus", lambda args: args[:2] == (second, "Submitted"))
    judge.placeOrder(second, stock(), order("BUY", 20, "LMT", lmtPrice=151.5))
    shown = judge.until("openOrder", lambda args: args[0] == second and args[2].lmtPrice == 151.5)
    assert (int(shown[2].totalQuantity), shown[2].account, shown[3].status) == (20, ACCOUNT, "Submitted")
    since = len(judge.heard)
    judge.reqOpenOrders()
    judge.until("openOrderEnd", since=since)
    judge.reqAllOpenOrders()
    _with_tail(judge.cancelOrder, second)
    judge.until("orderStatus", lambda args: args[:2] == (second, "Cancelled"))
    judge.refusal(second, 202)

    third = first + 2
    judge.placeOrder(third, stock(), order("BUY", 10, "NOSUCH"))
    judge.refusal(third, 387)
    judge.placeOrder(third, stock(), order("SELL", 10, "STP", auxPrice=120.0))
    judge.until("orderStatus", lambda args: args[:2] == (third, "PreSubmitted"))
    _with_tail(judge.reqGlobalCancel)
    judge.until("orderStatus", lambda args: args[:2] == (third, "Cancelled"))
    judge.placeOrder(first + 3, stock(), order("BUY", 10, whatIf=True))
    preview = judge.until("openOrder", lambda args: args[0] == first + 3)[3]
    assert float(preview.initMarginChange) > 0
    judge.reqIds(1)


def after_orders(judge: Judge) -> None:
    req = judge.ask()
    judge.reqExecutions(req, ExecutionFilter())
    assert int(judge.answer("execDetails", req)[2].shares) == 100
    judge.answer("execDetailsEnd", req)
    judge.reqCompletedOrders(False)
    judge.until("completedOrdersEnd")
    done = [(args[1].orderType, args[2].status) for args in judge.seen("completedOrder")]
    assert done == [("MKT", "Filled"), ("LMT", "Cancelled"), ("STP", "Cancelled")], done
    judge.reqPositions()
    judge.until("position", lambda args: args[1].symbol == "SPY" and int(args[2]) == 100)
    judge.until("positionEnd")
    judge.cancelPositions()
    req = judge.ask()
    judge.reqPositionsMulti(req, ACCOUNT, "")
    judge.answer("positionMultiEnd", req)
    req = judge.ask()
    judge.reqPnL(req, ACCOUNT, "")
    judge.answer("pnl", req)
    judge.cancelPnL(req)
    judge.reqPnLSingle(req, ACCOUNT, "", 756733)
    judge.until("pnlSingle", lambda args: args[0] == req and int(args[1]) == 100)
    judge.cancelPnLSingle(req)
    judge.reqAccountUpdates(True, ACCOUNT)
    judge.until("updatePortfolio", lambda args: int(args[1]) == 100)


def study(judge: Judge) -> None:
    req = judge.ask()
    judge.reqMktDepth(req, stock(), 3, True, [])
    assert judge.until("updateMktDepthL2", lambda args: args[0] == req and args[3:5] == (0, 1))[5] > 100
    judge.cancelMktDepth(req, True)
    judge.reqMktDepthExchanges()
    judge.until("mktDepthExchanges", lambda args: any(one.exchange == "ARCA" for one in args[0]))
    judge.reqScannerParameters()
    judge.until("scannerParameters", lambda args: "TOP_PERC_GAIN" in args[0])
    req, scan = judge.ask(), ScannerSubscription()
    scan.instrument, scan.locationCode, scan.scanCode = "STK", "STK.US.MAJOR", "MOST_ACTIVE"
    judge.reqScannerSubscription(req, scan, [], [])
    assert judge.answer("scannerData", req)[2].contract.symbol == "SPY"
    judge.answer("scannerDataEnd", req)
    judge.cancelScannerSubscription(req)
    at = "20131007 10:00:00 US/Eastern"
    for what, name in (
        ("TRADES", "historicalTicksLast"),
        ("BID_ASK", "historicalTicksBidAsk"),
        ("MIDPOINT", "historicalTicks"),
    ):
        req = judge.ask()
        judge.reqHistoricalTicks(req, stock(), at, "", 5, what, 0, False, [])
        assert judge.answer(name, req)[1], what
    req = judge.ask()
    judge.reqHistogramData(req, stock(), False, "1 day")
    assert [point.price for point in judge.answer("histogramData", req)[1]] == [167.5, 167.6, 167.7, 167.8, 168]
    req = judge.ask()
    judge.reqHeadTimeStamp(req, stock(), "TRADES", 0, 1)
    judge.answer("headTimestamp", req)


def lookups(judge: Judge) -> None:
    req = judge.ask()
    judge.reqMatchingSymbols(req, "SP")
    assert judge.answer("symbolSamples", req)[1][0].contract.symbol == "SPY"
    judge.reqMarketRule(26)
    judge.answer("marketRule", 26)
    judge.reqSecDefOptParams(req, "SPY", "", "STK", 756733)
    judge.answer("securityDefinitionOptionParameterEnd", req)
    judge.reqSoftDollarTiers(req)
    judge.answer("softDollarTiers", req)
    judge.reqFamilyCodes()
    judge.until("familyCodes")
    judge.reqSmartComponents(req, "9c0001")
    assert len(judge.answer("smartComponents", req)[1]) > 5
    judge.reqNewsProviders()
    assert judge.until("newsProviders") == ([],)
    judge.reqHistoricalNews(req, 756733, "BZ", "", "", 10, [])
    judge.answer("historicalNewsEnd", req)


def refusals(judge: Judge) -> None:
    req = judge.ask()
    judge.reqFundamentalData(req, stock(), "ReportSnapshot", [])
    judge.refusal(req, 430)
    judge.queryDisplayGroups(req)
    judge.refusal(req, 321)
    judge.reqNewsArticle(req, "BZ", "BZ$1", [])
    judge.refusal(req, 10172)
    judge.calculateOptionPrice(req + 1, stock(), 0.2, 100.0, [])
    judge.refusal(req + 1, 321)
    if hasattr(judge, "reqWshMetaData"):
        judge.reqWshMetaData(req)
        judge.refusal(req, 10276)
        judge.reqUserInfo(req)
        judge.answer("userInfo", req)


STEPS = (start, contracts, market_data, tick_by_tick, history, accounts, orders, after_orders, study, lookups, refusals)


def _run(judge: Judge, failures: list[str]) -> None:
    try:
        judge.run()
    except Exception as error:  # noqa: BLE001 - whatever ends the client's loop is a finding
        failures.append(f"the client's loop ended: {error!r}")


def main() -> None:
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    logging.getLogger().setLevel(logging.INFO)
    judge = Judge()
    failures: list[str] = []
    passed: list[str] = []
    judge.connect("127.0.0.1", int(sys.argv[1]), 7)
    loop = threading.Thread(target=_run, args=(judge, failures), daemon=True)
    loop.start()
    for step in STEPS:
        try:
            step(judge)
        except (AssertionError, Missing) as error:
            failures.append(f"{step.__name__}: {error!r}")
        else:
            passed.append(step.__name__)
    version = judge.serverVersion()
    alive = loop.is_alive()
    judge.disconnect()
    report = {
        "version": version,
        "passed": passed,
        "failures": failures,
        "log": complaints.texts,
        "alive": alive,
        "steps": [step.__name__ for step in STEPS],
    }
    sys.stdout.write(json.dumps({"report": report}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
