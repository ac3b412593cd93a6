"""One run of the campaign: a gateway, a network and a floor, all on one loop of virtual time."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from tests.sim.campaign.market import SYMBOLS, WalkMarket
from tests.sim.campaign.network import Network
from tests.sim.campaign.threads import TRADERS, virtual_ground
from tests.sim.campaign.told import TOLD
from tests.sim.campaign.virtual_loop import LIFE, VirtualLoop
from tests.sim.campaign.wire_tap import WireTap

from ibfloor.clock import FloorClock
from ibfloor.config import FloorSettings
from ibfloor.floor import Floor
from ibfloor.ledger.latch import KillLatch
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.manager.floor_state import FloorState
from ibfloor.model.errors import FloorError
from ibfloor.model.ids import AccountId, StrategyId, owner_of
from ibfloor.model.kill import ACCOUNT
from ibfloor.model.moment import NS_PER_S
from ibfloor.model.money import USD
from ibfloor.model.order import Side
from ibfloor.ops.log_tail import LogTail
from ibfloor.sim.account import SimAccount
from ibfloor.sim.faults import Fault, FaultPlan
from ibfloor.sim.gateway.book import BookReport
from ibfloor.sim.gateway.clock import SimClock, market_start_ns
from ibfloor.sim.gateway.gateway import Gateway
from ibfloor.sim.gateway.limits import Limits
from ibfloor.sim.gateway.tcp import GatewayServer

DAY = date(2013, 10, 7)
TRADING_S = 40.0
SETTLE_MAX_S = 90.0
RESTART_S = 2.0
END_MAX_S = 120.0
MACHINE_S = 130.0
"""Longer than sixty steps take; a run that is done sooner waits for it."""
MARKET_S = MACHINE_S + SETTLE_MAX_S + 60.0
MAX_POSITION = 100
"""So little that traders run into it now and then."""
TRADERS_NOW = {"alpha": ("Trader", 0.7), "beta": ("Trader", 0.9), "gamma": ("Bracketeer", 3.1)}
"""Names, classes, and every how many seconds they act."""
PUPPETS = {"alpha": ("Puppet", 0.5), "beta": ("Trader", 1.7)}
BRACKETEER = "gamma"
COVER_S = 15.0
"""So long after the trading the exits of brackets stay: time to see that nothing is without one."""
T = TypeVar("T")
_ENDED = ("Filled", "Cancelled", "Inactive")


class World:
    """Everything of one run. ``crash`` kills the floor as ``kill -9`` does; it comes back by itself."""

    def __init__(self, loop: VirtualLoop, seed: str, home: Path, *, machine: bool = False) -> None:
        self.seed = seed
        self.home = home
        self.loop = loop
        self.random = Random(f"{seed}:world")
        self.start_ns = market_start_ns(DAY, "10:00")
        self.network = Network(loop, seed)
        self.market = WalkMarket(seed, self.start_ns, MARKET_S)
        self.account = SimAccount(AccountId("DU1000001"), {USD: Decimal(1_000_000)})
        clock = SimClock(self.start_ns, monotonic_ns=loop.time_ns)
        self.gateway = Gateway(
            self.market, self.account, clock, faults=FaultPlan(seed=self.random.randrange(1 << 30)), limits=Limits()
        )
        self.server = GatewayServer(self.gateway, "127.0.0.1", 4002)
        self.tap = WireTap(self)
        self.network.on_write = self.tap.on_write
        self.floor: Floor | None = None
        self.life = 0
        self.up_life = 0
        self.ups_s: list[float] = []
        """When each life of the floor was ready."""
        self.births_s: dict[int, float] = {}
        self.crashes_s: list[float] = []
        self.failures: list[str] = []
        """What ended a life that nobody killed."""
        self._traders = PUPPETS if machine else TRADERS_NOW
        self.told = TOLD
        TOLD.clear()
        self.trading_s = MACHINE_S if machine else TRADING_S
        self.kills_s: list[float] = []
        self.killed_clear_s: list[float] = []
        """When the broker had no working order of ours after each kill that came so far."""
        self.uncovered: list[str] = []
        self.is_over = False
        self.healed_s = float("inf")
        self.heals_s: list[float] = []
        """All of them: hypothesis heals and troubles by turns."""
        self.facts_at_digest = 0
        self._ending = False
        self._over = asyncio.Event()
        self._living: asyncio.Task[None] | None = None
        self._graveyard: list[Any] = []

    # time

    def now_s(self) -> float:
        """Return virtual seconds since the start of the market."""
        return (self.gateway.now_ns() - self.start_ns) / NS_PER_S

    async def until(self, at_s: float) -> None:
        """Let time pass up to a moment."""
        await asyncio.sleep(max(0.0, at_s - self.now_s()))

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the strategies."""
        return tuple(self._traders)

    # gateway

    @property
    def book(self) -> BookReport:
        """Return the oracle."""
        return self.gateway.book.report(self.gateway.broker)

    def inject(self, *faults: Fault) -> None:
        """Arm faults now."""
        for fault in faults:
            self.gateway.faults.inject(fault)
        self.gateway.flush()

    def heal(self) -> None:
        """End everything that is wrong with gateway and network."""
        for row in list(self.gateway.faults.rows()):
            self.gateway.faults.clear(row.name)
        self.network.weather.held_until_s = self.network.weather.refuses_until_s = 0.0
        self.healed_s = self.now_s()
        self.heals_s.append(self.healed_s)
        self.gateway.flush()

    # floor

    def start_floor(self) -> None:
        """Start a life of the floor; another follows whenever one ends."""
        self.life += 1
        self.births_s[self.life] = self.now_s()
        context = contextvars.copy_context()
        context.run(LIFE.set, self.life)
        self._living = self.loop.create_task(self._live(), name=f"floor {self.life}", context=context)

    def crash(self) -> None:
        """Kill the floor: drop all tasks and objects without any closing; start anew a little later."""
        if self.is_over or self._ending:
            return
        self.crashes_s.append(self.now_s())
        self._graveyard += [self.floor, *self.loop.tasks_of(self.life)]
        self.loop.kill(self.life)
        self.network.bury(self.life)
        self.floor = None
        self.loop.call_later(RESTART_S, self.start_floor, context=contextvars.Context())

    def bury(self) -> None:
        """Let the lives that were killed be forgotten: their coroutines end here, when nothing can see it."""
        if not self._graveyard:
            return
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        try:
            self._graveyard.clear()
            self.network.links.clear()
            self.floor = self._living = None
            gc.collect()
        finally:
            sys.unraisablehook = hook

    async def end_floor(self) -> None:
        """End the floor in good order, and wait for that."""
        self._ending = True
        if self.floor is not None:
            self.floor._over.set()
        try:
            async with asyncio.timeout(END_MAX_S):
                await self._over.wait()
        except TimeoutError:
            where = [_where(task) for task in self.loop.tasks_of(self.life)]
            self.failures.append(f"the floor did not end within {END_MAX_S:g} s: {where}")

    @property
    def is_open(self) -> bool:
        """Tell whether every strategy may enter orders: nothing holds the gate, every session stands."""
        floor = self.floor
        if floor is None or not self.is_up:
            return False
        gate = floor._gate
        if gate.shut_reason is not None or any(gate._strategy_holds.values()):
            return False
        return all(desk.state == "RUNNING" for desk in floor._strategies.desks_now())

    @property
    def is_latched(self) -> bool:
        """Tell whether the kill switch of a floor that is up is latched."""
        return (
            self.floor is not None
            and self.life in self.births_s
            and hasattr(self.floor, "_kill_switch")
            and (self.floor._kill_switch.is_latched)
        )

    def strategy(self, name: str) -> Any:
        """Return a strategy's own object, as long as it runs."""
        if self.floor is None or not self.is_up:
            return None
        worker = self.floor._strategies._desks[StrategyId(name)].worker
        return None if worker is None or worker._runner is None else worker._runner._strategy

    @property
    def is_up(self) -> bool:
        """Tell whether this life of the floor has started its strategies."""
        return self.floor is not None and self.up_life == self.life

    def working(self) -> list[str]:
        """Return the intents that work at the broker, by the broker's word."""
        orders = self.gateway.broker.open_orders()
        refs = [order.ticket.order_ref for order in orders if order.status not in _ENDED]
        return [ref for ref in refs if owner_of(ref) is not None]

    def kill_switch(self) -> None:
        """Pull the kill switch by command, as an operator does."""
        floor = self.floor
        if floor is not None and self.is_up:
            self._time_kill()
            context = contextvars.copy_context()
            context.run(LIFE.set, self.life)
            self.loop.create_task(_pull(floor), context=context)

    def kill_by_file(self) -> None:
        """Write the latch file, as ``ibfloor kill`` does where nothing answers."""
        KillLatch(LedgerPaths(self.home).latch).latch("campaign", "by file")
        self._time_kill()

    def _time_kill(self) -> None:
        at_s = self.now_s()
        self.kills_s.append(at_s)
        self.loop.create_task(self._until_clear(at_s))

    async def _until_clear(self, at_s: float) -> None:
        while self.working():  # noqa: ASYNC110 - the broker is not ours to be told by
            await asyncio.sleep(0.02)
        self.killed_clear_s.append(self.now_s())

    def check_cover(self) -> None:
        """Note what a bracket has bought that nothing at the broker gets out of."""
        held: dict[str, Decimal] = {}
        for row in self.book.executions:
            if owner_of(row.order_ref) == BRACKETEER:
                held[row.symbol] = held.get(row.symbol, Decimal(0)) + row.side.sign * row.qty
        stops: dict[str, Decimal] = {}
        for order in self.book.orders:
            is_stop = order.ord_type.startswith("STP") and order.side is Side.SELL and order.status not in _ENDED
            if is_stop and owner_of(order.order_ref) == BRACKETEER:
                stops[order.symbol] = stops.get(order.symbol, Decimal(0)) + order.qty - order.filled_qty
        for symbol, qty in held.items():
            if qty > stops.get(symbol, Decimal(0)):
                self.uncovered.append(f"{qty} {symbol} of brackets are held, stops for {stops.get(symbol, 0)} work")

    async def ask(self, question: Callable[[FloorState], T]) -> T:
        """Ask the floor's state on its queue."""
        floor = self.floor
        assert floor is not None

        def answer(state: FloorState) -> T:
            self.facts_at_digest = floor._queue._next_seq - 1
            return question(state)

        return await asyncio.wrap_future(floor._queue.ask(answer))

    async def is_at_rest(self) -> bool:
        """Tell whether nothing works, nothing is in doubt, and the floor is open."""
        if not (self.is_open or self.is_latched) or any(
            order.status not in _ENDED for order in self.gateway.broker.open_orders()
        ):
            return False
        return not await self.ask(lambda state: state.orders.working())

    async def _live(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                clock = FloorClock(self.loop.time_ns)
                clock.follow(self.gateway.now_ns(), 1.0)
                ground = virtual_ground(self.loop, f"{self.seed}:{self.life}")
                floor = Floor(self._settings(), LedgerPaths(self.home), clock, ground)
                self.floor = floor
                await floor.open(stack)
                publisher = floor.publisher(LogTail())
                await publisher.refresh()
                floor.start_strategies()
                self.ups_s.append(self.now_s())
                self.up_life = self.life
                refreshing = asyncio.create_task(_refresh(publisher))
                try:
                    await floor.until_over(None)
                    self.summary = await floor.wind_up()
                finally:
                    refreshing.cancel()
        except Exception as error:  # noqa: BLE001 - the end of a process, whatever it died of
            self.floor = None
            ends = list(_leaves(error))
            kind = "did not start" if all(isinstance(each, FloorError) for each in ends) else "died"
            self.failures += [f"the floor {kind}: {type(each).__name__}: {each}" for each in ends]
            if not self._ending:  # as a supervisor of processes does
                self.loop.call_later(RESTART_S, self.start_floor, context=contextvars.Context())
                return
        self.is_over = True
        self._over.set()

    def _settings(self) -> FloorSettings:
        until_ns = self.start_ns + int(self.trading_s * NS_PER_S)
        cover_ns = self.start_ns + int((self.trading_s + COVER_S) * NS_PER_S)
        return FloorSettings.model_validate(
            {
                "floor": {"home": self.home},
                "gateway": {"port": self.server.port, "reconcile_every_s": 15.0, "connect_timeout_s": 20.0},
                "clock": {"follow": "gateway"},
                "risk": {
                    "max_order_qty": 100,
                    "max_order_notional": "off",
                    "max_position_qty": MAX_POSITION,
                    "max_position_notional": "off",
                    "collar_pct": 5,
                    "quote_age_max_s": 5.0,
                    "order_rate_per_s": 5,
                    "order_burst": 10,
                    "max_gross_exposure": "off",
                },
                "recorder": {"enabled": False},
                "web": {"enabled": False},
                "strategy": [
                    {
                        "name": name,
                        "file": TRADERS,
                        "class": class_name,
                        "stop_policy": "cancel",
                        "params": {
                            "seed": f"{self.seed}:{self.life}",
                            "symbols": list(SYMBOLS),
                            "every_s": every_s,
                            "until_ns": until_ns,
                            **({"cover_until_ns": cover_ns} if name == BRACKETEER else {}),
                        },
                    }
                    for name, (class_name, every_s) in self._traders.items()
                ],
            }
        )


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _where(task: asyncio.Task[Any]) -> str:
    frames = task.get_stack()
    return f"{task.get_name()} at " + ", ".join(f"{frame.f_code.co_filename}:{frame.f_lineno}" for frame in frames[-2:])


async def _pull(floor: Floor) -> None:
    await floor._kill_switch.kill(ACCOUNT, "campaign", "the campaign pulls it")


async def _refresh(publisher: Any) -> None:
    while True:
        await asyncio.sleep(5.0)
        await publisher.refresh()
