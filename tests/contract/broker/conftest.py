"""A peer that says exactly what a test tells it to, over real sockets, and the floor's side of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from ibfloor.broker.ib.clients import IbClients
from ibfloor.broker.ib.settings import IbSettings
from ibfloor.clock import FloorClock
from ibfloor.model.fact import AnyFact
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Instrument, Stock
from ibfloor.model.money import USD


def framed(*fields: object) -> bytes:
    body = "".join(f"{field}\0" for field in fields).encode()
    return len(body).to_bytes(4, "big") + body


class ScriptedGateway:
    """Shakes hands as IB does, answers reqCurrentTime, keeps what it was sent; the rest is the test's."""

    def __init__(self) -> None:
        self.port = 0
        self.received: list[list[str]] = []
        self.connections = 0
        self.next_valid_id = 1
        self.is_mute = False
        self.first_words: bytes | None = None
        """Said instead of the handshake, where set."""
        self.refused_ids: set[int] = set()
        self.on_request: Callable[[list[str]], list[bytes]] = lambda fields: []
        self._writers: list[asyncio.StreamWriter] = []
        self._changed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._changed.set()
        self._writers.append(writer)
        try:
            if self.first_words is not None:
                writer.write(self.first_words)
            else:
                await self._shake_hands(reader, writer)
            while True:
                self._answer(await self._read(reader), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def say(self, *frames: bytes) -> None:
        self._writers[-1].write(b"".join(frames))

    def drop(self) -> None:
        self._writers[-1].transport.abort()

    async def got(self, message_id: int, count: int = 1) -> list[list[str]]:
        """Return requests with an id once there are enough of them."""
        while len(found := [fields for fields in self.received if fields[0] == str(message_id)]) < count:
            self._changed.clear()
            async with asyncio.timeout(60):
                await self._changed.wait()
        return found

    async def connected(self, count: int) -> None:
        """Return once there were so many connections."""
        async with asyncio.timeout(60):
            while self.connections < count:
                self._changed.clear()
                await self._changed.wait()

    async def _read(self, reader: asyncio.StreamReader) -> list[str]:
        size = int.from_bytes(await reader.readexactly(4), "big")
        return (await reader.readexactly(size)).decode().split("\0")[:-1]

    async def _shake_hands(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(4)
        await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
        if self.is_mute:
            return
        writer.write(framed(178, "20131018 09:26:00 EST"))
        client_id = int((await self._read(reader))[2])
        if client_id in self.refused_ids:
            writer.write(framed(4, 2, -1, 326, "Unable to connect as the client id is already in use.", ""))
            writer.close()
            return
        writer.write(framed(15, 1, "DU1") + framed(9, 1, self.next_valid_id))

    def _answer(self, fields: list[str], writer: asyncio.StreamWriter) -> None:
        self.received.append(fields)
        self._changed.set()
        if self.is_mute:
            return
        if fields[0] == "49":
            writer.write(framed(49, 1, 1_382_000_000))
        for frame in self.on_request(fields):
            writer.write(frame)


@asynccontextmanager
async def running(gateway: ScriptedGateway) -> AsyncIterator[ScriptedGateway]:
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", 0)
    gateway.port = server.sockets[0].getsockname()[1]
    try:
        yield gateway
    finally:
        server.close()
        for writer in gateway._writers:
            writer.transport.abort()
        await server.wait_closed()


class Facts:
    """Collect facts and wait for one that fits."""

    def __init__(self) -> None:
        self.all: list[AnyFact] = []
        self._changed = asyncio.Event()

    def __call__(self, fact: AnyFact) -> None:
        self.all.append(fact)
        self._changed.set()

    def of(self, kind: type) -> list[AnyFact]:
        return [fact for fact in self.all if isinstance(fact, kind)]

    async def wait(self, fits: Callable[[AnyFact], bool], *, since: int = 0) -> AnyFact:
        async with asyncio.timeout(60):
            while True:
                for fact in self.all[since:]:
                    if fits(fact):
                        return fact
                self._changed.clear()
                await self._changed.wait()


class Floor:
    """One set of clients and the facts they told."""

    def __init__(self, port: int, **settings: float) -> None:
        self.facts = Facts()
        self.clock = FloorClock()
        quick = {
            "open_timeout_s": 2.0,
            "handshake_timeout_s": 0.5,
            "client_id_wait_s": 0.3,
            "heartbeat_s": 0.2,
            "heartbeat_deadline_s": 0.3,
            "backoff_first_s": 0.02,
            "backoff_max_s": 0.1,
            "request_timeout_s": 2.0,
        }
        self.clients = IbClients(
            IbSettings(host="127.0.0.1", port=port, **{**quick, **settings}),  # type: ignore[arg-type]
            self.clock,
            self.facts,
            rng=random.Random(7),
        )


SPY = Instrument(
    instrument_id=InstrumentId(756733),
    contract=Stock("SPY"),
    local_symbol="SPY",
    currency=USD,
    min_tick=Decimal("0.01"),
)


@pytest.fixture
def spy() -> Instrument:
    return SPY


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway()


@pytest.fixture
def run_gateway() -> Callable[[ScriptedGateway], object]:
    return running


@pytest.fixture
def frame() -> Callable[..., bytes]:
    return framed


@pytest.fixture
def floor_at() -> type[Floor]:
    return Floor


@pytest.fixture
def within() -> Callable[[Callable[[], Awaitable[None]]], None]:
    """Run a coroutine function on a fresh loop."""

    def run(test: Callable[[], Awaitable[None]]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(60):
                await test()

        asyncio.run(bounded())

    return run
