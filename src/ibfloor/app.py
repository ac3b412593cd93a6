"""The composition root: builds every part inside one ``async with``, and takes it apart again.

``run_floor`` is the whole life of a floor process: lock the home, replay the ledger, connect,
reconcile, start the strategies, serve the screen, and end in good order.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import webbrowser
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec
import structlog

from ibfloor.broker.ib.clients import IbClients
from ibfloor.broker.ib.session import IbSettings
from ibfloor.clock import FloorClock
from ibfloor.config import ClockSource, FloorSettings, Mode, StrategySection
from ibfloor.crash_points import reach
from ibfloor.data.manager import DataManager
from ibfloor.ledger.journal import Durability, JournalWriter
from ibfloor.ledger.latch import KillLatch
from ibfloor.ledger.lock import FloorLock
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.manager.account_board import AccountBoard
from ibfloor.manager.account_thread import AccountThread
from ibfloor.manager.commands import CommandDesk
from ibfloor.manager.desk import StrategySpec
from ibfloor.manager.floor_rows import FloorCounts, LinkNow
from ibfloor.manager.floor_state import Applied, FloorState
from ibfloor.manager.ground import Ground
from ibfloor.manager.kill_switch import KillSwitch
from ibfloor.manager.lag import percentile
from ibfloor.manager.mailroom import Mailroom
from ibfloor.manager.mark_keeper import MarkKeeper
from ibfloor.manager.marks import Marks
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.portfolio_manager import PortfolioManager
from ibfloor.manager.publisher import Publisher
from ibfloor.manager.reconciler import Reconciler
from ibfloor.manager.restore import restore
from ibfloor.manager.risk_limits import limits_of
from ibfloor.manager.screen import Screen
from ibfloor.manager.services import Services
from ibfloor.manager.session_watch import SessionWatch
from ibfloor.manager.shared_gate import KILL, SharedGate
from ibfloor.manager.strategy_manager import StrategyManager
from ibfloor.manager.summary import FloorSummary, strategy_summaries
from ibfloor.manager.supervision import RestartPolicy
from ibfloor.model.errors import ConfigError, ConnectivityError, LedgerError
from ibfloor.model.fact import SessionChanged
from ibfloor.model.ids import UNASSIGNED, AccountId
from ibfloor.model.money import USD, Currency
from ibfloor.ops.children import Children
from ibfloor.ops.ibc import gateway_kept_up
from ibfloor.ops.log_tail import LogTail
from ibfloor.ops.logging import floor_logging
from ibfloor.ops.preflight import preflight

__all__ = ["FloorReady", "FloorSummary", "run_floor"]

SWITCH_INTERVAL_S = 0.0005  # measured: a strategy that hogs the interpreter costs the others half as much
CLOCK_WAIT_S = 2.0
FIRST_SETTLE_TIMEOUT_S = 30.0
LAST_SETTLE_TIMEOUT_S = 10.0
PAPER_ACCOUNT_PREFIX = "D"  # IB's paper accounts are DU..., DF... and the like; live ones begin with U, F, I
DAY_ZONE = ZoneInfo("America/New_York")

log = structlog.get_logger("floor")


class FloorReady(msgspec.Struct, frozen=True, kw_only=True):
    """What the person who started the floor wants to know when it is up."""

    login_url: str
    """A link that logs in once; empty when no pages are served."""
    pid: int


def run_floor(
    settings: FloorSettings,
    *,
    for_s: float | None = None,
    open_browser: bool = False,
    on_ready: Callable[[FloorReady], None] | None = None,
) -> FloorSummary:
    """Run a floor until it is told to end (Ctrl-C, SIGTERM, a command) or ``for_s`` wall seconds are over.

    Raises ``ConfigError`` (also for a gateway that is absent at the start) or ``LedgerError`` when it
    cannot start; nothing is left half-started then.
    """
    if settings.floor.pin_core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {settings.floor.pin_core})
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    paths, clock, tail = LedgerPaths(settings.home), FloorClock(), LogTail()
    with FloorLock(paths.lock), floor_logging(settings.home, clock, tail=tail):
        preflight(settings)
        return asyncio.run(_live(settings, paths, clock, tail, for_s, open_browser, on_ready))


async def _live(
    settings: FloorSettings,
    paths: LedgerPaths,
    clock: FloorClock,
    tail: LogTail,
    for_s: float | None,
    open_browser: bool,
    on_ready: Callable[[FloorReady], None] | None,
) -> FloorSummary:
    async with gateway_kept_up(settings), AsyncExitStack() as stack:
        floor = Floor(settings, paths, clock)
        stack.enter_context(floor.signals())
        await floor.open(stack)
        publisher = floor.publisher(tail)
        await publisher.refresh()  # the gate knows marks and rates before the first order
        floor.start_strategies()  # trading waits for no process beside it
        children = Children(settings, publisher, floor.commands, floor.data)
        await children.open(stack)
        if on_ready is not None:
            on_ready(FloorReady(login_url=children.login_url, pid=os.getpid()))
        if open_browser and children.login_url:
            webbrowser.open(children.login_url)
        await floor.until_over(for_s)
        summary = await floor.wind_up()
        await children.close()
        return msgspec.structs.replace(summary, bars_stored=children.bars_stored)


class Floor:
    """All parts of one floor, built in the order in which they need each other. Owner: the main loop."""

    def __init__(
        self, settings: FloorSettings, paths: LedgerPaths, clock: FloorClock, ground: Ground | None = None
    ) -> None:
        self._ground = ground = ground or Ground()
        self._settings = settings
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._followed = asyncio.Event()
        self._over = asyncio.Event()
        self._failure: BaseException | None = None
        self._tasks: asyncio.TaskGroup | None = None
        restored = restore(settings.home, limits_of(settings, USD))
        self._state = state = restored.state
        self._unseen = restored.unseen
        durability: Durability = "power" if settings.floor.durability == "power" else "process"
        self._journal = JournalWriter(paths.facts_journal, durability)
        self._ledger = ground.ledger(paths, lambda error: self._hold("ledger", str(error)))
        self._queue = queue = MessageQueue(
            state,
            self._journal,
            next_seq=restored.next_seq,
            on_fault=lambda text: self._hold("queue", text),
            line=ground.line("message-queue"),
        )
        self._clients = clients = IbClients(
            _ib_settings(settings), clock, queue.put, rng=ground.rng, monotonic=ground.monotonic
        )
        self.data = DataManager(
            lambda sink: clients.data_session(sink, on_clock=self._follow, on_refused=self.data.market_refused),
            clock,
            thread=ground.loop_thread("data"),
        )
        self._marks = Marks(self.data, USD)
        self._gate = SharedGate(restored.gate, self.data.quote, clock)
        self._board = AccountBoard()
        self._master = master = clients.master_session(self._board.take)
        self._portfolio = PortfolioManager(state, self._marks, self._gate, clock, tz=DAY_ZONE)
        reconciler = Reconciler(
            master,
            self._portfolio,
            queue,
            self._gate,
            clock,
            period_s=settings.gateway.reconcile_every_s,
            on_account=self._take_account,
        )
        self._account = AccountThread(master, reconciler, on_failure=self._fail, thread=ground.loop_thread("account"))
        self._mailroom = Mailroom(state, queue)
        self._screen = Screen(state, self._portfolio, self._board, clock)
        self._mark_keeper = MarkKeeper(self.data, state.instruments)
        watch = SessionWatch(self._gate, reconciler, self._tell_session)
        for observer in (
            self._after_fact,  # the gate first: who is told of a fact may send an order at once
            watch.observe,
            self._mark_keeper.observe,
            self._screen.observe,
            self._mailroom.observe,
        ):
            queue.observe(observer)
        self._services = Services(
            clock=clock,
            queue=queue,
            gate=self._gate,
            data=self.data,
            marks=self._marks,
            order_session=clients.order_session,
            journal=lambda name: JournalWriter(paths.worker_journal(name), durability),
            ground=ground,
        )
        self._latch = KillLatch(paths.latch)

    async def open(self, stack: AsyncExitStack) -> None:
        """Start every thread and session; returns when books and account have been compared."""
        settings = self._settings
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        self._strategies = StrategyManager(
            self._services,
            self._mailroom,
            tasks,
            policy=RestartPolicy(**settings.restart.model_dump()),
            first_client_id=settings.gateway.first_strategy_client_id,
        )
        stack.callback(self._strategies.abandon)
        self._kill_switch = KillSwitch(
            self._latch,
            self._gate,
            self._queue,
            self._strategies,
            self._clock,
            cancel_account=self._account.cancel_everything,
            settle=self._account.settle,
            ground=self._ground,
        )
        self.commands = CommandDesk(
            self._strategies, self._kill_switch, self._queue, self._clock, shut_down=self._over.set
        )
        stack.enter_context(self._journal)
        await stack.enter_async_context(self._ledger)
        stack.enter_context(self._queue)
        self._kill_switch.restore(self._state.kill)
        try:
            await stack.enter_async_context(self.data)
        except ConnectivityError as error:
            raise ConfigError(f"[gateway]: {error}") from error
        self.data.ended.add_done_callback(self._data_ended)
        await self._wait_for_clock()
        reach("recovery.begun")
        for fact in self._unseen.facts(self._clock.now_ns()):
            self._queue.put(fact)
        reach("recovery.doubted")
        await stack.enter_async_context(self._account)
        await self._settle_first()
        reach("recovery.settled")
        for section in settings.strategies:
            await self._strategies.add(_spec(section))
        await asyncio.wrap_future(self._queue.ask(self._look_after_holdings))
        stack.enter_context(self._kill_switch.watching(tasks))
        self._tasks = tasks
        enforcing = tasks.create_task(self._kill_switch.enforce())
        stack.callback(enforcing.cancel)

    def publisher(self, tail: LogTail) -> Publisher:
        """Return the one that makes the screen's rows."""
        return Publisher(
            self._screen,
            self._portfolio,
            self._queue,
            self.data,
            self._gate,
            self._strategies,
            tail.lines,
            self._clock,
            self._link_now,
            name=self._settings.floor.name,
            mode=self._settings.floor.mode.value,
        )

    def start_strategies(self) -> None:
        """Start the strategies that start with the floor, unless the kill switch is latched."""
        if self._kill_switch.is_latched:
            log.warning("the kill switch is latched: no strategy starts")
            return
        for section in self._settings.strategies:
            if section.autostart:
                self._strategies.start(section.name)

    async def until_over(self, for_s: float | None) -> None:
        """Wait for the end: a signal, a command, the time, or a failure that is raised."""
        try:
            async with asyncio.timeout(for_s):
                await self._over.wait()
        except TimeoutError:
            log.info("time is over", for_s=for_s)
        if self._failure is not None:
            raise self._failure

    async def wind_up(self) -> FloorSummary:
        """Stop the strategies, settle with the broker once more, and sum up."""
        self._strategies.close()
        desks, lags_ms = self._strategies.desks_now(), self._strategies.lag_samples_ms()
        reach("end.begun")
        await self._strategies.stop_all()
        reach("end.stopped")
        try:
            async with asyncio.timeout(LAST_SETTLE_TIMEOUT_S):
                is_equal = await asyncio.wrap_future(self._account.settle())
        except TimeoutError:
            log.error("the books could not be compared with the account at the end")
            is_equal = False
        strategies = await asyncio.wrap_future(
            self._queue.ask(lambda state: strategy_summaries(state, desks, self._marks))
        )
        counts = await asyncio.wrap_future(self._queue.ask(FloorCounts))
        return FloorSummary(
            strategies=strategies,
            orders=counts.orders_total,
            fills=counts.fills,
            rejected=counts.rejected,
            breaks=counts.breaks,
            unknown_orders=counts.orders_unknown,
            ticks=self.data.stats.ticks,
            bars_stored=0,
            loop_lag_p99_ms=round(percentile(lags_ms, 0.99), 2),
            books_equal_account=is_equal,
        )

    async def _settle_first(self) -> None:
        settled = asyncio.wrap_future(self._account.settle())
        over = asyncio.create_task(self._over.wait())
        either: list[asyncio.Future[bool] | asyncio.Task[Literal[True]]] = [settled, over]
        await asyncio.wait(either, timeout=FIRST_SETTLE_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if self._failure is not None:
            raise self._failure
        if not settled.done():
            raise ConfigError(f"[gateway]: the account could not be read within {FIRST_SETTLE_TIMEOUT_S:.0f} s")

    def _look_after_holdings(self, state: FloorState) -> None:
        self._mark_keeper.watch(state.books.instruments_held())
        named = {section.name for section in self._settings.strategies} | {UNASSIGNED}
        for name in state.books.strategies():
            if name not in named and state.books.book(name).open_positions:
                log.warning("a book has positions, but its strategy is not in floor.toml", strategy=name)
        for order in state.orders.working():
            if order.request.strategy not in named:
                log.warning("an order works whose strategy is not in floor.toml", cl_ord_id=order.cl_ord_id)

    def _after_fact(self, applied: Applied) -> None:
        self._gate.apply(applied.fact, applied.order)
        self._ledger.notify()

    async def _wait_for_clock(self) -> None:
        if self._settings.clock.follow is ClockSource.SYSTEM:
            return
        try:
            async with asyncio.timeout(CLOCK_WAIT_S):
                await self._followed.wait()
        except TimeoutError:
            log.info("the gateway announced no clock of its own: market time is the system's")

    def _follow(self, market_ns: int, speed: float) -> None:
        if self._settings.clock.follow is ClockSource.SYSTEM:
            mend = (
                "a live floor cannot run on it"
                if self._settings.floor.mode is Mode.LIVE
                else 'write [clock] follow = "gateway" in floor.toml'
            )
            self._fail(ConfigError(f"the gateway is a simulated one and keeps a time of its own: {mend}"))
            return
        self._clock.follow(market_ns, speed)
        self._loop.call_soon_threadsafe(self._followed.set)

    def _link_now(self) -> LinkNow:
        return LinkNow(self._clients.messages_per_s, self._master.round_trip_ms)

    def _take_account(self, account: AccountId, base: Currency) -> None:
        if self._settings.floor.mode is Mode.PAPER and not account.startswith(PAPER_ACCOUNT_PREFIX):
            raise ConfigError(
                f'[floor] mode: {account} is a live account and this floor is set to "paper": log in to a paper '
                'account, or write mode = "live" in floor.toml if you mean it'
            )
        self._marks.base = base
        self._gate.set_base(base)

    def _tell_session(self, fact: SessionChanged) -> None:
        self._loop.call_soon_threadsafe(self._strategies.take_session, fact)

    def _hold(self, name: str, text: str) -> None:
        log.critical("entries are shut", reason=text)
        self._gate.hold(name, text)

    def _kill_by_signal(self) -> None:
        self._gate.hold(KILL, "kill switch: SIGUSR1")
        if self._tasks is not None:
            self._tasks.create_task(self._kill_switch.kill("signal", "SIGUSR1", flatten=False))
            return
        try:
            self._latch.latch("signal", "SIGUSR1")  # still starting: nothing trades yet, and nothing will
        except LedgerError as error:
            log.critical("the kill switch is not on disk; entries are shut", reason=str(error))

    def _data_ended(self, ended: Future[None]) -> None:
        if not ended.cancelled() and (error := ended.exception()) is not None:
            log.critical("the data thread has died", reason=repr(error))
            self._gate.hold("data", f"the data thread has died: {error!r}")

    def _fail(self, error: BaseException) -> None:
        self._failure = error
        self._loop.call_soon_threadsafe(self._over.set)

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Take the end (SIGINT, SIGTERM) and the kill switch (SIGUSR1) by signal, from start to end."""
        ends = (signal.SIGINT, signal.SIGTERM)
        for number in ends:
            self._loop.add_signal_handler(number, self._over.set)
        self._loop.add_signal_handler(signal.SIGUSR1, self._kill_by_signal)
        try:
            yield
        finally:
            for number in (*ends, signal.SIGUSR1):
                self._loop.remove_signal_handler(number)


def _spec(section: StrategySection) -> StrategySpec:
    return StrategySpec(
        name=section.name,
        file=section.file,
        class_name=section.class_name,
        params=dict(section.params),
        stop_policy=section.stop_policy.value,
    )


def _ib_settings(settings: FloorSettings) -> IbSettings:
    gateway = settings.gateway
    return IbSettings(
        host=gateway.host,
        port=gateway.port,
        account=settings.floor.account,
        open_timeout_s=gateway.connect_timeout_s,
    )
