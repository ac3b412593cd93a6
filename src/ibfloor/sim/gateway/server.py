"""The simulated gateway as a process: TCP, signals, one JSON line when it is ready."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from ibfloor.clock import FloorClock
from ibfloor.model.errors import ConfigError, ConnectivityError
from ibfloor.model.ids import AccountId
from ibfloor.model.money import Currency
from ibfloor.sim.account import SimAccount
from ibfloor.sim.gateway.clock import SimClock, last_weekday, market_start_ns
from ibfloor.sim.gateway.gateway import Gateway
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.market.source import Market

STEP_MAX_S = 0.05
STEP_MIN_S = 0.002
_WRITE_BUFFER_MAX = 64 * 1024 * 1024


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulated gateway is started with."""

    host: str = "127.0.0.1"
    port: int = 4002
    """0: any free port; the ready line tells which."""
    seed: int = 1
    speed: float = 1.0
    start: str | None = None
    """``HH:MM`` exchange time on the last weekday; ``None``: the time it is."""
    hold_until_client: bool = False
    market: str = "generated"
    """``generated`` or ``replay``."""
    data: Path | None = None
    symbols: tuple[str, ...] = ()
    account: str = "DU1000001"
    base_currency: str = "USD"
    cash: Decimal = Decimal(1_000_000)
    book_path: Path | None = None
    parent_pipe: bool = False
    """End when standard input ends: the process that started this one is gone."""


def check_settings(settings: GatewaySettings) -> None:
    """Raise ``ConfigError`` for settings that make no sense."""
    if not 1 <= settings.speed <= 1000:
        raise ConfigError(f"speed is {settings.speed:g}: take a number from 1 to 1000")
    if not 0 <= settings.port <= 65535:
        raise ConfigError(f"port is {settings.port}: take one from 0 (any free port) to 65535")
    if settings.market not in ("generated", "replay"):
        raise ConfigError(f"market is {settings.market!r}: take 'generated' or 'replay'")
    if settings.market == "replay" and settings.data is None:
        raise ConfigError("a replay market needs a data folder: give --data")
    if settings.cash < 0:
        raise ConfigError(f"cash is {settings.cash}: it cannot be negative")


def build_clock(settings: GatewaySettings) -> SimClock:
    """Return the clock the settings ask for."""
    if settings.start is None:
        now_ns = None if settings.speed == 1.0 and not settings.hold_until_client else FloorClock().now_ns()
        return SimClock(now_ns, settings.speed, is_held=settings.hold_until_client)
    try:
        start_ns = market_start_ns(last_weekday(FloorClock().now_ns()), settings.start)
    except ValueError:
        raise ConfigError(f"start is {settings.start!r}: take exchange time as HH:MM, such as 09:26") from None
    return SimClock(start_ns, settings.speed, is_held=settings.hold_until_client)


class GatewayServer:
    """Serves one gateway on TCP, and lets its market run. Owner: the running loop."""

    def __init__(self, gateway: Gateway, host: str, port: int) -> None:
        self.gateway = gateway
        self.port = port
        self._host = host
        self._server: asyncio.Server | None = None
        self._runner: asyncio.Task[None] | None = None
        self._links: set[_Link] = set()

    async def __aenter__(self) -> GatewayServer:
        try:
            self._server = await asyncio.get_running_loop().create_server(self._link, self._host, self.port)
        except OSError as error:
            raise ConnectivityError(f"cannot listen on {self._host}:{self.port}: {error.strerror or error}") from error
        self.port = self._server.sockets[0].getsockname()[1]
        if not self.gateway.clock.is_stepped:
            self._runner = asyncio.create_task(self._run_market())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for link in list(self._links):
            link.abort()
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
        await self._server.wait_closed()

    async def wait(self) -> None:
        """Return when the market's task ends, which it only does by failing: raises what it raised."""
        if self._runner is not None:
            await self._runner

    def drop_connections(self) -> None:
        """Cut every client off, as a restart of the gateway would."""
        for link in list(self._links):
            link.abort()

    def _link(self) -> _Link:
        return _Link(self.gateway, self._links)

    async def _run_market(self) -> None:
        gateway = self.gateway
        while True:
            gateway.step()
            await asyncio.sleep(self._pause_s())

    def _pause_s(self) -> float:
        clock, next_ns = self.gateway.clock, self.gateway.market.next_tick_ns
        if not clock.is_running or next_ns is None:
            return STEP_MAX_S
        return min(STEP_MAX_S, max(STEP_MIN_S, clock.wall_delay_s(next_ns)))


class _Link(asyncio.Protocol):
    def __init__(self, gateway: Gateway, links: set[_Link]) -> None:
        self._gateway = gateway
        self._links = links
        self._transport: asyncio.Transport | None = None
        self._session = Session(gateway, self._write, self._close)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._links.add(self)

    def data_received(self, data: bytes) -> None:
        self._session.receive(data)
        self._gateway.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._links.discard(self)
        self._gateway.leave(self._session)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        transport = self._transport
        assert transport is not None
        transport.write(data)
        if transport.get_write_buffer_size() > _WRITE_BUFFER_MAX:
            transport.abort()  # a reader this slow would take all memory: IB drops it too

    def _close(self) -> None:
        assert self._transport is not None
        self._transport.close()


def build_gateway(settings: GatewaySettings, market: Market, clock: SimClock) -> Gateway:
    """Return a gateway with an account as the settings say."""
    base = Currency(settings.base_currency)
    account = SimAccount(AccountId(settings.account), {base: settings.cash}, base_currency=base)
    return Gateway(market, account, clock)


async def serve_gateway(settings: GatewaySettings, gateway: Gateway) -> None:
    """Serve until a signal, or the end of standard input with ``parent_pipe``."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if settings.book_path is not None:
        loop.add_signal_handler(signal.SIGUSR1, _writer(gateway, settings.book_path))
    if settings.parent_pipe:
        loop.add_reader(sys.stdin.fileno(), _on_parent, loop, stop)
    async with GatewayServer(gateway, settings.host, settings.port) as server:
        _say_ready(server)
        ended = asyncio.create_task(stop.wait())
        market = asyncio.create_task(server.wait())
        await asyncio.wait((ended, market), return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if market.done():
            market.result()
        market.cancel()
    if settings.book_path is not None:
        _writer(gateway, settings.book_path)()


def _say_ready(server: GatewayServer) -> None:
    clock = server.gateway.clock
    line = {
        "event": "ready",
        "port": server.port,
        "pid": os.getpid(),
        "market_ns": clock.now_ns(),
        "speed": float(clock.speed),
    }
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


def _on_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        stop.set()


def _writer(gateway: Gateway, path: Path) -> Callable[[], None]:
    def write() -> None:
        part = path.with_name(path.name + ".part")
        part.write_bytes(gateway.dump_book())
        part.replace(path)  # a reader never sees half a book

    return write
