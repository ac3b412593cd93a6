"""A floor and a gateway in virtual time, for the books: a market moved by hand, the gateway's account as oracle."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from tests.sim.campaign.network import Network
from tests.sim.campaign.threads import virtual_ground
from tests.sim.campaign.virtual_loop import LIFE, VirtualLoop, virtual_loop

from ibfloor.clock import FloorClock
from ibfloor.config import FloorSettings
from ibfloor.floor import Floor
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.manager.floor_state import FloorState
from ibfloor.model.ids import AccountId, InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.money import USD, Currency
from ibfloor.model.order import OrdType, Side, TimeInForce
from ibfloor.ops.log_tail import LogTail
from ibfloor.portfolio.book import Book
from ibfloor.sim.account import SimAccount
from ibfloor.sim.gateway.clock import SimClock, market_start_ns
from ibfloor.sim.gateway.events import BrokerOrder, Ticket
from ibfloor.sim.gateway.gateway import Gateway
from ibfloor.sim.gateway.happenings import AccountEvent
from ibfloor.sim.gateway.scripted import ScriptedMarket
from ibfloor.sim.gateway.tcp import GatewayServer
from ibfloor.sim.market.securities import SecurityMaster

DAY = date(2013, 10, 7)
RATE_LIMIT_S = 0
IDLE = """
from ibfloor import Strategy, StrategyParams

class Idle(Strategy[StrategyParams]):
    pass
"""
T = TypeVar("T")


class BooksWorld:
    """One gateway, and floors that come and go on it. Owner: its virtual loop."""

    def __init__(
        self,
        loop: VirtualLoop,
        home: Path,
        *,
        cash: dict[str, str] | None = None,
        base: Currency = USD,
        master: SecurityMaster | None = None,
        strategies: Iterable[str] = ("alpha", "beta"),
        day: date = DAY,
        reconcile_every_s: float = 30.0,
        **settings: object,
    ) -> None:
        self._loop = loop
        self._home = home
        self._strategies = tuple(strategies)
        self._more = settings
        self._every_s = reconcile_every_s
        self._life = 0
        self.market = ScriptedMarket(master)
        amounts = {Currency(key): Decimal(text) for key, text in (cash or {base: "1000000"}).items()}
        self.account = SimAccount(AccountId("DU1000001"), amounts, base_currency=base)
        clock = SimClock(market_start_ns(day, "10:00"), monotonic_ns=loop.time_ns)
        self.gateway = Gateway(self.market, self.account, clock)
        self.server = GatewayServer(self.gateway, "127.0.0.1", 4002)
        self.network = Network(loop, "books")
        self.floor: Any = None
        self._dead: list[object] = []

    # the gateway

    def instrument(self, symbol: str) -> Instrument:
        """Return what the gateway knows of a symbol."""
        security = self.market.master.by_symbol(symbol)
        assert security is not None, symbol
        return security.instrument

    async def quote(self, symbol: str, bid: str, ask: str) -> None:
        """Let a quote stand from now on, and give the floor time to hear of it."""
        self.market.quote(symbol, bid, ask, self.gateway.now_ns())
        self.gateway.step()
        await asyncio.sleep(0.5)

    async def trade_by_hand(self, symbol: str, side: Side, qty: int, limit_px: str) -> None:
        """Trade as a person does in TWS; the market must be there to fill it."""
        order = await self.order_by_hand(symbol, side, qty, limit_px)
        assert order.status == "Filled", order.status

    async def order_by_hand(self, symbol: str, side: Side, qty: int, limit_px: str) -> BrokerOrder:
        """Place an order as a person does in TWS."""
        ticket = Ticket(
            instrument=self.instrument(symbol),
            exchange="SMART",
            side=side,
            qty=Decimal(qty),
            ord_type=OrdType.LIMIT,
            limit_px=Decimal(limit_px),
            stop_px=None,
            time_in_force=TimeInForce.DAY,
            outside_hours=False,
            transmit=True,
            what_if=False,
            account=self.account.account,
            order_ref="",
            attributes={},
        )
        order = self.gateway.broker.place_manual_order(ticket, self.gateway.now_ns())
        self.gateway.flush()
        await asyncio.sleep(0.5)
        return order

    def happen(self, event: AccountEvent) -> None:
        """Have something happen to the account without a trade."""
        self.gateway.lifecycle.carry_out(event, self.gateway.now_ns())
        self.gateway.flush()

    def cut_off(self, for_s: float) -> None:
        """Have the gateway vanish for some time."""
        self.network.weather.refuses_until_s = self._loop.time() + for_s
        self.server.drop_connections()

    # the floor

    async def start_floor(self) -> None:
        """Start a life of the floor and wait until it is up."""
        self._life += 1
        context = contextvars.copy_context()
        context.run(LIFE.set, self._life)
        up: asyncio.Future[None] = self._loop.create_future()
        self._stop = asyncio.Event()
        self._living = self._loop.create_task(self._live(up, self._stop), context=context)
        await asyncio.wait([up, self._living], return_when=asyncio.FIRST_COMPLETED)
        if self._living.done():
            self._living.result()

    async def _live(self, up: asyncio.Future[None], stop: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            clock = FloorClock(self._loop.time_ns)
            clock.follow(self.gateway.now_ns(), 1.0)
            ground = virtual_ground(self._loop, f"books:{self._life}")
            self.floor = Floor(self._settings(), LedgerPaths(self._home), clock, ground)
            await self.floor.open(stack)
            self.publisher = self.floor.publisher(LogTail())
            await self.publisher.refresh()
            up.set_result(None)
            await stop.wait()
            await self.floor.wind_up()

    async def end_floor(self) -> None:
        """End the floor in good order."""
        self._stop.set()
        await self._living

    def kill_floor(self) -> None:
        """End the floor as ``kill -9`` does: nothing of it is ever closed."""
        self._dead.append((self.floor, self._living, self._loop.tasks_of(self._life)))
        self._loop.kill(self._life)
        self.network.bury(self._life)

    def bury(self) -> None:
        """Let the lives that were killed be forgotten: their coroutines end here, when nothing can see it."""
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        try:
            self._dead.clear()
            self.network.links.clear()
            gc.collect()
        finally:
            sys.unraisablehook = hook

    async def settle(self) -> bool:
        """Have books and account compared until they agree or a break stands."""
        return bool(await asyncio.wrap_future(self.floor._account.settle()))

    async def give(self, command: Any) -> Any:
        """Give a command."""
        return await self.floor.commands.carry_out(command)

    async def ask(self, question: Callable[[FloorState], T]) -> T:
        """Ask the floor's state on its queue."""
        answer: T = await asyncio.wrap_future(self.floor._queue.ask(question))
        return answer

    async def book(self, strategy: str) -> Book:
        """Return a book as it is now."""
        return await self.ask(lambda state: state.books.book(StrategyId(strategy)))

    async def rows(self, topic: str) -> dict[str, Any]:
        """Return the rows of a topic, made anew."""
        await self.publisher.refresh()
        return dict(self.publisher.snapshot().rows.get(topic, {}))

    def held(self, symbol: str) -> Decimal:
        """Return what the gateway's account holds."""
        position = self.account.position(InstrumentId(self.instrument(symbol).instrument_id))
        return Decimal(0) if position is None else position.qty

    def _settings(self) -> FloorSettings:
        file = self._home.parent / "idle.py"
        file.write_text(IDLE)
        limits = dict.fromkeys(
            (
                *("max_order_qty", "max_order_notional", "max_position_qty", "max_position_notional"),
                *("collar_pct", "max_gross_exposure"),
            ),
            "off",
        )
        return FloorSettings.model_validate(
            {
                "floor": {"home": self._home},
                "gateway": {"port": self.server.port, "reconcile_every_s": self._every_s},
                "clock": {"follow": "gateway"},
                "risk": {**limits, "quote_age_max_s": 600.0, "order_rate_per_s": 5, "order_burst": 10},
                "recorder": {"enabled": False},
                "web": {"enabled": False},
                "strategy": [{"name": name, "file": file, "autostart": False} for name in self._strategies],
                **self._more,
            }
        )


def play(folder: Path, scene: Callable[[BooksWorld], Coroutine[Any, Any, None]], **world: Any) -> None:
    """Play a scene on a floor that is up; the floor ends after it."""

    async def whole(loop: VirtualLoop) -> None:
        made = BooksWorld(loop, folder / "home", **world)
        worlds.append(made)
        async with made.server:
            await made.start_floor()
            try:
                await scene(made)
            finally:
                await made.end_floor()

    worlds: list[BooksWorld] = []
    with virtual_loop() as loop:
        contextvars.copy_context().run(lambda: loop.run_until_complete(whole(loop)))
    assert loop.errors == []
    worlds.pop().bury()
