"""What no client should send: the gateway answers or hangs up, and nobody else notices."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random

import pytest
from ib_async import IB, Contract, Ticker

from ibfloor.sim.gateway.codec.kinds import TEXT, Scalar
from ibfloor.sim.gateway.codec.requests import REQUESTS, START_API
from ibfloor.sim.gateway.codec.table import Field
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.wire import frame, split_fields

ConnectIb = Callable[[GatewayLab, int], Awaitable[IB]]
Until = Callable[[Callable[[], object]], Awaitable[None]]
HELLO = b"API\0" + struct.pack(">I", 9) + b"v157..178"
VERSIONS = (178, 157, 200, 176, 187)
FRAMES = 500
BATCH = 500
_TEXTS: dict[str, Scalar] = {
    "symbol": "SPY",
    "sec_type": "STK",
    "exchange": "SMART",
    "currency": "USD",
    "action": "BUY",
    "order_type": "LMT",
    "tif": "DAY",
    "bar_size": "1 min",
    "duration": "1 D",
    "what": "TRADES",
    "kind": "Last",
    "period": "1 day",
    "tags": "NetLiquidation",
    "start": "20131007 10:00:00 US/Eastern",
    "scan_code": "MOST_ACTIVE",
    "location": "STK.US",
    "instrument": "STK",
    "pattern": "S",
}
_NUMBERS: dict[str, Scalar] = {
    "total_qty": 10,
    "lmt_price": 100,
    "subscribe": True,
    "bar_size": 5,
    "rows": 5,
    "is_smart": True,
    "count": 10,
    "con_id": 756733,
    "transmit": True,
}
_SCRAPS = [
    "",
    "0",
    "1",
    "-1",
    "9",
    "SPY",
    "STK",
    "SMART",
    "USD",
    "1e999",
    "nan",
    "x" * 300,
    "2147483648",
    "\udcff",
    "1.5",
]


class Peer:
    """A client that writes whatever it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def greet(cls, lab: GatewayLab, client_id: int, version: int = 178) -> Peer:
        peer = cls(*await asyncio.open_connection("127.0.0.1", lab.port))
        peer.write(HELLO.replace(b"178", str(version).encode()))
        await peer.read()
        peer.write(frame(["71", "2", str(client_id), ""]))
        while (await peer.read())[0] != "9":
            pass
        return peer

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def read(self) -> list[str]:
        async with asyncio.timeout(20):
            (length,) = struct.unpack(">I", await self._reader.readexactly(4))
            return split_fields(await self._reader.readexactly(length))

    async def is_hung_up(self) -> bool:
        async with asyncio.timeout(20):
            try:
                while await self._reader.read(65536):
                    pass
            except ConnectionResetError:
                pass
        return True

    async def errors_until_time(self) -> list[tuple[str, str]]:
        """Ask the time; return the (request id, code) of all errors that come before it."""
        self.write(frame(["49", "1"]))
        errors: list[tuple[str, str]] = []
        while True:
            fields = await self.read()
            if fields[0] == "49":
                return errors
            if fields[0] == "4" and not fields[3].startswith("21"):
                errors.append((fields[2], fields[3]))

    async def errors_until_unknown(self) -> int:
        """Send a message that nobody knows, in any version; return how many errors come before its own."""
        self.write(frame(["47110"]))
        errors = 0
        while True:
            fields = await self.read()
            if fields[0] == "4" and any("'47110'" in field for field in fields):
                return errors
            errors += fields[0] == "4"

    def close(self) -> None:
        self._writer.close()


@pytest.mark.parametrize("frames", [2_000, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(400)])])
def test_random_and_mutated_frames_crash_nothing_leak_nothing_and_disturb_nobody(
    connect_ib: ConnectIb, until: Until, ib_complaints: Callable[[], list[str]], frames: int
) -> None:
    async def scene() -> None:
        random = Random(7)
        loop_errors: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: loop_errors.append(context))
        async with GatewayLab() as lab:
            lab.quote("SPY", "168.00", "168.02")
            other = await connect_ib(lab, 1)
            ticker = other.reqMktData(Contract(secType="STK", conId=756733, symbol="SPY", exchange="SMART"))
            await other.reqCurrentTimeAsync()
            tasks = len(asyncio.all_tasks())
            answered = 0
            for batch in range(frames // BATCH):
                version = VERSIONS[batch % len(VERSIONS)]
                peer = await Peer.greet(lab, 2, version)
                for _ in range(BATCH):
                    peer.write(_bad_frame(random, version))
                answered += await peer.errors_until_unknown()
                peer.close()
                lab.advance(1)
                await until(lambda: list(lab.gateway.sessions) == [1])
                torn = Peer(*await asyncio.open_connection("127.0.0.1", lab.port))
                torn.write(HELLO + _bad_stream(random))
                torn.close()
                lab.quote("SPY", f"{150 + batch % 90}.50", "250.00", after_s=1)
                await until(partial(_has_bid, ticker, 150.5 + batch % 90))
            assert answered > frames // 4
            assert other.isConnected()
            assert ib_complaints() == []
            await until(lambda: len(asyncio.all_tasks()) == tasks)
            other.disconnect()
        assert loop_errors == []

    asyncio.run(scene())


def _has_bid(ticker: Ticker, bid: float) -> bool:
    return ticker.bid == bid


def _bad_frame(random: Random, version: int = 178) -> bytes:
    """Return a whole frame: scraps under any id, or a sound request with some of its fields or bytes changed."""
    if random.random() < 0.3:
        ids = [*(number for number in REQUESTS if number != START_API.message_id), 0, 108, 999, -5]
        return frame([str(random.choice(ids)), *random.choices(_SCRAPS, k=random.randrange(90))])
    table = random.choice([table for table in REQUESTS.values() if table is not START_API])
    numbers = {**_NUMBERS, "req_id": random.randrange(50), "order_id": random.randrange(1, 10**6)}
    texts = {item.name for item in table.items if isinstance(item, Field) and item.kind is TEXT}
    sound = {**numbers, **{name: text for name, text in _TEXTS.items() if name in texts}}
    fields = split_fields(table.layout(version).encode(sound)[4:])
    for _ in range(random.randrange(4)):
        at = random.randrange(1, len(fields) + 1)
        if random.random() < 0.3:
            del fields[at:]
            break
        fields[at : at + 1] = random.choices(_SCRAPS, k=random.randrange(3))
    data = bytearray(frame(fields))
    while random.random() < 0.2:
        data[random.randrange(min(6, len(data) - 1), len(data))] = random.randrange(256)
    return bytes(data)


def _bad_stream(random: Random) -> bytes:
    """Return bytes whose lengths may lie: they end, or end the connection."""
    data = bytearray(frame(["71", "2", "3", ""]) + b"".join(_bad_frame(random) for _ in range(5)))
    for _ in range(4):
        data[random.randrange(len(data))] = random.randrange(256)
    return bytes(data[: random.randrange(len(data))])


def test_a_mutated_order_is_refused_or_taken_but_never_breaks_the_session(connect_ib: ConnectIb) -> None:
    async def scene() -> None:
        random = Random(11)
        loop_errors: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: loop_errors.append(context))
        async with GatewayLab() as lab:
            lab.quote("SPY", "168.00", "168.02")
            peer = await Peer.greet(lab, 2)
            layout = REQUESTS[3].layout(178)
            order: dict[str, Scalar] = {"symbol": "SPY", "sec_type": "STK", "exchange": "SMART", "currency": "USD"}
            sound = {**order, "action": "BUY", "total_qty": 10, "order_type": "LMT", "lmt_price": 100, "tif": "DAY"}
            for order_id in range(1, FRAMES):
                fields = split_fields(layout.encode({**sound, "order_id": order_id})[4:])
                for _ in range(random.randrange(3)):
                    fields[random.randrange(2, len(fields))] = random.choice(_SCRAPS)
                peer.write(frame(fields))
            errors = await peer.errors_until_time()
            taken = lab.book.orders
            assert len({row.order_id for row in taken} | {int(order_id) for order_id, _ in errors}) == FRAMES - 1
            assert len(taken) > 50
            assert len(errors) > 50
            peer.close()
        assert loop_errors == []

    asyncio.run(scene())


def test_every_known_request_without_its_fields_is_answered_with_an_error() -> None:
    async def scene() -> None:
        async with GatewayLab() as lab:
            peer = await Peer.greet(lab, 2)
            bare = {49, 58, 80, 82, 85, 99, 105}
            for number in (*REQUESTS, 106, 4711):
                if number in bare:
                    continue
                peer.write(frame([str(number)]))
                assert await peer.errors_until_time(), f"message {number} was met with silence"
            peer.close()

    asyncio.run(scene())


def test_every_known_request_with_empty_values_finds_its_desk() -> None:
    async def scene() -> None:
        loop_errors: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: loop_errors.append(context))
        async with GatewayLab() as lab:
            peer = await Peer.greet(lab, 2)
            for table in REQUESTS.values():
                peer.write(table.layout(178).encode({"req_id": 5}))
                await peer.errors_until_time()
            peer.close()
        assert loop_errors == []

    asyncio.run(scene())


def test_peers_that_do_not_speak_the_protocol_are_hung_up_on() -> None:
    async def scene() -> None:
        async with GatewayLab() as lab:
            for opening in (b"GET / HTTP/1.1\r\n", b"API\0\x7f\xff\xff\xff", b"API\0" + struct.pack(">I", 4) + b"v1.."):
                peer = Peer(*await asyncio.open_connection("127.0.0.1", lab.port))
                peer.write(opening)
                assert await peer.is_hung_up()
                peer.close()
            late = await Peer.greet(lab, 3)
            late.write(b"\xff\xff\xff\xff")
            assert await late.is_hung_up()
            late.close()

    asyncio.run(scene())


def test_requests_before_start_api_are_refused_and_the_session_goes_on() -> None:
    async def scene() -> None:
        async with GatewayLab() as lab:
            peer = Peer(*await asyncio.open_connection("127.0.0.1", lab.port))
            peer.write(HELLO + frame(["61", "1"]))
            assert len(await peer.read()) == 2
            assert (await peer.read())[3] == "320"
            peer.write(frame(["71", "2", "9", ""]))
            assert (await peer.read())[0] == "15"
            peer.close()

    asyncio.run(scene())
