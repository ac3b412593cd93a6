"""A real recorder process on a real control socket, fed by a real DataManager; it is killed and stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from ibfloor.broker.port import BatchSink
from ibfloor.clock import FloorClock
from ibfloor.control.endpoint import endpoint_path
from ibfloor.control.protocol import MarketColumns, RecorderReport, ViewSnapshot
from ibfloor.control.server import ControlServer
from ibfloor.data import arctic_store
from ibfloor.data.arctic_store import open_store
from ibfloor.data.manager import DataManager
from ibfloor.data.settings import DataSettings
from ibfloor.data.subscriber import Delivery, Kind, Subscriber
from ibfloor.manager.market_bridge import MarketBridge
from ibfloor.model.command import AnyCommand, CommandResult, Denied
from ibfloor.model.errors import BrokerRejected
from ibfloor.model.fact import SessionState
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Contract, Instrument, Stock
from ibfloor.model.market import Bar, Halt, Trade
from ibfloor.model.money import Currency

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Passing a BlockManager:DeprecationWarning"),
]

NS = 1_000_000_000
DAY = 24 * 3600 * NS
NOON = 1_381_766_400 * NS
FLUSH_S = 0.5
ON_THE_WAY_S = 0.5  # between the print and the recorder's buffer, on a busy machine


class Tape:
    """A data session whose only instrument prints when the test says so."""

    client_id = 1
    state = SessionState.CONNECTED

    def __init__(self) -> None:
        self.spy = Instrument(
            instrument_id=InstrumentId(756733), contract=Stock("SPY"), local_symbol="SPY", currency=Currency("USD")
        )
        self.sent_s: list[float] = []
        """When each print was sent, by its number."""
        self.on_halted: Callable[[Instrument, Halt], None] = lambda instrument, halt: None
        self.sink: BatchSink
        self.loop: asyncio.AbstractEventLoop

    def take_sink(self, sink: BatchSink) -> Tape:
        self.sink = sink
        return self

    async def open(self) -> None:
        self.loop = asyncio.get_running_loop()

    async def close(self) -> None:
        pass

    async def resolve(self, contract: Contract) -> Instrument:
        return self.spy

    def subscribe(self, instrument: Instrument) -> None:
        pass

    def unsubscribe(self, instrument: Instrument) -> None:
        pass

    def is_streaming(self, instrument: Instrument) -> bool:
        return True

    async def history(self, instrument: Instrument, *, bar_ns: int, duration_ns: int, end_ns: int | None) -> list[Bar]:
        raise BrokerRejected("no history here")

    async def print(self, count: int, ts_ns: int) -> None:
        """Print ``count`` trades, numbered by their price, one nanosecond apart from ``ts_ns`` on."""
        first = len(self.sent_s)
        self.sent_s += [time.monotonic()] * count
        batch = tuple(Trade(self.spy, ts_ns + n, float(first + n), 1.0) for n in range(count))

        async def bring() -> None:
            self.sink(batch)

        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(bring(), self.loop))


class Deaf:
    def put(self, value: Delivery) -> bool:
        return True


class Floor:
    """The part of a floor that the recorder meets."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.store = home / "market"
        self.clock = FloorClock()
        self.clock.follow(NOON, 240.0)
        self.tape = Tape()
        self.reports: list[RecorderReport] = []
        self.rows_published = 0
        self.data: DataManager | None = None
        self.bridge: MarketBridge

    @asynccontextmanager
    async def run(self) -> AsyncIterator[Floor]:
        manager = DataManager(self.tape.take_sink, self.clock, DataSettings(record_every_s=0.02))

        async def deny(command: AnyCommand) -> CommandResult:
            return Denied("not here")

        server = ControlServer(
            endpoint_path(self.home),
            floor="test",
            version="0",
            on_call=deny,
            on_bars=lambda query: [],
            snapshot=lambda: ViewSnapshot(seq=0, rows={}),
            on_recorder_report=self.reports.append,
        )
        async with manager, server:

            def publish(columns: MarketColumns) -> bool:
                is_taken = server.publish_market(columns)
                self.rows_published += len(columns.columns["ts_ns"]) if is_taken else 0
                return is_taken

            self.data, self.bridge = manager, MarketBridge(publish)
            manager.subscribe(Subscriber("deaf", Deaf(), print), self.tape.spy.contract, kinds=Kind.TRADES)
            await asyncio.wrap_future(manager.resolve(self.tape.spy.contract))
            yield self
            self.data = None

    @asynccontextmanager
    async def recorder(self, **more: float) -> AsyncIterator[Process]:
        """Run a recorder, and feed it from when it is ready; it ends with this context."""
        settings = {"tick_flush_s": FLUSH_S, "bar_flush_s": 0.2, "map_size": "256MB", "min_free_pct": 0.0} | more
        paths = {"home": str(self.home), "path": str(self.store), "parent_pipe": True}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ibfloor.data"), stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(settings | paths).encode() + b"\n")
        if await process.stdout.readline() and self.data is not None:
            self.data.record_to(self.bridge)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            if self.data is not None:
                self.data.record_to(None)
                self.bridge.clear()

    @property
    def ticks_reported(self) -> int:
        return self.reports[-1].ticks_stored if self.reports else 0

    @property
    def bars_reported(self) -> int:
        return self.reports[-1].bars_stored if self.reports else 0

    async def until(self, condition: Callable[[], object], deadline_s: float = 25.0) -> None:
        async with asyncio.timeout(deadline_s):
            while not condition():  # noqa: ASYNC110 - looks at another process's doings
                await asyncio.sleep(0.01)

    def stored(self) -> list[int]:
        """Return the numbers of the stored prints, as a new process would read them."""
        arctic_store._opened.clear()
        px = open_store(self.store, map_size="256MB").read_ticks(756733, NOON, NOON + DAY)["px"]
        return [int(number) for number in px]


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


def test_a_killed_recorder_loses_at_most_one_flush_and_its_successor_goes_on(floor: Floor) -> None:
    async def live() -> tuple[int, float, int]:
        async with floor.run():
            async with floor.recorder() as first:
                while floor.ticks_reported < 2000:
                    await floor.tape.print(20, floor.clock.now_ns())
                    await asyncio.sleep(0.002)
                confirmed = floor.ticks_reported
                os.kill(first.pid, signal.SIGKILL)
                killed_s = time.monotonic()
                await first.wait()
            floor.reports.clear()
            sent_before = len(floor.tape.sent_s)
            async with floor.recorder() as second:
                for _ in range(10):
                    await floor.tape.print(20, floor.clock.now_ns())
                await floor.until(lambda: floor.ticks_reported >= 200)  # and what was on its way before
                second.send_signal(signal.SIGTERM)
                assert await second.wait() == 0
            return confirmed, killed_s, sent_before

    confirmed, killed_s, sent_before = asyncio.run(live())
    stored = floor.stored()
    assert len(stored) == len(set(stored)), "nothing is stored twice"
    missing = sorted(set(range(len(floor.tape.sent_s))) - set(stored))
    assert set(range(confirmed)) <= set(stored), "what was reported as stored is stored"
    assert all(number < sent_before for number in missing), "the successor lost nothing"
    assert all(floor.tape.sent_s[number] > killed_s - FLUSH_S - ON_THE_WAY_S for number in missing)


def test_bars_survive_a_killed_recorder_each_once(floor: Floor) -> None:
    async def live() -> None:
        async with floor.run():
            await floor.until(lambda: floor.clock.now_ns() > NOON + 70 * NS)  # past the first, partial minute
            async with floor.recorder() as first:
                while floor.bars_reported < 1:
                    await floor.tape.print(1, floor.clock.now_ns())
                    await asyncio.sleep(0.02)
                first.kill()
            floor.reports.clear()
            for _ in range(40):  # three minutes of market time without a recorder
                await floor.tape.print(1, floor.clock.now_ns())
                await asyncio.sleep(0.02)
            async with floor.recorder() as second:
                await floor.until(lambda: floor.bars_reported >= 2)
                second.terminate()
                assert await second.wait() == 0

    asyncio.run(live())
    starts = open_store(floor.store, map_size="256MB").read_bars(756733, NOON, NOON + DAY)["ts_ns"].tolist()
    assert starts == list(range(starts[0], starts[-1] + 1, 60 * NS)), "no minute is missing, none comes twice"
    assert len(starts) >= 3


def test_the_recorder_writes_what_it_has_when_the_floor_goes_away(floor: Floor) -> None:
    async def live() -> int:
        async with AsyncExitStack() as outer:
            async with floor.run():
                recorder = await outer.enter_async_context(floor.recorder(tick_flush_s=1000))
                await floor.tape.print(50, floor.clock.now_ns())
                await floor.until(lambda: floor.rows_published == 50)
                for _ in range(10):  # turns of the loop, in which the server writes
                    await asyncio.sleep(0)
            return await recorder.wait()

    assert asyncio.run(live()) == 0
    assert floor.stored() == list(range(50))


def test_the_recorder_writes_what_it_has_when_its_input_ends(floor: Floor) -> None:
    async def live() -> int:
        async with floor.run(), floor.recorder(tick_flush_s=1000) as recorder:
            await floor.tape.print(50, floor.clock.now_ns())
            await floor.until(lambda: floor.rows_published == 50)
            assert recorder.stdin is not None
            recorder.stdin.close()
            return await recorder.wait()

    assert asyncio.run(live()) == 0
    assert floor.stored() == list(range(50))
    assert floor.reports[-1].ticks_stored == 50


def test_a_gap_is_marked_with_what_the_next_recorder_missed(floor: Floor) -> None:
    async def live() -> None:
        async with floor.run():
            async with floor.recorder() as first:
                first.terminate()
                assert await first.wait() == 0
            await floor.tape.print(30, floor.clock.now_ns())
            async with floor.recorder():
                await floor.tape.print(20, floor.clock.now_ns())
                await floor.until(lambda: floor.ticks_reported)

    asyncio.run(live())
    assert floor.stored() == list(range(30, 50))
    gaps = open_store(floor.store, map_size="256MB").read_gaps(NOON, NOON + DAY)
    assert gaps["qty"].tolist() == [30.0]
    assert floor.reports[-1].gaps == 1


def test_on_a_nearly_full_disk_the_recorder_stops_and_says_why(floor: Floor) -> None:
    async def live() -> tuple[int | None, str]:
        async with floor.run(), floor.recorder(min_free_gb=1e9) as recorder:
            return await said(recorder)

    code, words = asyncio.run(live())
    assert code == 3
    assert "must stay free" in words
    assert "min_free_gb = 1e+09" in words


def test_without_a_floor_the_recorder_says_so(floor: Floor) -> None:
    async def live() -> tuple[int | None, str]:
        async with floor.recorder() as recorder:
            return await said(recorder)

    code, words = asyncio.run(live())
    assert code == 1
    assert words.startswith("recorder: ")
    assert "Traceback" not in words


def test_settings_that_are_none_are_refused_with_the_field(floor: Floor) -> None:
    async def live() -> tuple[int | None, str]:
        async with floor.recorder(tick_rows_max="many") as recorder:  # type: ignore[arg-type]
            return await said(recorder)

    code, words = asyncio.run(live())
    assert code == 2
    assert "tick_rows_max" in words


async def said(process: Process) -> tuple[int | None, str]:
    """Return how a process ended and its words on standard error."""
    assert process.stderr is not None
    words = await process.stderr.read()
    return await process.wait(), words.decode()
