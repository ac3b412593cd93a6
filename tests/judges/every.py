"""Every request of a build of the official client, one after the other: run with the build's folder on PYTHONPATH.

Arguments: the port. Writes one JSON line ``{"report": {method: what is wrong}}``, where nothing is wrong an empty
text. A method that is not in the table of answers is wrong, too: what is it answered with?
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import threading
import time
from decimal import Decimal
from typing import Any

from ibapi.client import EClient
from ibapi.contract import Contract
from ibapi.execution import ExecutionFilter
from ibapi.order import Order
from ibapi.scanner import ScannerSubscription
from ibapi.wrapper import EWrapper

WAIT_S = 5.0
ASKS = re.compile(
    r"(req|cancel|calculate|exercise|place|query|replace|request|setServer|subscribe|unsubscribe|update|verify)[A-Z]"
)
OTHERS = re.compile(r"ProtoBuf$")
"""Requests in protobuf are spoken from version 201 on; an official client asks them in place of the text ones."""
ANSWERS = {
    "calculateImpliedVolatility": "error 321",  # not of a stock
    "calculateOptionPrice": "error 321",
    "cancelContractData": "error 503",  # told by the client itself, as are all that version 200 does not know
    "cancelHistoricalData": "error 366",
    "cancelHistoricalTicks": "error 503",
    "cancelMktData": "error 300",
    "cancelMktDepth": "error 310",
    "cancelOrder": "error 10147",
    "cancelRealTimeBars": "error 300",
    "cancelScannerSubscription": "error 365",
    "cancelTickByTickData": "error 10190",
    "cancelWshEventData": "error 10284",
    "cancelWshMetaData": "error 10280",
    "exerciseOptions": "error 322",
    "placeOrder": "openOrder",
    "queryDisplayGroups": "error 321",
    "replaceFA": "error 321",
    "reqAccountSummary": "accountSummaryEnd",
    "reqAccountUpdates": "accountDownloadEnd",
    "reqAccountUpdatesMulti": "accountUpdateMultiEnd",
    "reqAllOpenOrders": "openOrderEnd",
    "reqAutoOpenOrders": "error 321",  # for client 0 alone
    "reqCompletedOrders": "completedOrdersEnd",
    "reqContractDetails": "contractDetailsEnd",
    "reqCurrentTime": "currentTime",
    "reqCurrentTimeInMillis": "currentTimeInMillis",
    "reqExecutions": "execDetailsEnd",
    "reqFamilyCodes": "familyCodes",
    "reqFundamentalData": "error 430",
    "reqHeadTimeStamp": "headTimestamp",
    "reqHistogramData": "histogramData",
    "reqHistoricalData": "historicalDataEnd",
    "reqHistoricalNews": "historicalNewsEnd",
    "reqHistoricalTicks": "historicalTicksLast",
    "reqIds": "nextValidId",
    "reqManagedAccts": "managedAccounts",
    "reqMarketRule": "marketRule",
    "reqMatchingSymbols": "symbolSamples",
    "reqMktData": "tickPrice",
    "reqMktDepth": "updateMktDepthL2",
    "reqMktDepthExchanges": "mktDepthExchanges",
    "reqNewsArticle": "error 10172",
    "reqNewsProviders": "newsProviders",
    "reqOpenOrders": "openOrderEnd",
    "reqPnL": "pnl",
    "reqPnLSingle": "pnlSingle",
    "reqPositions": "positionEnd",
    "reqPositionsMulti": "positionMultiEnd",
    "reqRealTimeBars": "realtimeBar",
    "reqScannerParameters": "scannerParameters",
    "reqScannerSubscription": "scannerDataEnd",
    "reqSecDefOptParams": "securityDefinitionOptionParameterEnd",
    "reqSmartComponents": "smartComponents",
    "reqSoftDollarTiers": "softDollarTiers",
    "reqTickByTickData": "tickByTickBidAsk",
    "reqUserInfo": "userInfo",
    "reqWshEventData": "error 10282",
    "reqWshMetaData": "error 10276",
    "requestFA": "error 321",
    "subscribeToGroupEvents": "error 321",
    "unsubscribeFromGroupEvents": "error 321",
    "updateDisplayGroup": "error 321",
    "verifyAndAuthMessage": "error 321",
    "verifyAndAuthRequest": "error 508|error 551",  # told by the client itself: it was not asked to verify anything
    "verifyMessage": "error 321",
    "verifyRequest": "error 508|error 545",
}
QUIET = {
    "cancelAccountSummary",
    "cancelAccountUpdatesMulti",
    "cancelCalculateImpliedVolatility",
    "cancelCalculateOptionPrice",
    "cancelFundamentalData",
    "cancelHeadTimeStamp",
    "cancelHistogramData",
    "cancelNewsBulletins",
    "cancelPnL",
    "cancelPnLSingle",
    "cancelPositions",
    "cancelPositionsMulti",
    "reqGlobalCancel",
    "reqMarketDataType",
    "reqNewsBulletins",
    "setServerLogLevel",
}
"""What IB does not answer either: nothing to cancel, nothing to tell."""


class Every(EWrapper, EClient):  # type: ignore[misc]  # the official client has no types
    """Notes which callbacks come."""

    def __init__(self) -> None:
        EWrapper.__init__(self)
        EClient.__init__(self, wrapper=self)
        self.heard: list[str] = []
        self.changed = threading.Condition()

    def note(self, name: str, args: tuple[Any, ...]) -> None:
        if name == "error":
            code = next(one for one in args[1:3] if isinstance(one, int) and one < 1_000_000)
            if 2100 <= code < 2200:
                return
            name = f"error {code}"
        with self.changed:
            self.heard.append(name)
            self.changed.notify_all()

    def wait(self, since: int, wanted: str) -> bool:
        """Wait for a callback, or one of several with bars between; tell whether it came."""
        deadline, names = time.monotonic() + WAIT_S, set(wanted.split("|"))
        with self.changed:
            while names.isdisjoint(self.heard[since:]):
                rest = deadline - time.monotonic()
                if rest <= 0:
                    return False
                self.changed.wait(rest)
            return True

    def flaw(self, name: str, number: int) -> str:
        """Ask, and return what is wrong with the answer."""
        since = len(self.heard)
        method = getattr(self, name)
        method(*(arg(parameter, number) for parameter in inspect.signature(method).parameters))
        if name in QUIET:
            wanted = ""
        elif name in ANSWERS:
            wanted = ANSWERS[name]
        else:
            return "no answer is known: add it to the table"
        if wanted and not self.wait(since, wanted):
            return f"no {wanted}, but {sorted(set(self.heard[since:]))}"
        asked = len(self.heard)
        self.reqCurrentTime()
        if not self.wait(asked, "currentTime"):
            return "the connection is dead"
        errors = {one for one in self.heard[since:] if one.startswith("error")} - set(wanted.split("|"))
        return f"told {sorted(errors)}" if errors else ""


def _keeper(name: str) -> Any:
    return lambda self, *args: self.note(name, args)


for _name, _method in vars(EWrapper).items():
    if inspect.isfunction(_method) and not _name.startswith("_") and _name != "logAnswer":
        setattr(Every, _name, _keeper(_name))


def stock() -> Any:
    contract = Contract()
    contract.symbol, contract.secType, contract.exchange, contract.currency = "SPY", "STK", "SMART", "USD"
    contract.conId = 756733
    return contract


def order() -> Any:
    made = Order()
    made.action, made.totalQuantity, made.orderType, made.tif = "BUY", Decimal(1), "MKT", "DAY"
    made.eTradeOnly = made.firmQuoteOnly = False
    return made


def scan() -> Any:
    made = ScannerSubscription()
    made.instrument, made.locationCode, made.scanCode = "STK", "STK.US.MAJOR", "MOST_ACTIVE"
    return made


PLAIN: dict[str, Any] = {
    **dict.fromkeys(("account", "acctCode"), "DU1000001"),
    **dict.fromkeys(("modelCode", "endDateTime", "customerAccount", "manualOrderTime"), ""),
    **dict.fromkeys(("manualOrderCancelTime", "manualCancelOrderTime", "genericTickList", "futFopExchange"), ""),
    **dict.fromkeys(("ledgerAndNLV", "subscribe", "bAutoBind", "allMsgs", "isSmartDepth"), True),
    **dict.fromkeys(("snapshot", "regulatorySnapshot", "keepUpToDate", "ignoreSize", "apiOnly"), False),
    **dict.fromkeys(("useRTH", "useRth", "formatDate", "faData", "exerciseAction", "exerciseQuantity"), 1),
    **dict.fromkeys(("marketDataType", "numIds", "groupId", "cxml", "logLevel"), 1),
    **dict.fromkeys(("apiName", "apiVersion", "apiData", "xyzResponse", "opaqueIsvKey", "contractInfo"), "1"),
    **dict.fromkeys(("conId", "conid", "underlyingConId"), 756733),
    **dict.fromkeys(("numberOfTicks", "numRows", "barSize", "totalResults"), 5),
    "groupName": "All",
    "tags": "NetLiquidation",
    "whatToShow": "TRADES",
    "durationStr": "1 D",
    "barSizeSetting": "1 min",
    "timePeriod": "1 day",
    "startDateTime": "20200102 10:00:00 US/Eastern",
    "marketRuleId": 26,
    "pattern": "SP",
    "reportType": "ReportSnapshot",
    "providerCode": "BZ",
    "providerCodes": "BZ",
    "articleId": "BZ$1",
    "underlyingSymbol": "SPY",
    "underlyingSecType": "STK",
    "bboExchange": "9c0001",
    "tickType": "BidAsk",
    "optionPrice": 1.0,
    "underPrice": 100.0,
    "volatility": 0.2,
    "override": 0,
    "professionalCustomer": False,
}


def arg(name: str, number: int) -> Any:
    """Return an argument that fits a parameter's name."""
    if name in PLAIN:
        return PLAIN[name]
    if name.endswith(("Options", "options")):
        return []
    if name in ("reqId", "tickerId", "orderId"):
        return number
    if name == "orderCancel":
        from ibapi.order_cancel import OrderCancel

        return OrderCancel()
    if name == "wshEventData":
        from ibapi.common import WshEventData

        return WshEventData()
    makers = {"contract": stock, "order": order, "execFilter": ExecutionFilter, "subscription": scan}
    return makers[name]()


def main() -> None:
    client = Every()
    client.connect("127.0.0.1", int(sys.argv[1]), 9)
    threading.Thread(target=client.run, daemon=True).start()
    assert client.wait(0, "nextValidId")
    names = [name for name, _ in inspect.getmembers(EClient, inspect.isfunction) if ASKS.match(name)]
    report = {name: client.flaw(name, number) for number, name in enumerate(names, 100) if not OTHERS.search(name)}
    sys.stdout.write(json.dumps({"report": report, "alive": client.isConnected()}) + "\n")
    client.disconnect()


if __name__ == "__main__":
    main()
