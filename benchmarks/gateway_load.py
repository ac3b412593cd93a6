"""The simulated gateway under load: one process on one core, 32 clients, 100 instruments, 5,000 ticks/s.

The market runs in real time; the instruments are as busy as it takes. ``ours`` are the ticks per
second that went through market, exchange and desks to clients which each watch all 100 instruments;
beside it stand how far the gateway was behind its clock (sampled every 20 ms: the age of the oldest
tick not yet out), and the share of its core that it used. A real login has 100 lines in all, which
is 3 a client: the same figures for these are ``true_...``. A quote line changes four times a second
at most, as at IB. ``ceiling`` is the highest rate tried (doubled each time) that it keeps up with.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import struct
import time
from collections.abc import Iterator
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.harness import percentile, pin, process, report
from ibfloor.model.ids import AccountId
from ibfloor.model.moment import NS_PER_S
from ibfloor.sim.account import SimAccount
from ibfloor.sim.exchange.values import MarketTick
from ibfloor.sim.gateway.clock import SimClock, market_start_ns
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.gateway import Gateway
from ibfloor.sim.gateway.tcp import GatewayServer
from ibfloor.sim.gateway.wire import PREAMBLE
from ibfloor.sim.market.generated import GeneratedMarket
from ibfloor.sim.market.listing import read_listing

DAY = date(2026, 11, 23)
CLIENTS, INSTRUMENTS = 32, 100
VERSION = 178
TRUE_LINES = 3
TARGET = 5000
BEHIND_MS_MAX = 250.0
"""Half of all samples further behind than a line's sampling: it does not keep up."""
CEILING_TRIALS = 6
SAMPLE_S = 0.02
WARM_UP_S = 3.0


class Counted(GeneratedMarket):
    """Counts what it streams."""

    count = 0

    def ticks(self, until_ns: int) -> Iterator[MarketTick]:
        for tick in super().ticks(until_ns):
            self.count += 1
            yield tick


def names() -> list[str]:
    return [f"L{number:03}" for number in range(INSTRUMENTS)]


def market_of(rate: int, start_ns: int) -> Counted:
    # two thirds quotes; around noon a stock quotes and prints a bit less than its figures
    per_minute = rate * 60 / INSTRUMENTS
    entries = [
        f'[[stock]]\nsymbol = "{name}"\nexchange = "NYSE"\npx = 100.0\nown_bp = 4.0\nvolume = 40000000\n'
        f"quotes_per_minute = {int(per_minute * 0.75)}\nprints_per_minute = {int(per_minute * 0.38)}\n"
        for name in names()
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "load.toml"
        path.write_text("\n".join(entries))
        return Counted(1, start_ns, names(), listing=read_listing(path, DAY))


def serve(line: Connection, core: int | None, rate: int, seconds: float) -> None:
    pin(core)
    asyncio.run(_serve(line, rate, seconds))


async def _serve(line: Connection, rate: int, seconds: float) -> None:
    start_ns = market_start_ns(DAY, "12:00") + 30 * NS_PER_S  # so that the turn of a minute is within
    market = market_of(rate, start_ns)
    clock = SimClock(start_ns, is_held=True)
    gateway = Gateway(market, SimAccount(AccountId("DU1")), clock)
    async with GatewayServer(gateway, "127.0.0.1", 0) as server:
        line.send(server.port)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, line.recv)  # the clients are there
        await asyncio.sleep(WARM_UP_S)
        counted, used, begun = market.count, time.process_time(), time.perf_counter()
        behind: list[float] = []
        while time.perf_counter() - begun < seconds:
            await asyncio.sleep(SAMPLE_S)
            oldest_ns = market.next_tick_ns
            behind.append(max(0.0, (clock.now_ns() - (oldest_ns or clock.now_ns())) / 1e6))
        wall = time.perf_counter() - begun
        line.send(
            {
                "ticks_per_s": (market.count - counted) / wall,
                "core": (time.process_time() - used) / wall,
                "behind": behind,
            }
        )
        await loop.run_in_executor(None, line.recv)


class Watcher(asyncio.Protocol):
    """A client that watches some instruments and counts messages."""

    def __init__(self, client_id: int, watched: list[str]) -> None:
        self.messages = 0
        self._client_id = client_id
        self._watched = watched
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        hello = f"v157..{VERSION}".encode()
        start = ask.START_API.layout(VERSION).encode({"client_id": self._client_id})
        requests = [
            ask.REQ_MKT_DATA.layout(VERSION).encode(
                {"req_id": n + 1, "symbol": name, "sec_type": "STK", "exchange": "SMART", "currency": "USD"}
            )
            for n, name in enumerate(self._watched)
        ]
        transport.write(PREAMBLE + struct.pack(">I", len(hello)) + hello + start + b"".join(requests))

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        at = 0
        while len(data) - at >= 4:
            length = int.from_bytes(data[at : at + 4], "big")
            if len(data) - at - 4 < length:
                break
            at += 4 + length
            self.messages += 1
        self._rest = data[at:]


def watch(line: Connection, core: int | None, port: int, lines: int) -> None:
    pin(core)
    asyncio.run(_watch(line, port, lines))


async def _watch(line: Connection, port: int, lines: int) -> None:
    loop = asyncio.get_running_loop()
    watchers = [
        Watcher(n + 1, [names()[(n * lines + each) % INSTRUMENTS] for each in range(lines)]) for n in range(CLIENTS)
    ]
    for watcher in watchers:
        connection = socket.create_connection(("127.0.0.1", port))
        await loop.create_connection(lambda watcher=watcher: watcher, sock=connection)  # type: ignore[misc]
    line.send("connected")
    await loop.run_in_executor(None, line.recv)
    line.send([watcher.messages for watcher in watchers])


def trial(rate: int, seconds: float, lines: int) -> dict[str, Any]:
    with process("gateway", serve, 0, rate, seconds) as gateway:
        port = gateway.get()
        with process("clients", watch, 1, port, lines) as clients:
            clients.get()
            gateway.line.send("go")
            figures: dict[str, Any] = gateway.get()
            clients.line.send("count")
            messages = clients.get()
    if min(messages) < lines:
        raise RuntimeError(f"a client was told {min(messages)} messages for {lines} lines")
    return {**figures, "messages": sum(messages)}


def keeps_up(figures: dict[str, Any], rate: int) -> bool:
    return figures["ticks_per_s"] >= 0.97 * rate and percentile(figures["behind"], 0.5) < BEHIND_MS_MAX


def ceiling(rate: int, seconds: float, lines: int) -> int:
    reached = 0
    for _ in range(CEILING_TRIALS):
        rate *= 2
        figures = trial(rate, seconds, lines)
        if not keeps_up(figures, rate):
            break
        reached = round(figures["ticks_per_s"])
    return reached


def told(figures: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    behind = figures["behind"]
    return {
        f"{prefix}behind_ms_p50": round(percentile(behind, 0.5), 1),
        f"{prefix}behind_ms_p99": round(percentile(behind, 0.99), 1),
        f"{prefix}behind_ms_max": round(max(behind), 1),
        f"{prefix}core_used": round(figures["core"], 2),
        f"{prefix}messages": figures["messages"],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a smoke test: small and short, no ceiling")
    parser.add_argument("--rate", type=int, default=TARGET, help="ticks per second of all instruments")
    parser.add_argument("--lines", type=int, default=INSTRUMENTS, help="instruments each client watches")
    parser.add_argument("--seconds", type=float, default=0.0)
    chosen = parser.parse_args()
    seconds = chosen.seconds or (3.0 if chosen.quick else 40.0)
    figures = trial(chosen.rate, seconds, chosen.lines)
    true = trial(chosen.rate, seconds / 2, TRUE_LINES)
    ours = round(figures["ticks_per_s"])
    reached = None if chosen.quick else max(ours, ceiling(chosen.rate, seconds / 4, chosen.lines))
    report(
        "gateway_load",
        ours=ours,
        target=chosen.rate,
        keeps_up=keeps_up(figures, chosen.rate),
        ceiling=reached,
        unit="ticks/s",
        **told(figures),
        true_lines_per_client=TRUE_LINES,
        true_ticks_per_s=round(true["ticks_per_s"]),
        **told(true, "true_"),
        clients=CLIENTS,
        instruments=INSTRUMENTS,
        lines_per_client=chosen.lines,
        seconds=seconds,
    )


if __name__ == "__main__":
    main()
