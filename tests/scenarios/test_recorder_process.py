"""A real recorder process on a real control socket, fed by a real DataManager; it is killed and stopped."""

from __future__ import annotations

import asyncio
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
from ibfloor.data.recorder_link import RecorderLink
from ibfloor.data.settings import DataSettings
from ibfloor.data.subscriber import Delivery, Kind, Subscriber
from ibfloor.model.command import AnyCommand, CommandResult, Denied
from ibfloor.model.errors import BrokerRejected
from ibfloor.model.fact import SessionState
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Contract, Instrument, Stock
from ibfloor.model.market import Bar, Trade
from ibfloor.model.money import Currency

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Passing a BlockManager:DeprecationWarning"),
]

NS = 1_000_000_000
DAY = 24 * 3600 * NS
NOON = 1_381_766_400 * NS
FLUSH_S = 0.5


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
        self.link: RecorderLink

    @asynccontextmanager
    async def run(self) -> AsyncIterator[Floor]:
        manager = DataManager(self.tape.take_sink, self.clock, DataSettings(record_every_s=0.02))

        async def deny(command: AnyCommand) -> CommandResult:
            return Denied("not here")

        def on_report(report: RecorderReport) -> None:
            self.reports.append(report)
            self.link.on_report(report)

        server = ControlServer(
            endpoint_path(self.home),
            floor="test",
            version="0",
            on_call=deny,
            on_bars=lambda query: [],
            snapshot=lambda: ViewSnapshot(seq=0, rows={}),
            on_recorder_report=on_report,
        )
        async with manager, server:

            def publish(columns: MarketColumns) -> bool:
                is_taken = server.publish_market(columns)
                self.rows_published += len(columns.columns["ts_ns"]) if is_taken else 0
                return is_taken

            self.link = RecorderLink(manager, publish)
            self.link.start()
            manager.subscribe(Subscriber("deaf", Deaf(), print), self.tape.spy.contract, kinds=Kind.TRADES)
            await asyncio.wrap_future(manager.resolve(self.tape.spy.contract))
            yield self
            self.link.stop()

    @asynccontextmanager
    async def recorder(self, *more: str) -> AsyncIterator[Process]:
        arguments = ["--tick-flush-s", str(FLUSH_S), "--bar-flush-s", "0.2", "--map-size", "256MB"]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "ibfloor.data.recorder", str(self.home), str(self.store), *arguments, *more),
            stderr=PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

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
                await floor.until(lambda: floor.reports)
                while floor.link.totals.ticks_stored < 2000:
                    await floor.tape.print(20, floor.clock.now_ns())
                    await asyncio.sleep(0.002)
                confirmed = floor.link.totals.ticks_stored
                os.kill(first.pid, signal.SIGKILL)
                killed_s = time.monotonic()
            sent_before = len(floor.tape.sent_s)
            async with floor.recorder() as second:
                await floor.until(lambda: sum(report.detail == "started" for report in floor.reports) == 2)
                for _ in range(10):
                    await floor.tape.print(20, floor.clock.now_ns())
                await floor.until(lambda: floor.link.totals.ticks_stored >= confirmed + 200)
                second.send_signal(signal.SIGTERM)
                assert await second.wait() == 0
            return confirmed, killed_s, sent_before

    confirmed, killed_s, sent_before = asyncio.run(live())
    stored = floor.stored()
    assert len(stored) == len(set(stored)), "nothing is stored twice"
    missing = sorted(set(range(len(floor.tape.sent_s))) - set(stored))
    assert set(range(confirmed)) <= set(stored), "what was reported as stored is stored"
    assert all(number < sent_before for number in missing), "the successor lost nothing"
    assert all(floor.tape.sent_s[number] > killed_s - 2 * FLUSH_S for number in missing)


def test_bars_survive_a_killed_recorder_each_once(floor: Floor) -> None:
    async def live() -> None:
        async with floor.run():
            await floor.until(lambda: floor.clock.now_ns() > NOON + 70 * NS)  # past the first, partial minute
            async with floor.recorder() as first:
                await floor.until(lambda: floor.reports)
                while floor.link.totals.bars_stored < 1:
                    await floor.tape.print(1, floor.clock.now_ns())
                    await asyncio.sleep(0.02)
                first.kill()
            for _ in range(40):  # three minutes of market time without a recorder
                await floor.tape.print(1, floor.clock.now_ns())
                await asyncio.sleep(0.02)
            async with floor.recorder() as second:
                before = floor.link.totals.bars_stored
                await floor.until(lambda: floor.link.totals.bars_stored >= before + 2)
                second.terminate()
                assert await second.wait() == 0

    asyncio.run(live())
    bars = open_store(floor.store, map_size="256MB").read_bars(756733, NOON, NOON + DAY)
    starts = bars["ts_ns"].tolist()
    assert starts == list(range(starts[0], starts[-1] + 1, 60 * NS)), "no minute is missing, none comes twice"
    assert len(starts) >= 3


def test_the_recorder_writes_what_it_has_when_the_floor_goes_away(floor: Floor) -> None:
    async def live() -> int:
        async with AsyncExitStack() as outer:
            async with floor.run():
                recorder = await outer.enter_async_context(floor.recorder("--tick-flush-s", "1000"))
                await floor.until(lambda: floor.reports)
                await floor.tape.print(50, floor.clock.now_ns())
                await floor.until(lambda: floor.rows_published == 50)
                for _ in range(10):  # turns of the loop, in which the server writes
                    await asyncio.sleep(0)
            return await recorder.wait()

    assert asyncio.run(live()) == 0
    assert floor.stored() == list(range(50))


def test_on_a_nearly_full_disk_the_recorder_stops_and_says_why(floor: Floor) -> None:
    async def live() -> tuple[int, str]:
        async with floor.run(), floor.recorder("--free-bytes-min", str(10**18)) as recorder:
            _, said = await recorder.communicate()
            assert recorder.returncode is not None
            return recorder.returncode, said.decode()

    code, said = asyncio.run(live())
    assert code == 3
    assert "must stay free; make room" in said


def test_without_a_floor_the_recorder_says_so(floor: Floor) -> None:
    async def live() -> tuple[int | None, str]:
        async with floor.recorder() as recorder:
            _, said = await recorder.communicate()
            return recorder.returncode, said.decode()

    code, said = asyncio.run(live())
    assert code == 1
    assert said.startswith("recorder: ")
    assert "Traceback" not in said
