"""Tier G: garbled frames, wrong lengths, wrong order and jumping clocks, at our side of the connection.

Valid frames are taken from a run of the campaign; a seed decides what becomes of them. Nothing may be raised, nothing
may hang, and no fill may come out of garbage: what is booked was said by the broker, word for word, or is at least a
whole execution of the right shape where one byte of it was changed.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import structlog
from tests.sim.campaign.network import Network
from tests.sim.campaign.run import RAM, Watchman
from tests.sim.campaign.virtual_loop import VirtualLoop, virtual_loop
from tests.sim.campaign.world import DAY, World

from ibfloor.broker.ib.clients import IbClients
from ibfloor.broker.ib.session import IbSession
from ibfloor.broker.ib.settings import IbSettings
from ibfloor.clock import FloorClock
from ibfloor.model.fact import AnyFact, OrderFilled, SessionState
from ibfloor.model.ids import ClientOrderId, StrategyId
from ibfloor.sim.gateway.clock import market_start_ns

PORT = 4002
CAPTURE_S = 12.0
BURST = 25
FRAME_MAX = 1 << 16
RECONNECT_S = 12.0
SLICE_FRAMES = 2_500
FRAMES = 100_000
FRAMES_PER_JOB = 5_000
_NASTY = (
    *(b"", b" ", b"nan", b"inf", b"-inf", b"-1", b"0", b"-0", b"1e309", b"-1e309", b"1,5", b"1_000", b"0x10"),
    *(b"9" * 400, b"2147483648", b"999999999999", b"true", b"None", b"'; DROP TABLE"),
    *(b"\xff\xfe", b"\xc3", b"\xe0\x80", b"\x01", b"\xef\xbc\x91"),
)
_CLOCKS = (
    "market_ns=-1 speed=1",
    "market_ns=9e99 speed=1",
    "market_ns=1 speed=0",
    "market_ns=99999999999999999999 speed=nan",
    "market_ns=1381154400000000000 speed=-5",
    "market_ns=1381154400000000000 speed=1e308",
    "nothing at all",
)
_CURRENCY = re.compile(r"[A-Z]{3}")
_YEAR_NS = 365 * 24 * 3600 * 10**9

Garble = Callable[[Random, Sequence[bytes]], bytes]
"""What becomes of some frames' bodies: the bytes that are sent."""


class Fuzzed(msgspec.Struct, frozen=True):
    """What one job came to: a plain value, so that it can cross processes."""

    seed: int
    frames: int
    violations: tuple[str, ...]
    fills: int
    doubts: int
    drops: int
    cpu_s: float


def _framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def _plain(_random: Random, bodies: Sequence[bytes]) -> bytes:
    return b"".join(map(_framed, bodies))


def _flipped(random: Random, bodies: Sequence[bytes]) -> bytes:
    found = []
    for body in bodies:
        changed = bytearray(body)
        for _ in range(random.randint(1, 4)):
            changed[random.randrange(len(changed))] = random.randrange(256)
        found.append(_framed(bytes(changed)))
    return b"".join(found)


def _shortened(random: Random, bodies: Sequence[bytes]) -> bytes:
    return b"".join(_framed(body[: random.randrange(len(body))]) for body in bodies)


def _fields_lost(random: Random, bodies: Sequence[bytes]) -> bytes:
    found = []
    for body in bodies:
        fields = body.split(b"\0")
        del fields[random.randrange(len(fields))]
        found.append(_framed(b"\0".join(fields)))
    return b"".join(found)


def _fields_added(random: Random, bodies: Sequence[bytes]) -> bytes:
    found = []
    for body in bodies:
        fields = body.split(b"\0")
        fields.insert(random.randrange(1, len(fields) + 1), random.choice((*_NASTY, *fields)))
        found.append(_framed(b"\0".join(fields)))
    return b"".join(found)


def _fields_nasty(random: Random, bodies: Sequence[bytes]) -> bytes:
    found = []
    for body in bodies:
        fields = body.split(b"\0")
        fields[random.randrange(len(fields))] = random.choice(_NASTY)
        found.append(_framed(b"\0".join(fields)))
    return b"".join(found)


def _lengths_wrong(random: Random, bodies: Sequence[bytes]) -> bytes:
    found = b"".join(map(_framed, bodies[: len(bodies) // 2]))
    body = bodies[-1]
    size = random.choice((0, 1, len(body) - 1, len(body) + 1, len(body) + 40, 1 << 20, 1 << 24, (1 << 32) - 1))
    return found + size.to_bytes(4, "big") + body + b"".join(map(_framed, bodies[len(bodies) // 2 :]))


def _noise(random: Random, _bodies: Sequence[bytes]) -> bytes:
    noise = random.randbytes(random.randrange(1, 300))
    return noise if random.random() < 0.3 else _framed(noise)


def _shuffled(random: Random, bodies: Sequence[bytes]) -> bytes:
    mixed = [*bodies, *random.choices(bodies, k=5)]
    random.shuffle(mixed)
    return _plain(random, mixed)


def _kinds_wrong(random: Random, bodies: Sequence[bytes]) -> bytes:
    found = []
    for body in bodies:
        _, _, rest = body.partition(b"\0")
        kind = random.choice((b"", b"0", b"-1", b"9999", b"x", b"%d" % random.randrange(1, 110)))
        found.append(_framed(kind + b"\0" + rest))
    return b"".join(found)


def _clocks_jump(random: Random, _bodies: Sequence[bytes]) -> bytes:
    return _framed(f"4\0002\000-1\0002199\0Simulated clock: {random.choice(_CLOCKS)}\0\0".encode())


GARBLES: dict[str, tuple[Garble, bool]] = {
    "as they are": (_plain, True),
    "out of order and twice": (_shuffled, True),
    "cut short": (_shortened, True),
    "a field lost": (_fields_lost, True),
    "a field too many": (_fields_added, True),
    "lengths wrong": (_lengths_wrong, True),
    "noise": (_noise, True),
    "another kind": (_kinds_wrong, True),
    "clocks jump": (_clocks_jump, True),
    "bytes changed": (_flipped, False),
    "a field nasty": (_fields_nasty, False),
}
"""Each with whether a fill that comes of it must be one the broker said, word for word."""


class _Peer(asyncio.Protocol):
    """A gateway that shakes hands and answers the heartbeat; the rest it is told to say."""

    def __init__(self, peers: dict[int, _Peer]) -> None:
        self._peers = peers
        self._data = b""
        self._frames = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        self._data = self._data.removeprefix(b"API\0")
        while len(self._data) >= 4 and len(self._data) >= 4 + (size := int.from_bytes(self._data[:4], "big")):
            body, self._data = self._data[4 : 4 + size], self._data[4 + size :]
            self._frames += 1
            if self._frames == 1:
                self.say(_framed(b"178\00020131007 10:00:00 EST\0"))
            elif self._frames == 2:
                self._peers[int(body.split(b"\0")[2])] = self
                self.say(_framed(b"15\0001\0DU1000001\0") + _framed(b"9\0001\0001\0"))
            elif body.startswith(b"49\0"):
                self.say(_framed(b"49\0001\0001381154400\0"))

    def say(self, data: bytes) -> None:
        self.transport.write(data)


class _Harness:
    """Three sessions of ours, the peers they talk to, and all they told."""

    def __init__(self, loop: VirtualLoop, seed: str, corpus: Corpus) -> None:
        self.loop, self.corpus, self.random = loop, corpus, Random(seed)
        self.network = Network(loop, seed)
        self.peers: dict[int, _Peer] = {}
        self.facts: list[AnyFact] = []
        self.violations: list[str] = []
        self.counts: Counter[str] = Counter()
        self.clock = FloorClock(loop.time_ns)
        self.clock.follow(market_start_ns(DAY, "10:00"), 1.0)
        clients = IbClients(
            IbSettings(host="127.0.0.1", port=PORT, account="DU1000001"), self.clock, self.facts.append,
            rng=Random(seed), monotonic=loop.time,
        )  # fmt: skip
        orders = clients.order_session(StrategyId("alpha"), 10)
        for n in range(1, 200):
            orders.track(n, ClientOrderId(f"alpha:{n}"))
        self.sessions: dict[int, IbSession] = {
            0: clients.master_session(lambda report: None),
            1: clients.data_session(lambda batch: None, on_clock=self._follow),
            10: orders,
        }

    def _follow(self, market_ns: int, speed: float) -> None:
        self.clock.follow(market_ns, speed)

    async def run(self, frames: int) -> None:
        self.network.listen(lambda: _Peer(self.peers), PORT, None)
        for session in self.sessions.values():
            await session.open()
        sent = 0
        while sent < frames:
            name = self.random.choice(tuple(GARBLES))
            client_id = self.random.choice(tuple(self.sessions))
            bodies = self.random.sample(self.corpus.bodies, BURST)
            await self._burst(name, client_id, bodies)
            sent += BURST
            if self.random.random() < 0.02:
                self.loop.jump(self.random.choice((0.5, 30.0, 7200.0)))
        for client_id, session in self.sessions.items():
            await self._connected(client_id, "the end")
            await session.close()

    async def _burst(self, name: str, client_id: int, bodies: Sequence[bytes]) -> None:
        garble, is_exact = GARBLES[name]
        data = garble(self.random, bodies)
        session, told = self.sessions[client_id], len(self.facts)
        await self._connected(client_id, name)
        self.counts["bursts"] += 1
        while data:  # in pieces, as a network may bring them
            size = self.random.choice((len(data), len(data), self.random.randrange(1, len(data) + 1)))
            self.peers[client_id].say(data[:size])
            data = data[size:]
        await asyncio.sleep(0.02)
        for fact in self.facts[told:]:
            if isinstance(fact, OrderFilled):
                self.counts["fills"] += 1
                if why := self._is_false(fact, is_exact=is_exact):
                    self.violations.append(f"{name} at client {client_id}: a fill that {why}: {fact}")
        if session.state is SessionState.DEGRADED:
            self.counts["doubts"] += 1
        del self.facts[:]

    async def _connected(self, client_id: int, name: str) -> None:
        session = self.sessions[client_id]
        for _ in range(int(RECONNECT_S / 0.25)):
            if session.state is SessionState.CONNECTED:
                return
            if session.state is SessionState.DEGRADED:  # garbage may well say that IB is away: so say that it is back
                self.peers[client_id].say(_framed(b"4\0002\000-1\0001102\0Connectivity has been restored.\0\0"))
            self.counts["waits"] += 1
            await asyncio.sleep(0.25)
        self.violations.append(f"session {client_id} is {session.state} for {RECONNECT_S:g} s, before {name}")

    def _is_false(self, fill: OrderFilled, *, is_exact: bool) -> str:
        said = (fill.exec_id, fill.last_qty, fill.last_px, fill.side, fill.instrument_id, fill.order_ref)
        if is_exact and said not in self.corpus.fills:
            return "nobody said"
        if not fill.exec_id.isascii() or not fill.exec_id.isprintable() or not fill.exec_id.strip():
            return "has no id"
        if not (fill.last_qty.is_finite() and fill.last_qty > 0 and fill.last_px.is_finite()):
            return "has no quantity or no price"
        if fill.instrument_id <= 0 or fill.multiplier <= 0 or not _CURRENCY.fullmatch(fill.currency):
            return "has no contract"
        if abs(fill.ts_event_ns - market_start_ns(DAY, "10:00")) > 100 * _YEAR_NS:
            return "is of another century"
        return ""


class Corpus(msgspec.Struct, frozen=True):
    """Valid frames of a run, and what their executions say."""

    bodies: tuple[bytes, ...]
    fills: frozenset[Any]


def capture() -> Corpus:
    """Take what a gateway says to all its clients in some seconds of trading."""
    from ibfloor.broker.ib.order_messages import EXEC_DETAILS, read_fill

    said: list[bytes] = []
    structlog.configure(processors=[Watchman()], cache_logger_on_first_use=False)
    with tempfile.TemporaryDirectory(dir=RAM if RAM.is_dir() else None) as folder, virtual_loop() as loop:
        world = World(loop, "fuzz", Path(folder) / "home")
        world.network.on_reply = said.append

        async def trade() -> None:
            async with world.server:
                world.start_floor()
                await world.until(CAPTURE_S)
                await world.end_floor()

        loop.run_until_complete(trade())
        world.bury()
    bodies = [body for data in said for body in _bodies(data)]
    kinds: Counter[bytes] = Counter()
    kept = []
    for body in bodies:  # many of the rare kinds, few of the common
        kind = body.partition(b"\0")[0]
        kinds[kind] += 1
        if kinds[kind] <= 150:
            kept.append(body)
    fills = set()
    for body in bodies:
        if body.startswith(EXEC_DETAILS + b"\0"):
            fill = read_fill(body.split(b"\0"), None, naive_zone="America/New_York", now_ns=0)
            fills.add((fill.exec_id, fill.last_qty, fill.last_px, fill.side, fill.instrument_id, fill.order_ref))
    return Corpus(tuple(kept), frozenset(fills))


def _bodies(data: bytes) -> list[bytes]:
    found, start = [], 0
    while len(data) - start >= 4:
        end = start + 4 + int.from_bytes(data[start : start + 4], "big")
        found.append(data[start + 4 : end])
        start = end
    return [body for body in found if body]


def fuzz(seed: int, frames: int) -> Fuzzed:
    """Send some garbled frames of a seed; in any process."""
    began_s = time.process_time()
    corpus = capture()
    log = Watchman()
    structlog.configure(processors=[log], cache_logger_on_first_use=False)
    with virtual_loop() as loop:
        harness = _Harness(loop, f"{seed}:fuzz", corpus)
        loop.run_until_complete(harness.run(frames))
        bad = [*harness.violations, *loop.errors, *(each for each in log.bad if "session failed" in each)]
    counts = harness.counts
    return Fuzzed(
        seed, counts["bursts"] * BURST, tuple(bad), counts["fills"], counts["doubts"], counts["waits"],
        time.process_time() - began_s,
    )  # fmt: skip


if __name__ == "__main__":
    import sys

    result = fuzz(int(sys.argv[1]), int(sys.argv[2]))
    for each in result.violations[:20]:
        print(each[:400])
    print(result.frames, len(result.violations), result.fills, result.doubts, result.drops, round(result.cpu_s, 1))
