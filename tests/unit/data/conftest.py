"""A data session and a clock that the test steps by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from ibfloor.broker.port import BatchSink
from ibfloor.data.manager import DataManager
from ibfloor.data.settings import DataSettings
from ibfloor.data.subscriber import Delivery, Subscriber, WarmUp
from ibfloor.model.errors import BrokerRejected, ConnectivityError
from ibfloor.model.fact import SessionState
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Contract, Forex, Instrument, Stock
from ibfloor.model.market import Bar, Halt, Quote, Trade
from ibfloor.model.money import Currency

NS = 1_000_000_000
MINUTE = 60 * NS
NOON = 1_381_766_400 * NS  # 2013-10-14 16:00 UTC, 12:00 in New York


class StepClock:
    """Market time that moves only when told; ``wall_delay_s`` tells a short wait, so that loops look again."""

    def __init__(self, now_ns: int = NOON, speed: float = 1000.0) -> None:
        self.ns = now_ns
        self.speed = speed

    def now_ns(self) -> int:
        return self.ns

    def wall_delay_s(self, until_ns: int) -> float:
        return 0.0 if until_ns <= self.ns else 0.005


def make_instrument(contract: Contract, instrument_id: int) -> Instrument:
    return Instrument(
        instrument_id=InstrumentId(instrument_id),
        contract=contract,
        local_symbol=contract.symbol,
        currency=Currency("USD"),
    )


SPY = make_instrument(Stock("SPY"), 756733)
BAC = make_instrument(Stock("BAC"), 10098)
EURUSD = make_instrument(Forex("EURUSD"), 12087792)


class HandFedSession:
    """A broker in memory: the test feeds ticks and holds the history."""

    client_id = 1

    def __init__(self) -> None:
        self.state = SessionState.DISCONNECTED
        self.known = {each.contract: each for each in (SPY, BAC, EURUSD)}
        self.subscribed: list[Instrument] = []
        self.log: list[str] = []
        self.past: list[Bar] = []
        self.history_gate: asyncio.Event | None = None
        self.resolve_gate: asyncio.Event | None = None
        self.open_error: Exception | None = None
        self.losses = 0
        self.ended: set[Instrument] = set()
        self.on_halted: Callable[[Instrument, Halt], None] = lambda instrument, halt: None
        self._sink: BatchSink | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def take_sink(self, sink: BatchSink) -> HandFedSession:
        self._sink = sink
        return self

    async def open(self) -> None:
        if self.open_error:
            raise self.open_error
        self._loop = asyncio.get_running_loop()
        self.state = SessionState.CONNECTED

    async def close(self) -> None:
        self.state = SessionState.DISCONNECTED

    async def resolve(self, contract: Contract) -> Instrument:
        self.log.append(f"resolve {contract}")
        if self.resolve_gate:
            await self.resolve_gate.wait()
        if self.losses:
            self.losses -= 1
            raise ConnectivityError("the socket is closed")
        if contract not in self.known:
            raise BrokerRejected("No security definition has been found for the request")
        return self.known[contract]

    def subscribe(self, instrument: Instrument) -> None:
        self.log.append(f"subscribe {instrument.local_symbol}")
        self.subscribed.append(instrument)

    def unsubscribe(self, instrument: Instrument) -> None:
        self.log.append(f"unsubscribe {instrument.local_symbol}")
        self.subscribed.remove(instrument)

    def is_streaming(self, instrument: Instrument) -> bool:
        return instrument in self.subscribed and instrument not in self.ended

    async def history(self, instrument: Instrument, *, bar_ns: int, duration_ns: int, end_ns: int | None) -> list[Bar]:
        self.log.append(f"history {instrument.local_symbol} {duration_ns // bar_ns} end={end_ns}")
        if self.history_gate:
            await self.history_gate.wait()
        bars = [bar for bar in self.past if bar.instrument is instrument and bar.duration_ns == bar_ns]
        if not bars:
            raise BrokerRejected("HMDS query returned no data")
        last_ns = max(bar.ts_close_ns for bar in bars) if end_ns is None else end_ns
        return [bar for bar in bars if last_ns - duration_ns <= bar.ts_event_ns and bar.ts_close_ns <= last_ns]

    def feed(self, *events: Quote | Trade) -> None:
        """Bring one packet, on the data thread as a real session does; return when it is routed."""

        async def bring() -> None:
            assert self._sink
            self._sink(events)

        self.do(bring)

    def do(self, work: Callable[[], object]) -> None:
        async def run() -> None:
            result = work()
            if asyncio.iscoroutine(result):
                await result

        assert self._loop
        asyncio.run_coroutine_threadsafe(run(), self._loop).result(30)


class ListBox:
    """A mailbox that the test reads; ``room`` bounds it."""

    def __init__(self, room: int = 1_000_000) -> None:
        self.values: list[Delivery] = []
        self.room = room
        self.errors: list[tuple[Contract, str]] = []
        self.subscriber = Subscriber("test", self, lambda contract, text: self.errors.append((contract, text)))

    def put(self, value: Delivery) -> bool:
        if len(self.values) >= self.room:
            return False
        self.values.append(value)
        return True

    @property
    def warmups(self) -> list[WarmUp]:
        return [value for value in self.values if isinstance(value, WarmUp)]

    @property
    def events(self) -> list[Quote | Trade | Bar]:
        return [event for value in self.values if not isinstance(value, WarmUp) for event in value]

    @property
    def bars(self) -> list[Bar]:
        return [event for event in self.events if isinstance(event, Bar)]


def wait_for(condition: Callable[[], object], what: str = "", deadline_s: float = 5.0) -> None:
    """Wait on a condition of another thread."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_s} s: {what or condition}"
        time.sleep(0.001)


class Floor:
    """A running DataManager with its hand-fed session, and short words to make events."""

    SPY, BAC, EURUSD = SPY, BAC, EURUSD
    NOON, MINUTE, NS = NOON, MINUTE, NS
    Box = ListBox

    def __init__(self, manager: DataManager, session: HandFedSession, clock: StepClock) -> None:
        self.manager = manager
        self.session = session
        self.clock = clock

    def quote(self, bid_px: float, ask_px: float, after_ns: int = 0, instrument: Instrument = SPY) -> Quote:
        return Quote(instrument, NOON + after_ns, bid_px, ask_px, 100.0, 200.0)

    def trade(self, px: float, after_ns: int = 0, instrument: Instrument = SPY, qty: float = 10.0) -> Trade:
        return Trade(instrument, NOON + after_ns, px, qty)

    def bar(self, minute: int, px: float = 1.0, instrument: Instrument = SPY) -> Bar:
        return Bar(instrument, NOON + minute * MINUTE, MINUTE, px, px, px, px, 5.0, 1, px)

    def subscribe(self, box: ListBox, *instruments: Instrument, **wanted: Any) -> None:
        """Subscribe and wait until the session knows."""
        for instrument in instruments:
            self.manager.subscribe(box.subscriber, instrument.contract, **wanted)
            self.until(partial(self.session.subscribed.__contains__, instrument), "subscribed")
        self.settle()

    def settle(self) -> None:
        """Wait until what was asked of the data thread so far is done."""
        for _ in range(5):
            self.session.do(lambda: None)

    def until(self, condition: Callable[[], object], what: str = "") -> None:
        wait_for(condition, what)


@pytest.fixture
def floor() -> Iterator[Floor]:
    session, clock = HandFedSession(), StepClock()
    settings = DataSettings(
        bar_close_grace_s=0.0, retry_s=0.01, record_every_s=0.01, rules_look_s=0.01, history_timeout_s=1.0
    )
    manager = DataManager(session.take_sink, clock, settings)
    with asyncio.Runner() as runner:
        runner.run(manager.__aenter__())
        yield Floor(manager, session, clock)
        runner.run(manager.__aexit__(None, None, None))
    assert session.state is SessionState.DISCONNECTED
