"""The three that run: a raw socket (the floor), ib_async's IB (the peer), and ibfloor. Each in its own process.

All do the same for a tick: send one market order. For a blast: count every tick of ten instruments.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import ib_async

from benchmarks.harness import pin
from benchmarks.tick_server import LAST_PRICE, SYMBOLS, con_id, framed
from ibfloor.broker.ib.clients import IbClients
from ibfloor.broker.ib.settings import IbSettings
from ibfloor.clock import FloorClock
from ibfloor.data.manager import DataManager
from ibfloor.data.subscriber import Delivery, Kind, Subscriber
from ibfloor.execution.ticket import OrderTicket
from ibfloor.execution.trade_manager import TradeManager
from ibfloor.ledger.journal import JournalWriter
from ibfloor.mailbox import Mailbox
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.model.ids import StrategyId
from ibfloor.model.instrument import Stock
from ibfloor.model.market import Trade
from ibfloor.model.money import USD
from ibfloor.model.order import Accepted, OrdType, Side
from ibfloor.risk.gate import RiskGate
from ibfloor.risk.limits import AccountLimits, RiskLimits, StrategyLimits

BENCH = StrategyId("bench")
SWITCH_INTERVAL_S = 0.0005


def run(line: Connection, contender: str, job: str, port: int, core: int | None, durability: str = "process") -> None:
    pin(core)
    asyncio.run(_JOBS[contender, job](line, port, durability))


async def until_stopped(line: Connection) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_reader(line.fileno(), stopped.set)
    await stopped.wait()
    asyncio.get_running_loop().remove_reader(line.fileno())


# the floor: a socket and the least that can be called a client


class RawClient(asyncio.Protocol):
    """Split frames, take the tick's price, answer."""

    def __init__(self, on_tick: Callable[[list[bytes]], None]) -> None:
        self._data = b""
        self._on_tick = on_tick
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._data + data
        start, size = 0, len(data)
        while size - start >= 4:
            end = start + 4 + int.from_bytes(data[start : start + 4], "big")
            if end > size:
                break
            fields = data[start + 4 : end].split(b"\0")
            if fields[0] == b"1":
                self._on_tick(fields)
            start = end
        self._data = data[start:]


async def _raw(port: int, symbols: tuple[str, ...], on_tick: Callable[[Any, list[bytes]], None]) -> RawClient:
    loop = asyncio.get_running_loop()
    client = RawClient(lambda fields: on_tick(client, fields))
    await loop.create_connection(lambda: client, "127.0.0.1", port)
    client.transport.write(b"API\0" + framed(b"v157..178") + framed(b"71\x002\x001\x00\x00"))
    for number, symbol in enumerate(symbols):
        contract = f"{con_id(symbol)}\0{symbol}\0STK\0\0\0\0\0SMART\0\0USD\0\0\0"
        client.transport.write(framed(f"1\x0011\x00{number}\x00{contract}0\x00\x000\x000\x00\x00".encode()))
    return client


async def raw_latency(line: Connection, port: int, _: str) -> None:
    order = ib_async.MarketOrder("BUY", 100)
    encoder = ib_async.Client(None)  # type: ignore[no-untyped-call]
    encoder.connState, encoder._serverVersion = 2, 178
    rendered: list[str] = []
    encoder.sendMsg = rendered.append  # type: ignore[method-assign, assignment]
    encoder.placeOrder(77777, ib_async.Stock(SYMBOLS[0], "SMART", "USD", conId=1000), order)  # type: ignore[no-untyped-call]
    before, after = rendered[0].encode().split(b"77777")
    number = 0

    def on_tick(client: RawClient, fields: list[bytes]) -> None:
        nonlocal number
        if fields[3] == b"4" and float(fields[4]) > 0:
            number += 1
            body = before + b"%d" % number + after
            client.transport.write(len(body).to_bytes(4, "big") + body)

    await _raw(port, SYMBOLS[:1], on_tick)
    await until_stopped(line)


async def raw_blast(line: Connection, port: int, _: str) -> None:
    counter = Counter(line)
    prices = dict.fromkeys(range(len(SYMBOLS)), 0.0)

    def on_tick(_client: RawClient, fields: list[bytes]) -> None:
        px = float(fields[4])
        prices[int(fields[2])] = px
        counter.count += 1
        if counter.count == 1 + 2 * len(SYMBOLS):
            counter.start()
        if fields[4] == LAST_PRICE.encode():
            counter.finish()

    await _raw(port, SYMBOLS, on_tick)
    await until_stopped(line)


class Counter:
    """Time from the first tick of the blast to the last."""

    def __init__(self, line: Connection) -> None:
        self.line = line
        self.count = 0
        self._started_s = 0.0

    def start(self) -> None:
        self._started_s = time.perf_counter()

    def finish(self) -> None:
        self.line.send((time.perf_counter() - self._started_s, self.count - 2 * len(SYMBOLS)))


# the peer: ib_async as its users run it, without its throttle


async def _ib(port: int) -> ib_async.IB:
    ib = ib_async.IB()
    ib.client.MaxRequests = 0
    await ib.connectAsync("127.0.0.1", port, clientId=1, fetchFields=ib_async.StartupFetchNONE)
    return ib


async def ib_latency(line: Connection, port: int, _: str) -> None:
    ib = await _ib(port)
    contract = ib_async.Stock(SYMBOLS[0], "SMART", "USD", conId=con_id(SYMBOLS[0]))
    ticker = ib.reqMktData(contract)

    def on_update(updated: ib_async.Ticker) -> None:
        for tick in updated.ticks:
            if tick.tickType == 4:
                ib.placeOrder(contract, ib_async.MarketOrder("BUY", 100))

    ticker.updateEvent += on_update
    await until_stopped(line)
    ib.disconnect()


async def ib_blast(line: Connection, port: int, _: str) -> None:
    ib = await _ib(port)
    counter = Counter(line)
    for symbol in SYMBOLS:
        ib.reqMktData(ib_async.Stock(symbol, "SMART", "USD", conId=con_id(symbol)))

    def on_pending(tickers: set[ib_async.Ticker]) -> None:
        counter.count += sum(len(ticker.ticks) for ticker in tickers)
        if counter._started_s == 0.0 and counter.count > 2 * len(SYMBOLS):
            counter.start()
        if any(ticker.last == float(LAST_PRICE) for ticker in tickers):
            counter.finish()

    ib.pendingTickersEvent += on_pending
    await until_stopped(line)
    ib.disconnect()


# ibfloor: the real parts, wired as the floor wires them


def _limits() -> RiskLimits:
    huge = Decimal(10**12)
    return RiskLimits(
        version=1,
        base_currency=USD,
        account=AccountLimits(max_gross_exposure=huge, order_rate_per_s=Decimal(100_000), order_burst=Decimal(100_000)),
        strategy=StrategyLimits(
            max_order_qty=Decimal(1000),
            max_order_notional=huge,
            max_position_qty=huge,
            max_position_notional=huge,
            collar_pct=Decimal(5),
            quote_age_max_s=Decimal(1000),
            order_rate_per_s=Decimal(100_000),
            order_burst=Decimal(100_000),
            max_account_position_qty=huge,
        ),
    )


class Ours:
    """Data thread, queue thread, and this thread as the strategy's."""

    def __init__(self, port: int, folder: Path, durability: str, queue_too: bool = True) -> None:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self.clock = FloorClock()
        mode: Any = durability
        self.facts_journal = JournalWriter(folder / "facts", mode)
        self.journal = JournalWriter(folder / "bench", mode)
        self.queue = MessageQueue(FloorState(), self.facts_journal, next_seq=1, on_fault=self._fault)
        settings = IbSettings(host="127.0.0.1", port=port, messages_per_s=0)
        self.clients = IbClients(settings, self.clock, self.queue.put)
        self.data = DataManager(lambda sink: self.clients.data_session(sink), self.clock)

    def _fault(self, text: str) -> None:
        raise RuntimeError(text)


async def our_latency(line: Connection, port: int, durability: str) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        ours = Ours(port, Path(folder), durability)
        stack.enter_context(ours.facts_journal)
        stack.enter_context(ours.journal)
        ours.queue.start()
        stack.callback(ours.queue.stop)
        async with ours.data:
            session = ours.clients.order_session(BENCH, 10)
            await session.open()
            await _trade_every_print(line, ours, session)
            await session.close()


async def _trade_every_print(line: Connection, ours: Ours, session: Any) -> None:
    gate = RiskGate(_limits())
    locked = SharedGate(gate, ours.data.quote, ours.clock)
    ours.queue.observe(lambda applied: locked.apply(applied.fact, applied.order))
    trades = TradeManager(
        BENCH,
        client_id=10,
        last_intent=0,
        gate=locked,
        journal=ours.journal,
        door=session,
        sink=ours.queue.put,
        clock=ours.clock,
    )
    sides = (Side.BUY, Side.SELL)
    count = 0

    def on_batch(batch: Delivery) -> None:
        nonlocal count
        assert isinstance(batch, tuple)
        for event in batch:
            if type(event) is Trade:
                count += 1
                ticket = OrderTicket(
                    instrument=event.instrument, side=sides[count & 1], order_qty=Decimal(100), ord_type=OrdType.MARKET
                )
                outcome = trades.submit(ticket)
                assert isinstance(outcome, Accepted), outcome

    mailbox: Mailbox[Delivery] = Mailbox(on_batch)
    mailbox.open()
    subscriber = Subscriber("bench", mailbox, lambda contract, text: print(text, file=sys.stderr))
    ours.data.subscribe(subscriber, Stock(SYMBOLS[0]), kinds=Kind.TRADES | Kind.QUOTES)
    await until_stopped(line)
    mailbox.close()


async def our_blast(line: Connection, port: int, durability: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(port, Path(folder), durability)
        counter = Counter(line)
        batches: list[Delivery] = []

        def on_batch(batch: Delivery) -> None:
            assert isinstance(batch, tuple)
            if counter._started_s == 0.0 and counter.count >= len(SYMBOLS):
                counter.start()
            counter.count += len(batch)
            batches.append(batch)
            last = batch[-1]
            if type(last) is Trade and last.last_px == float(LAST_PRICE):
                # The first tick of each instrument's opening pair makes no quote: both sides must be told.
                counter.count += len(SYMBOLS)
                counter.finish()
                line.send(_is_in_order(batches))

        mailbox: Mailbox[Delivery] = Mailbox(on_batch)
        mailbox.open()
        recorded = 0

        def record(columns: Any) -> bool:
            nonlocal recorded
            recorded += len(columns.columns["ts_ns"])
            return True

        async with ours.data:
            ours.data.record_to(record)
            subscriber = Subscriber("bench", mailbox, lambda contract, text: print(text, file=sys.stderr))
            for symbol in SYMBOLS:
                ours.data.subscribe(subscriber, Stock(symbol), kinds=Kind.TRADES | Kind.QUOTES)
            await until_stopped(line)
            mailbox.close()


def _is_in_order(batches: list[Delivery]) -> bool:
    # Every tick of the blast carries its own number as its size.
    newest = 1.0
    for batch in batches:
        assert isinstance(batch, tuple)
        for event in batch:
            number = event.last_qty if isinstance(event, Trade) else max(event.bid_qty, event.ask_qty)  # type: ignore[union-attr]
            if number < newest:
                return False
            newest = number
    return True


_Job = Callable[[Connection, int, str], Awaitable[None]]
_JOBS: dict[tuple[str, str], Any] = {
    ("floor", "latency"): raw_latency,
    ("floor", "blast"): raw_blast,
    ("peer", "latency"): ib_latency,
    ("peer", "blast"): ib_blast,
    ("ours", "latency"): our_latency,
    ("ours", "blast"): our_blast,
}
