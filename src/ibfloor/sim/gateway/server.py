"""The simulated gateway as a process: settings, signals, one JSON line when it is ready."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import time
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path

import msgspec

from ibfloor.clock import FloorClock
from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import AccountId
from ibfloor.model.moment import to_datetime
from ibfloor.model.money import USD, Currency
from ibfloor.sim.account import SimAccount
from ibfloor.sim.faults import FaultPlan
from ibfloor.sim.faults.nights import Nights
from ibfloor.sim.gateway.clock import SimClock, last_trading_day, market_start_ns
from ibfloor.sim.gateway.console import Console, console_path
from ibfloor.sim.gateway.gateway import Gateway
from ibfloor.sim.gateway.happenings import Happenings, halts_of, read_happenings
from ibfloor.sim.gateway.limits import Limits
from ibfloor.sim.gateway.schedule import ClockEvent
from ibfloor.sim.gateway.tcp import GatewayServer
from ibfloor.sim.market.generated import GeneratedMarket, chosen
from ibfloor.sim.market.listing import Listing, read_listing
from ibfloor.sim.market.plan import MarketEvent
from ibfloor.sim.market.replay import ReplayMarket
from ibfloor.sim.market.securities import SecurityMaster, default_master
from ibfloor.sim.market.sessions import FOREX
from ibfloor.sim.market.stream import StreamMarket
from ibfloor.sim.market.tables import recorded_market

_EXEC_SESSION = 0xE0D5
_MARKETS = ("generated", "replay", "csv", "parquet", "store")


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulated gateway is started with."""

    host: str = "127.0.0.1"
    port: int = 4002
    """0: any free port; the ready line tells which."""
    seed: int = 1
    speed: float = 1.0
    start: str | None = None
    """``HH:MM`` New York time on the last trading day; ``None``: the time it is."""
    hold_until_client: bool = False
    market: str = "generated"
    """``generated``, ``replay``, ``csv``, ``parquet`` (both read both) or ``store``."""
    data: Path | None = None
    symbols: tuple[str, ...] = ()
    securities: Path | None = None
    """A TOML file of securities beside the default list; ``world``: the list that comes with it."""
    events: Path | None = None
    """A TOML file of dated events: halts, gaps, dividends, splits."""
    account: str = "DU1000001"
    """Several with commas between: each has ``cash``."""
    base_currency: str = "USD"
    cash: Decimal = Decimal(1_000_000)
    faults: FaultPlan = FaultPlan()
    nights: Nights = Nights()
    limits: Limits | None = Limits()
    """``None``: it takes whatever comes."""
    console: bool = False
    """Open a console on a loopback port, so that faults can be injected and the book be read."""
    book_path: Path | None = None
    parent_pipe: bool = False
    """End when standard input ends: the process that started this one is gone."""


def check_settings(settings: GatewaySettings) -> None:
    """Raise ``ConfigError`` for settings that make no sense."""
    if not 1 <= settings.speed <= 1000:
        raise ConfigError(f"speed is {settings.speed:g}: take a number from 1 to 1000")
    if not 0 <= settings.port <= 65535:
        raise ConfigError(f"port is {settings.port}: take one from 0 (any free port) to 65535")
    if settings.market not in _MARKETS:
        raise ConfigError(f"market is {settings.market!r}: take one of {', '.join(_MARKETS)}")
    if settings.market != "generated" and settings.data is None:
        raise ConfigError(f"a {settings.market} market needs a data folder: give --data")
    if settings.cash < 0:
        raise ConfigError(f"cash is {settings.cash}: it cannot be negative")
    if not _is_loopback(settings.host):
        raise ConfigError(
            f"host is {settings.host!r}: the gateway asks nobody for a password, so it serves this machine alone: "
            "take 127.0.0.1, localhost or ::1"
        )
    if settings.book_path is not None and not os.access(settings.book_path.absolute().parent, os.W_OK):
        raise ConfigError(f"the book {settings.book_path} cannot be written: its folder is not there, or not writable")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def build_clock(settings: GatewaySettings) -> SimClock:
    """Return the clock the settings ask for; one that is not real time stands until it is released."""
    if settings.start is None:
        if settings.speed == 1.0 and not settings.hold_until_client:
            return SimClock()
        return SimClock(FloorClock().now_ns(), settings.speed, is_held=True)
    try:
        start_ns = market_start_ns(last_trading_day(FloorClock().now_ns()), settings.start)
    except ValueError:
        raise ConfigError(f"start is {settings.start!r}: take New York time as HH:MM, such as 09:26") from None
    return SimClock(start_ns, settings.speed, is_held=True)


def build_accounts(settings: GatewaySettings) -> list[SimAccount]:
    """Return the login's accounts, the first one first."""
    base = _base_currency(settings)
    names = [name.strip() for name in settings.account.split(",")]
    if not all(re.fullmatch("[A-Za-z0-9]+", name) for name in names) or len(set(names)) < len(names):
        raise ConfigError(
            f"account is {settings.account!r}: take a name of letters and digits such as DU1000001, "
            "or several different ones with commas between"
        )
    return [
        SimAccount(AccountId(name), {base: settings.cash}, base_currency=base, session=f"{_EXEC_SESSION + n:08x}")
        for n, name in enumerate(names)
    ]


def _base_currency(settings: GatewaySettings) -> Currency:
    base = Currency(settings.base_currency)
    if base == USD:
        return base
    day = to_datetime(FloorClock().now_ns()).date()
    more = read_listing(settings.securities, day).listed if settings.securities is not None else ()
    listed = (*default_master(), *(one.security for one in more))
    pairs = [one.instrument for one in listed if one.session is FOREX]
    known = {Currency(pair.contract.symbol) for pair in pairs} | {pair.currency for pair in pairs}
    if base not in known:
        raise ConfigError(
            f"currency is {base!r}: take one that has a rate here: {', '.join(sorted(known))}; "
            "more of them come with --securities world"
        )
    return base


def build_market(settings: GatewaySettings, start_ns: int, plan: Sequence[MarketEvent] = ()) -> StreamMarket:
    """Return the market the settings ask for; raise ``ConfigError`` for unknown symbols or bad files."""
    market: StreamMarket
    listing = Listing()
    if settings.securities is not None:
        listing = read_listing(settings.securities, to_datetime(start_ns).date())
    if settings.market == "replay":
        assert settings.data is not None, "check_settings came first"
        market = ReplayMarket(settings.data, start_ns, settings.symbols, seed=settings.seed, listing=listing, plan=plan)
    elif settings.data is not None and settings.market != "generated":
        master = listing.master_with(default_master(f"{to_datetime(start_ns):%Y%m%d}"))
        chosen_master = SecurityMaster(tuple(chosen(master, settings.symbols)))
        market = recorded_market(settings.market, settings.data, chosen_master, start_ns, seed=settings.seed, plan=plan)
    else:
        market = GeneratedMarket(settings.seed, start_ns, settings.symbols, listing=listing, plan=plan)
    # a contract without a tape has neither quotes nor history: better that nobody knows it
    known = set(market.instrument_ids)
    market.master = SecurityMaster(tuple(one for one in market.master if one.instrument_id in known))
    return market


def build_gateway(settings: GatewaySettings) -> Gateway:
    """Return a whole gateway without its socket; raise ``ConfigError`` for settings that make no sense."""
    check_settings(settings)
    happenings = Happenings() if settings.events is None else read_happenings(settings.events)
    accounts = build_accounts(settings)
    clock = build_clock(settings)
    market = build_market(settings, clock.now_ns(), happenings.market)
    gateway = Gateway(
        market,
        accounts[0],
        clock,
        events=happenings.accounts,
        faults=msgspec.structs.replace(
            settings.faults,
            faults=(
                *settings.faults.faults,
                *settings.nights.faults,
                *halts_of(happenings.market, clock.now_ns()),
            ),
        ),
        limits=settings.limits,
        times=clock_times(settings.nights),
    )
    for account in accounts[1:]:
        gateway.broker.add_account(account)
    gateway.faults.check()
    if not settings.hold_until_client:
        clock.release()  # not before: making the market takes seconds, which are minutes at speed
    return gateway


def clock_times(nights: Nights) -> dict[ClockEvent, time]:
    """Return the times of night that settings name; the others stay as they are."""
    named = {ClockEvent.NIGHTLY_RESTART: nights.restart_at, ClockEvent.NIGHTLY_RESET: nights.reset_at}
    return {event: at for event, at in named.items() if at is not None}


def run_gateway(settings: GatewaySettings) -> None:
    """Serve until SIGTERM, SIGINT or (``parent_pipe``) the end of standard input.

    Prints one JSON line when it listens; writes the book on exit and on SIGUSR1 where ``book_path``
    is given. Raises ``ConfigError`` for bad settings, ``ConnectivityError`` when the port is taken.
    """
    asyncio.run(_serve(settings, build_gateway(settings)))


async def _serve(settings: GatewaySettings, gateway: Gateway) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, _writer(gateway, settings.book_path))
    if settings.parent_pipe:
        loop.add_reader(sys.stdin.fileno(), _on_parent, loop, stop)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(GatewayServer(gateway, settings.host, settings.port))
        if settings.console:
            await stack.enter_async_context(Console(gateway, console_path(server.port)))
        _say_ready(server)
        ended = asyncio.create_task(stop.wait())
        market = asyncio.create_task(server.wait())
        await asyncio.wait((ended, market), return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if market.done():
            market.result()
        market.cancel()
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


def _writer(gateway: Gateway, path: Path | None) -> Callable[[], None]:
    def write() -> None:
        if path is None:
            return
        part = path.with_name(path.name + ".part")
        part.write_bytes(gateway.dump_book())
        part.replace(path)  # a reader never sees half a book

    return write
