"""What real clients send is read to the last field, at the version each speaks, with the values they meant."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import ib_async
import pytest
from ib_async.client import Client

from ibfloor.sim.gateway.codec.requests import REQUESTS
from ibfloor.sim.gateway.codec.table import DecodeError

ECHO = Path(__file__).with_name("echo.py")
VERSIONS = (157, 176, 178, 187, 200)
SPY = {"Contract": {"conId": 756733, "symbol": "SPY", "secType": "STK", "exchange": "SMART", "currency": "USD"}}
BAG = {
    "Contract": {
        **SPY["Contract"],
        "secType": "BAG",
        "comboLegs": [
            {"ComboLeg": {"conId": 1, "ratio": 1, "action": "BUY", "exchange": "SMART"}},
            {"ComboLeg": {"conId": 2, "ratio": 2, "action": "SELL", "exchange": "SMART"}},
        ],
    }
}
PLAIN = {"action": "BUY", "totalQuantity": 100, "orderType": "LMT", "lmtPrice": 12.5, "tif": "DAY", "orderRef": "me"}
ORDERS: tuple[dict[str, Any], ...] = (
    {},
    {"hedgeType": "D", "hedgeParam": "1"},
    {"algoStrategy": "Vwap", "algoParams": [{"TagValue": {"tag": "maxPctVol", "value": "0.1"}}]},
    {
        "scaleInitLevelSize": 5,
        "scaleSubsLevelSize": 5,
        "scalePriceIncrement": 0.05,
        "scalePriceAdjustValue": 0.1,
        "scalePriceAdjustInterval": 60,
        "scaleProfitOffset": 0.2,
    },
    {"deltaNeutralOrderType": "MKT", "deltaNeutralConId": 7},
    {"orderType": "PEG BENCH", "referenceContractId": 8, "referenceExchangeId": "ARCA"},
    {"orderType": "PEG MID", "midOffsetAtWhole": 0.01, "midOffsetAtHalf": 0.005},
    {"orderType": "PEG BEST", "minCompeteSize": 100, "competeAgainstBestOffset": 0.02},
    {"orderType": "TRAIL LIMIT", "trailStopPrice": 11.0, "lmtPriceOffset": 0.1, "auxPrice": 0.2},
    {"ocaGroup": "one", "ocaType": 2, "parentId": 6, "transmit": False, "goodTillDate": "20131008 16:00:00 US/Eastern"},
    {"whatIf": True, "outsideRth": True, "cashQty": 1000.0},
)
SCAN = {"ScannerSubscription": {"instrument": "STK", "locationCode": "STK.US", "scanCode": "MOST_ACTIVE"}}
Ask = tuple[str, list[Any], dict[str, Any]]
"""A client's method, its arguments, and what the gateway must read."""
CONTRACT = {"con_id": 756733, "symbol": "SPY", "exchange": "SMART"}
ASKS: tuple[Ask, ...] = (
    ("reqMktData", [5, SPY, "233", True, False, []], {**CONTRACT, "generic_ticks": "233", "snapshot": True}),
    ("cancelMktData", [5], {"req_id": 5}),
    ("reqMarketDataType", [3], {"type": 3}),
    ("reqSmartComponents", [5, "9c"], {"bbo_exchange": "9c"}),
    ("reqMarketRule", [26], {"rule_id": 26}),
    ("reqTickByTickData", [5, SPY, "Last", 3, True], {**CONTRACT, "kind": "Last", "count": 3, "ignore_size": True}),
    ("cancelTickByTickData", [5], {"req_id": 5}),
    ("calculateImpliedVolatility", [5, SPY, 1.5, 168.0, []], {"option_px": Decimal("1.5"), "under_px": 168}),
    ("calculateOptionPrice", [5, SPY, 0.2, 168.0, []], {"volatility": Decimal("0.2"), "under_px": 168}),
    ("cancelCalculateImpliedVolatility", [5], {"req_id": 5}),
    ("cancelCalculateOptionPrice", [5], {"req_id": 5}),
    ("exerciseOptions", [5, SPY, 1, 2, "DU1", 1], {"exercise_action": 1, "exercise_qty": 2, "override": 1}),
    ("reqOpenOrders", [], {}),
    ("reqAutoOpenOrders", [True], {"bind": True}),
    ("reqAllOpenOrders", [], {}),
    ("reqIds", [1], {"count": 1}),
    ("reqAccountUpdates", [True, "DU1"], {"subscribe": True, "account": "DU1"}),
    ("reqAccountSummary", [5, "All", "NetLiquidation"], {"group": "All", "tags": "NetLiquidation"}),
    ("cancelAccountSummary", [5], {"req_id": 5}),
    ("reqPositions", [], {}),
    ("cancelPositions", [], {}),
    ("reqPositionsMulti", [5, "DU1", "m"], {"account": "DU1", "model": "m"}),
    ("cancelPositionsMulti", [5], {"req_id": 5}),
    ("reqAccountUpdatesMulti", [5, "DU1", "m", True], {"account": "DU1", "ledger_and_nlv": True}),
    ("cancelAccountUpdatesMulti", [5], {"req_id": 5}),
    ("reqPnL", [5, "DU1", "m"], {"account": "DU1", "model": "m"}),
    ("cancelPnL", [5], {"req_id": 5}),
    ("reqPnLSingle", [5, "DU1", "m", 756733], {"con_id": 756733}),
    ("cancelPnLSingle", [5], {"req_id": 5}),
    ("reqExecutions", [5, {"ExecutionFilter": {"clientId": 7, "side": "BUY"}}], {"client_id": 7, "side": "BUY"}),
    ("reqContractDetails", [5, SPY], CONTRACT),
    ("reqMktDepthExchanges", [], {}),
    ("reqMktDepth", [5, SPY, 7, True, []], {**CONTRACT, "rows": 7, "is_smart": True}),
    ("cancelMktDepth", [5, True], {"req_id": 5, "is_smart": True}),
    ("reqNewsBulletins", [True], {"all_messages": True}),
    ("cancelNewsBulletins", [], {}),
    ("reqManagedAccts", [], {}),
    ("requestFA", [1], {"kind": 1}),
    ("replaceFA", [5, 1, "<x/>"], {"kind": 1, "xml": "<x/>", "req_id": 5}),
    (
        "reqHistoricalData",
        [5, SPY, "", "1 D", "1 min", "TRADES", 1, 2, True, []],
        {**CONTRACT, "bar_size": "1 min", "duration": "1 D", "format_date": 2, "keep_up_to_date": True},
    ),
    ("cancelHistoricalData", [5], {"req_id": 5}),
    ("reqHeadTimeStamp", [5, SPY, "TRADES", 1, 2], {**CONTRACT, "what": "TRADES", "format_date": 2}),
    ("cancelHeadTimeStamp", [5], {"req_id": 5}),
    ("reqHistogramData", [5, SPY, True, "3 days"], {**CONTRACT, "use_rth": True, "period": "3 days"}),
    ("cancelHistogramData", [5], {"req_id": 5}),
    (
        "reqHistoricalTicks",
        [5, SPY, "20131007 10:00:00", "", 9, "BID_ASK", 1, True, []],
        {**CONTRACT, "start": "20131007 10:00:00", "count": 9, "what": "BID_ASK", "use_rth": True},
    ),
    ("reqScannerParameters", [], {}),
    ("reqScannerSubscription", [5, SCAN, [], []], {"scan_code": "MOST_ACTIVE", "location": "STK.US", "options": ""}),
    ("cancelScannerSubscription", [5], {"req_id": 5}),
    ("reqRealTimeBars", [5, SPY, 5, "MIDPOINT", True, []], {**CONTRACT, "what": "MIDPOINT", "use_rth": True}),
    ("cancelRealTimeBars", [5], {"req_id": 5}),
    ("reqFundamentalData", [5, SPY, "ReportSnapshot", []], {"con_id": 756733, "report": "ReportSnapshot"}),
    ("cancelFundamentalData", [5], {"req_id": 5}),
    ("reqNewsProviders", [], {}),
    ("reqNewsArticle", [5, "BZ", "BZ$1", []], {"provider": "BZ", "article": "BZ$1"}),
    ("reqHistoricalNews", [5, 8314, "BZ", "", "", 10, []], {"con_id": 8314, "providers": "BZ", "results_max": 10}),
    ("queryDisplayGroups", [5], {"req_id": 5}),
    ("subscribeToGroupEvents", [5, 2], {"group_id": 2}),
    ("updateDisplayGroup", [5, "8314@SMART"], {"contract": "8314@SMART"}),
    ("unsubscribeFromGroupEvents", [5], {"req_id": 5}),
    ("reqSecDefOptParams", [5, "SPY", "", "STK", 756733], {"symbol": "SPY", "con_id": 756733}),
    ("reqSoftDollarTiers", [5], {"req_id": 5}),
    ("reqFamilyCodes", [], {}),
    ("reqMatchingSymbols", [5, "SP"], {"pattern": "SP"}),
    ("reqCompletedOrders", [True], {"api_only": True}),
    ("setServerLogLevel", [3], {"level": 3}),
    ("reqCurrentTime", [], {}),
    *(
        (
            "placeOrder",
            [9, SPY, {"Order": {**PLAIN, **more}}],
            {**CONTRACT, "order_id": 9, "total_qty": 100, "lmt_price": Decimal("12.5"), "order_ref": "me"},
        )
        for more in ORDERS
    ),
    ("placeOrder", [9, BAG, {"Order": PLAIN}], {"order_id": 9, "sec_type": "BAG", "lmt_price": Decimal("12.5")}),
)
TOO_OLD = ", 503, "
"""What a client says itself of a request that the server's version does not have."""
OF_NEWER_BUILDS: tuple[Ask, ...] = (
    ("cancelOrder", [9], {"order_id": 9}),
    ("reqGlobalCancel", [], {}),
    ("reqWshMetaData", [5], {"req_id": 5}),
    ("cancelWshMetaData", [5], {"req_id": 5}),
    ("cancelWshEventData", [5], {"req_id": 5}),
    ("reqWshEventData", [5, {"WshEventData": {"conId": 8314}}], {"req_id": 5, "con_id": 8314}),
    ("reqUserInfo", [5], {"req_id": 5}),
    ("reqCurrentTimeInMillis", [], {}),
)


def flaw_of(version: int, fields: list[str], wanted: dict[str, Any]) -> str:
    """Return what is wrong with a request as the gateway reads it; empty for nothing."""
    try:
        values, rest = REQUESTS[int(fields[0])].layout(version).decode(fields)
    except DecodeError as error:
        return f"{fields}: {error}"
    wrong = {name: values.get(name) for name, value in wanted.items() if values.get(name) != value}
    return f"read {wrong}, left over {rest}" if wrong or rest else ""


def test_requests_of_an_official_client_are_read_to_the_last_field(
    build: str, version_of: dict[str, int], judge_env: Callable[[str], dict[str, str]]
) -> None:
    versions = [version for version in VERSIONS if version <= version_of[build]]
    asks = [(version, *ask) for version in versions for ask in (*ASKS, *OF_NEWER_BUILDS)]
    lines = [json.dumps({"version": version, "ask": name, "args": args}) for version, name, args, _ in asks]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(ECHO)],
        input="\n".join(lines),
        env=judge_env(build),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    flaws, sent = {}, 0
    for (version, name, args, wanted), line in zip(asks, done.stdout.splitlines(), strict=True):
        answer = json.loads(line)
        for fields in answer.get("sent", ()):
            sent += 1
            flaw = flaw_of(version, fields, wanted)
            if flaw:
                flaws[f"{name} {args} at {version}"] = flaw
        if "error" in answer and TOO_OLD not in answer["error"]:
            flaws[f"{name} {args} at {version}"] = answer["error"]
    assert flaws == {}
    assert sent >= len(ASKS) * len(versions)


class _Capture(Client):
    """ib_async's client, its messages caught before the socket."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.fields: list[str] = []

    def serverVersion(self) -> int:  # noqa: N802 - ib_async's name
        return self.version

    def isConnected(self) -> bool:  # noqa: N802
        return True

    def sendMsg(self, msg: str) -> None:  # noqa: N802
        self.fields = msg.split("\0")[:-1]


def made(arg: Any) -> Any:
    if isinstance(arg, list):
        return [made(one) for one in arg]
    if not isinstance(arg, dict):
        return arg
    ((kind, fields),) = arg.items()
    return getattr(ib_async, kind)(**{name: made(value) for name, value in fields.items()})


@pytest.mark.parametrize("version", [157, 176, 178])
@pytest.mark.parametrize(("name", "args", "wanted"), ASKS, ids=lambda part: part if isinstance(part, str) else "")
def test_requests_of_ib_async_are_read_to_the_last_field(
    version: int, name: str, args: list[Any], wanted: dict[str, Any]
) -> None:
    client: Any = _Capture(version)
    getattr(client, name)(*made(args))
    assert flaw_of(version, client.fields, wanted) == ""
