"""A NautilusTrader node with its adapter for IB, run headless through the simulated gateway.

Run with the Python of .peers/nautilus. Arguments: the port. Writes one JSON line: what was seen and
what went wrong. Leaves its log in the working directory.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from nautilus_trader.adapters.interactive_brokers.common import IB, IBContract
from nautilus_trader.adapters.interactive_brokers.config import (
    InteractiveBrokersDataClientConfig,
    InteractiveBrokersExecClientConfig,
    InteractiveBrokersInstrumentProviderConfig,
)
from nautilus_trader.adapters.interactive_brokers.factories import (
    InteractiveBrokersLiveDataClientFactory,
    InteractiveBrokersLiveExecClientFactory,
)
from nautilus_trader.config import LiveExecEngineConfig, LoggingConfig, RoutingConfig, TradingNodeConfig
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import BookType, OrderSide, OrderStatus
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.trading.strategy import Strategy

WAIT_S = 15.0
SPY = InstrumentId.from_str("SPY.ARCA")
EURO = InstrumentId.from_str("EUR/USD.IDEALPRO")
MINUTES = BarType.from_str("SPY.ARCA-1-MINUTE-LAST-EXTERNAL")
DAYS = BarType.from_str("SPY.ARCA-1-DAY-LAST-EXTERNAL")
EXPECTED = re.compile(r"code: 2[01]\d\d|Started when loop is not running|No loading configured|code: 202|is CANCELED")
"""Notices, and what the node says of itself: its loop starts late, its contracts are listed, an order was canceled."""
LIVE = BarType.from_str("SPY.ARCA-5-SECOND-LAST-EXTERNAL")
CONTRACTS = (
    IBContract(secType="STK", symbol="SPY", exchange="SMART", primaryExchange="ARCA", currency="USD"),
    IBContract(secType="CASH", symbol="EUR", exchange="IDEALPRO", currency="USD"),
)
LOGGING = LoggingConfig(
    log_level="ERROR", log_level_file="INFO", log_directory=".", log_file_name="node", log_file_format="json"
)


class Missing(Exception):
    """What was waited for did not come."""


class Desk(Strategy):  # type: ignore[misc]  # NautilusTrader's classes are compiled
    """Keeps what its handlers are told, and waits for some of it."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: dict[str, list[Any]] = {}
        self.changed = asyncio.Event()
        self.running = asyncio.Event()

    def keep(self, kind: str, value: Any) -> None:
        self.heard.setdefault(kind, []).append(value)
        self.changed.set()

    def on_start(self) -> None:
        self.running.set()

    def on_stop(self) -> None:
        self.running.clear()

    def on_quote_tick(self, tick: Any) -> None:
        self.keep("quote", tick)

    def on_trade_tick(self, tick: Any) -> None:
        self.keep("trade", tick)

    def on_bar(self, bar: Any) -> None:
        self.keep("bar", bar)

    def on_order_book_deltas(self, deltas: Any) -> None:
        self.keep("depth", deltas)

    def on_historical_data(self, data: Any) -> None:
        self.keep("past", data)

    def on_event(self, event: Any) -> None:
        self.keep(type(event).__name__, event)

    async def until(self, what: str, found: Callable[[], Any], within_s: float = WAIT_S) -> Any:
        """Return what a question finds, as soon as it is true; raise ``Missing`` when it never is."""
        try:
            async with asyncio.timeout(within_s):
                while not (answer := found()):
                    self.changed.clear()
                    await self.changed.wait()
                return answer
        except TimeoutError:
            raise Missing(f"no {what}; heard { ({kind: len(all_) for kind, all_ in self.heard.items()}) }") from None

    def seen(self, kind: str, instrument: InstrumentId = SPY) -> list[Any]:
        return [one for one in self.heard.get(kind, ()) if getattr(one, "instrument_id", instrument) == instrument]

    def has_bars(self, kind: BarType, least: int) -> bool:
        """Tell whether the past has come: at least so many bars of a kind."""
        got = [one for one in self.heard.get("past", ()) if getattr(one, "bar_type", None) == kind]
        return len(got) >= least

    async def status(self, order: Any, wanted: OrderStatus) -> None:
        await self.until(f"{wanted.name} of {order!r}", lambda: order.status == wanted)


async def instruments(desk: Desk) -> None:
    share = desk.cache.instrument(SPY)
    assert (str(share.price_increment), str(share.quote_currency)) == ("0.01", "USD"), share
    assert share.info["longName"] == "SPDR S&P 500 ETF TRUST"
    assert desk.cache.instrument(EURO).base_currency.code == "EUR"


async def quotes(desk: Desk) -> None:
    for instrument in (SPY, EURO):
        desk.subscribe_quote_ticks(instrument)
    quote = (await desk.until("quote", lambda: desk.seen("quote")))[0]
    assert 100 < float(quote.bid_price) <= float(quote.ask_price)
    euro = (await desk.until("quote of the euro", lambda: desk.seen("quote", EURO)))[0]
    assert 0.5 < float(euro.bid_price) <= float(euro.ask_price) < 2
    desk.subscribe_trade_ticks(SPY)
    await desk.until("print", lambda: desk.seen("trade"))


async def live_bars(desk: Desk) -> None:
    desk.subscribe_bars(LIVE)
    await desk.until("5 s bar", lambda: [one for one in desk.seen("bar") if one.bar_type == LIVE])


async def depth(desk: Desk) -> None:
    desk.subscribe_order_book_deltas(SPY, book_type=BookType.L2_MBP, depth=5)
    await desk.until("depth", lambda: desk.seen("depth"))
    await desk.until("two sides", lambda: {str(one.order.side) for all_ in desk.seen("depth") for one in all_.deltas})


async def past(desk: Desk) -> None:
    now = datetime.fromtimestamp(desk.seen("quote")[-1].ts_event / 1e9, UTC)
    for kind, least in ((MINUTES, 300), (DAYS, 2)):
        desk.request_bars(kind, start=now - timedelta(days=5), end=now)
        await desk.until(f"{kind} of the past", partial(desk.has_bars, kind, least))


async def market_order(desk: Desk) -> None:
    share = desk.cache.instrument(SPY)
    order = desk.order_factory.market(SPY, OrderSide.BUY, share.make_qty(100))
    desk.submit_order(order)
    await desk.status(order, OrderStatus.FILLED)
    assert order.filled_qty == 100
    assert order.avg_px > 100


async def limit_order(desk: Desk) -> None:
    share = desk.cache.instrument(SPY)
    bid = Decimal(str(desk.seen("quote")[-1].bid_price))
    order = desk.order_factory.limit(SPY, OrderSide.BUY, share.make_qty(10), share.make_price(bid * Decimal("0.9")))
    desk.submit_order(order)
    await desk.status(order, OrderStatus.ACCEPTED)
    desk.modify_order(order, share.make_qty(20), share.make_price(bid * Decimal("0.91")))
    await desk.until("change", lambda: order.quantity == 20)
    desk.cancel_order(order)
    await desk.status(order, OrderStatus.CANCELED)


async def bracket(desk: Desk) -> None:
    share = desk.cache.instrument(SPY)
    ask = Decimal(str(desk.seen("quote")[-1].ask_price))
    orders = desk.order_factory.bracket(
        SPY,
        OrderSide.BUY,
        share.make_qty(20),
        sl_trigger_price=share.make_price(ask * Decimal("0.9")),
        tp_price=share.make_price(ask * Decimal("1.1")),
        tp_post_only=False,
    )
    desk.submit_order_list(orders)
    entry, stop, profit = orders.orders
    await desk.status(entry, OrderStatus.FILLED)
    await desk.status(profit, OrderStatus.ACCEPTED)
    await desk.status(stop, OrderStatus.ACCEPTED)
    for child in (profit, stop):
        desk.cancel_order(child)
        await desk.status(child, OrderStatus.CANCELED)


async def sale(desk: Desk) -> None:
    share = desk.cache.instrument(SPY)
    order = desk.order_factory.market(SPY, OrderSide.SELL, share.make_qty(50))
    desk.submit_order(order)
    await desk.status(order, OrderStatus.FILLED)
    await desk.until("position of 70", lambda: desk.portfolio.net_position(SPY) == 70)


async def account(desk: Desk) -> None:
    (held,) = desk.cache.accounts()
    assert held.id.get_id() == "DU1000001"
    assert 900_000 < float(held.balance_total(USD)) < 1_100_000, held.balances()


STEPS = (instruments, quotes, live_bars, depth, past, market_order, limit_order, bracket, sale, account)


def node_of(port: int) -> TradingNode:
    provider = InteractiveBrokersInstrumentProviderConfig(load_contracts=frozenset(CONTRACTS))
    where = {"ibg_host": "127.0.0.1", "ibg_port": port, "ibg_client_id": 1, "instrument_provider": provider}
    node = TradingNode(
        TradingNodeConfig(
            trader_id="PEER-001",
            logging=LOGGING,
            exec_engine=LiveExecEngineConfig(reconciliation_startup_delay_secs=0.1),
            data_clients={IB: InteractiveBrokersDataClientConfig(**where)},
            exec_clients={
                IB: InteractiveBrokersExecClientConfig(
                    account_id="DU1000001", routing=RoutingConfig(default=True), **where
                )
            },
        )
    )
    node.add_data_client_factory(IB, InteractiveBrokersLiveDataClientFactory)
    node.add_exec_client_factory(IB, InteractiveBrokersLiveExecClientFactory)
    return node


async def play(node: TradingNode, desk: Desk) -> tuple[list[str], list[str]]:
    failures: list[str] = []
    passed: list[str] = []
    running = asyncio.create_task(node.run_async())
    try:
        await asyncio.wait_for(desk.running.wait(), 30)
        for step in STEPS:
            try:
                await step(desk)
            except (AssertionError, Missing, AttributeError) as error:
                failures.append(f"{step.__name__}: {error!r}")
            else:
                passed.append(step.__name__)
    except TimeoutError:
        failures.append("the node did not start")
    finally:
        await node.stop_async()
        running.cancel()
    return passed, failures


def complaints() -> list[str]:
    """Return the log's lines of warnings and worse."""
    lines = [json.loads(line) for file in Path().glob("node*.json") for line in file.read_text().splitlines()]
    ended = next((n for n, one in enumerate(lines) if one["message"] == "STOPPING"), len(lines))
    told = [f"{one['component']}: {one['message']}" for one in lines[:ended] if one["level"] in ("WARN", "ERROR")]
    return [line for line in told if not EXPECTED.search(line)]


def main() -> None:
    node = node_of(int(sys.argv[1]))
    desk = Desk()
    node.trader.add_strategy(desk)
    node.build()
    passed, failures = node.kernel.loop.run_until_complete(play(node, desk))
    held = {str(one.instrument_id.symbol): float(one.signed_qty) for one in node.cache.positions_open()}
    fills = {
        str(one.trade_id): [one.order_side.name.lower(), float(one.last_qty), float(one.last_px)]
        for one in desk.heard.get("OrderFilled", ())
    }
    report = {
        "passed": passed,
        "failures": failures,
        "log": complaints(),
        "positions": held,
        "fills": fills,
        "steps": [step.__name__ for step in STEPS],
    }
    sys.stdout.write(json.dumps({"report": report}) + "\n")
    sys.stdout.flush()
    node.dispose()


if __name__ == "__main__":
    main()
