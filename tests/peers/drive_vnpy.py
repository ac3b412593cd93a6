"""vn.py's gateway for IB, driven headless through the simulated gateway: run with the Python of .peers/vnpy.

Arguments: the port. Writes one JSON line: what was seen and what went wrong. Wants a working
directory of its own, with a folder .vntrader, where vn.py keeps its files.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from vnpy.event import Event, EventEngine
from vnpy.trader.constant import Direction, Exchange, Interval, Offset, OrderType, Status
from vnpy.trader.event import (
    EVENT_ACCOUNT,
    EVENT_CONTRACT,
    EVENT_LOG,
    EVENT_ORDER,
    EVENT_POSITION,
    EVENT_TICK,
    EVENT_TRADE,
)
from vnpy.trader.object import CancelRequest, HistoryRequest, OrderRequest, SubscribeRequest
from vnpy_ib import IbGateway

WAIT_S = 15.0
SPY = "SPY-USD-STK"
TOLD = re.compile(r"代码：(\d+)")
EXPECTED_CODES = {202, 387, 399, *range(2100, 2200)}
"""Canceled, the kind of order that is wrong on purpose, the order waits, and notices."""
BAD_WORDS = ("不支持", "未订阅", "找不到", "失败", "断开")
"""Not supported, not subscribed, not found, failed, disconnected."""


class Missing(Exception):
    """What was waited for did not come."""


class Desk:
    """Keeps what vn.py tells its user by events, and waits for some of it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.changed = threading.Condition()
        self.events: dict[str, list[Any]] = {}
        self.engine = EventEngine(interval=1)
        for kind in (EVENT_TICK, EVENT_ORDER, EVENT_TRADE, EVENT_ACCOUNT, EVENT_POSITION, EVENT_CONTRACT, EVENT_LOG):
            self.engine.register(kind, self._keep)
        self.engine.start()
        self.gateway = IbGateway(self.engine, "IB")

    def _keep(self, event: Event) -> None:
        with self.changed:
            self.events.setdefault(event.type, []).append(event.data)
            self.changed.notify_all()

    def seen(self, kind: str) -> list[Any]:
        return list(self.events.get(kind, ()))

    def until(self, what: str, found: Callable[[], Any]) -> Any:
        """Return what a question finds, as soon as it is true; raise ``Missing`` when it never is."""
        deadline = time.monotonic() + WAIT_S
        with self.changed:
            while not (answer := found()):
                rest = deadline - time.monotonic()
                if rest <= 0:
                    raise Missing(f"no {what}; the last log lines: {[log.msg for log in self.seen(EVENT_LOG)][-4:]}")
                self.changed.wait(rest)
            return answer

    def connect(self, client_id: int) -> None:
        since = len(self.seen(EVENT_LOG))
        self.gateway.connect({"TWS地址": "127.0.0.1", "TWS端口": self.port, "客户号": client_id, "交易账户": ""})
        self.until("data farm", lambda: any("2104" in log.msg for log in self.seen(EVENT_LOG)[since:]))
        self.until("account's name", lambda: self.gateway.api.account)
        self.until("order id", lambda: self.gateway.api.orderid)
        self.until("time", lambda: any("服务器时间" in log.msg for log in self.seen(EVENT_LOG)[since:]))

    def subscribe(self, symbol: str, exchange: Exchange = Exchange.SMART) -> Any:
        """Return the first tick of a symbol with both sides."""
        self.gateway.subscribe(SubscribeRequest(symbol=symbol, exchange=exchange))
        self.until(f"contract {symbol}", lambda: [one for one in self.seen(EVENT_CONTRACT) if one.symbol == symbol])
        return self.until(f"tick of {symbol}", lambda: self.tick(symbol))

    def tick(self, symbol: str) -> Any:
        """Return the newest tick of a symbol with both sides, or ``None``."""
        ticks = [one for one in self.seen(EVENT_TICK) if one.symbol == symbol]
        return next((one for one in reversed(ticks) if one.bid_price_1 > 0 < one.ask_price_1), None)

    def end(self) -> None:
        """Disconnect for good: the engine's timer would connect again."""
        self.engine.stop()
        self.gateway.close()
        self.gateway.api.thread.join(WAIT_S)

    def order(self, qty: float, kind: OrderType, px: float = 0.0, side: Direction = Direction.LONG) -> str:
        """Send an order for SPY; return its id."""
        request = OrderRequest(
            symbol=SPY,
            exchange=Exchange.SMART,
            direction=side,
            type=kind,
            volume=qty,
            price=px,
            offset=Offset.NONE,
            reference="peer",
        )
        return str(self.gateway.send_order(request)).split(".")[1]

    def status(self, order_id: str, wanted: Status) -> Any:
        return self.until(
            f"status {wanted.name} of order {order_id}",
            lambda: [one for one in self.seen(EVENT_ORDER) if one.orderid == order_id and one.status == wanted],
        )[0]


def contracts(desk: Desk) -> None:
    tick = desk.subscribe(SPY)
    assert 100 < tick.bid_price_1 <= tick.ask_price_1, tick
    (contract,) = [one for one in desk.seen(EVENT_CONTRACT) if one.symbol == SPY]
    assert (contract.name, contract.pricetick, contract.size) == ("SPDR S&P 500 ETF TRUST", 0.01, 1), contract
    desk.until("print", lambda: [one for one in desk.seen(EVENT_TICK) if one.last_price > 0 and one.volume > 0])


def market_order(desk: Desk) -> None:
    order_id = desk.order(100, OrderType.MARKET)
    assert desk.status(order_id, Status.ALLTRADED).traded == 100
    trades = desk.until("trade", lambda: [one for one in desk.seen(EVENT_TRADE) if one.orderid == order_id])
    desk.until(
        "whole quantity", lambda: sum(one.volume for one in desk.seen(EVENT_TRADE) if one.orderid == order_id) == 100
    )
    assert {one.symbol for one in trades} == {SPY}
    assert all(one.direction == Direction.LONG and one.price > 100 for one in trades)


def limit_order(desk: Desk) -> None:
    px = round(desk.tick(SPY).bid_price_1 * 0.9, 2)
    order_id = desk.order(10, OrderType.LIMIT, px)
    assert desk.status(order_id, Status.NOTTRADED).price == px
    desk.gateway.cancel_order(CancelRequest(orderid=order_id, symbol=SPY, exchange=Exchange.SMART))
    assert desk.status(order_id, Status.CANCELLED).traded == 0


def other_orders(desk: Desk) -> None:
    stop = desk.order(5, OrderType.STOP, round(desk.tick(SPY).bid_price_1 * 0.8, 2), Direction.SHORT)
    desk.status(stop, Status.NOTTRADED)
    desk.gateway.cancel_order(CancelRequest(orderid=stop, symbol=SPY, exchange=Exchange.SMART))
    desk.status(stop, Status.CANCELLED)
    desk.status(desk.order(30, OrderType.MARKET, side=Direction.SHORT), Status.ALLTRADED)


def account(desk: Desk) -> None:
    held = desk.until("account", lambda: [one for one in desk.seen(EVENT_ACCOUNT) if one.accountid.endswith(".USD")])
    assert 900_000 < held[-1].balance < 1_100_000, held[-1]
    assert desk.gateway.api.account == "DU1000001"


def positions_of(desk: Desk) -> dict[str, float]:
    """Return the newest position of each symbol that vn.py was told."""
    return {one.symbol: one.volume for one in desk.seen(EVENT_POSITION)}


def fills_of(desk: Desk) -> dict[str, list[Any]]:
    """Return side, quantity and price of each execution that vn.py was told."""
    sides = {Direction.LONG: "buy", Direction.SHORT: "sell"}
    return {one.tradeid: [sides[one.direction], one.volume, one.price] for one in desk.seen(EVENT_TRADE)}


def position(desk: Desk) -> None:
    desk.until("position of 70", lambda: positions_of(desk).get(SPY) == 70)


def history(desk: Desk) -> None:
    now = desk.tick(SPY).datetime
    for interval, least in ((Interval.MINUTE, 300), (Interval.DAILY, 2)):
        wanted = HistoryRequest(
            symbol=SPY, exchange=Exchange.SMART, start=now - timedelta(days=5), end=now, interval=interval
        )
        # vn.py asks first and takes its condition after, so that a quick answer finds nobody waiting
        with desk.gateway.api.history_condition:
            bars = desk.gateway.query_history(wanted)
        assert len(bars) >= least, (interval, len(bars))
        assert all(0 < bar.low_price <= bar.close_price <= bar.high_price for bar in bars), bars[:2]
        times = [bar.datetime for bar in bars]
        assert times == sorted(set(times))


def snapshot(desk: Desk) -> None:
    desk.gateway.api.query_tick(f"{SPY}.SMART")
    desk.until("end of the snapshot", lambda: any("行情切片查询成功" in log.msg for log in desk.seen(EVENT_LOG)))


def world(desk: Desk) -> None:
    euro = desk.subscribe("EUR-USD-CASH", Exchange.IDEALPRO)
    assert 0.5 < euro.bid_price_1 <= euro.ask_price_1 < 2, euro
    desk.gateway.api.query_option_portfolio(desk.gateway.api.ib_contracts[f"{SPY}.SMART"])
    desk.until("option chain", lambda: any("期权链查询成功" in log.msg for log in desk.seen(EVENT_LOG)))
    options = [one for one in desk.seen(EVENT_CONTRACT) if one.option_strike]
    assert len(options) > 10
    assert {one.option_type.name for one in options} == {"CALL", "PUT"}


def again(desk: Desk) -> None:
    desk.end()
    other = Desk(desk.port)
    try:
        other.connect(8)
        other.until("position of 70 after a reconnect", lambda: positions_of(other).get(SPY) == 70)
        desk.events.setdefault(EVENT_LOG, []).extend(other.seen(EVENT_LOG))
    finally:
        other.end()


STEPS = (contracts, market_order, limit_order, other_orders, account, position, history, snapshot, world, again)


def complaints_of(desk: Desk) -> list[str]:
    """Return the log lines that tell of something wrong."""
    texts = [log.msg for log in desk.seen(EVENT_LOG)]
    codes = ((int(found.group(1)), text) for text in texts if (found := TOLD.search(text)))
    wrong = [text for code, text in codes if code not in EXPECTED_CODES]
    return wrong + [text for text in texts if any(word in text for word in BAD_WORDS) and not TOLD.search(text)]


class Warnings(logging.Handler):
    """What the client under vn.py logs as a warning or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if not re.match(r"ANSWER error|ERROR (-1|\d+) ", text):  # what vn.py is told as well, and logs itself
            self.texts.append(text)


def main() -> None:
    warnings = Warnings()
    logging.getLogger().addHandler(warnings)
    died: list[str] = []
    threading.excepthook = lambda told: died.append(f"{told.exc_type.__name__}: {told.exc_value}")
    desk = Desk(int(sys.argv[1]))
    failures: list[str] = []
    passed: list[str] = []
    try:
        desk.connect(7)
        for step in STEPS:
            try:
                step(desk)
            except (AssertionError, Missing) as error:
                failures.append(f"{step.__name__}: {error!r}")
            else:
                passed.append(step.__name__)
    except Missing as error:
        failures.append(f"connect: {error!r}")
    finally:
        desk.end()
    report = {
        "passed": passed,
        "failures": failures + died,
        "log": complaints_of(desk) + warnings.texts,
        "positions": {symbol.split("-")[0]: volume for symbol, volume in positions_of(desk).items()},
        "fills": fills_of(desk),
        "steps": [step.__name__ for step in STEPS],
    }
    sys.stdout.write(json.dumps({"report": report}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
