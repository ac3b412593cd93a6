"""The floor: all its parts, built in the order in which they need each other, and taken apart again."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import AsyncExitStack
from typing import Literal
from zoneinfo import ZoneInfo

import structlog

from ibfloor.broker.ib.clients import IbClients
from ibfloor.broker.ib.settings import ib_settings
from ibfloor.clock import FloorClock
from ibfloor.config import ClockSource, FloorSettings, Mode
from ibfloor.crash_points import reach
from ibfloor.data.manager import DataManager
from ibfloor.ledger.journal import Durability, JournalWriter
from ibfloor.ledger.latch import KillLatches
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.manager.account_board import AccountBoard
from ibfloor.manager.account_thread import AccountThread
from ibfloor.manager.book_marker import BookMarker
from ibfloor.manager.booking_desk import BookingDesk
from ibfloor.manager.capital_board import CapitalBoard
from ibfloor.manager.capital_keeper import CapitalKeeper
from ibfloor.manager.commands import CommandDesk
from ibfloor.manager.crossing import Crossing
from ibfloor.manager.desk import spec_of
from ibfloor.manager.ending import Ending
from ibfloor.manager.equity_feed import EquityFeed
from ibfloor.manager.floor_rows import LinkNow
from ibfloor.manager.floor_state import Applied, FloorState
from ibfloor.manager.ground import Ground
from ibfloor.manager.guarded import Guarded
from ibfloor.manager.kill_switch import KillSwitch
from ibfloor.manager.limit_desk import LimitDesk
from ibfloor.manager.loss_acts import LossActs
from ibfloor.manager.loss_guard import LossGuard
from ibfloor.manager.mailroom import Mailroom
from ibfloor.manager.mark_keeper import MarkKeeper
from ibfloor.manager.marks import Marks
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.nightly import NightlyComparison
from ibfloor.manager.orphans import Orphans
from ibfloor.manager.portfolio_manager import PortfolioManager
from ibfloor.manager.publisher import Publisher
from ibfloor.manager.rate_keeper import RateKeeper
from ibfloor.manager.reconciler import Reconciler
from ibfloor.manager.restart_windows import RestartWindows
from ibfloor.manager.restore import Restored, restore
from ibfloor.manager.risk_limits import limits_of
from ibfloor.manager.risk_watch import risk_watches
from ibfloor.manager.screen import Screen
from ibfloor.manager.services import Services
from ibfloor.manager.session_alarm import SessionAlarm
from ibfloor.manager.session_watch import SessionWatch
from ibfloor.manager.shared_gate import KILL, SharedGate
from ibfloor.manager.strategy_manager import StrategyManager
from ibfloor.manager.summary import FloorSummary
from ibfloor.manager.supervision import RestartPolicy
from ibfloor.model.account import AccountReported
from ibfloor.model.errors import ConfigError, ConnectivityError, LedgerError
from ibfloor.model.fact import SessionChanged
from ibfloor.model.ids import AccountId
from ibfloor.model.kill import ACCOUNT
from ibfloor.model.money import USD, Currency
from ibfloor.ops.alarm import Alarm
from ibfloor.ops.guard_dog import GuardDog
from ibfloor.ops.log_tail import LogTail

CLOCK_WAIT_S = 2.0
FIRST_SETTLE_TIMEOUT_S = 30.0
MEND_S = 1.0
PAPER_ACCOUNT_PREFIX = "D"  # IB's paper accounts are DU..., DF... and the like; live ones begin with U, F, I
DAY_ZONE = ZoneInfo("America/New_York")

log = structlog.get_logger("floor")


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
        self._is_open = False
        self._is_ledger_held = False
        restored = restore(
            settings.home,
            limits_of(settings, USD),
            settings.books.lots,
            is_live=settings.floor.mode is Mode.LIVE,
        )
        self._state = state = restored.state
        self._unseen = restored.unseen
        durability: Durability = "power" if settings.floor.durability == "power" else "process"
        self._journal = JournalWriter(paths.facts_journal, durability)
        self._ledger = ground.ledger(paths, self._hold_ledger)
        self._queue = queue = self._make_queue(restored)
        self._clients = clients = IbClients(
            ib_settings(settings), clock, queue.put, rng=ground.rng, monotonic=ground.monotonic
        )
        self.data = DataManager(
            lambda sink: clients.data_session(
                sink, on_clock=self._follow, on_refused=self.data.market_refused, on_farm=self.data.take_farm
            ),
            clock,
            thread=ground.loop_thread("data"),
        )
        self._board = AccountBoard()
        self._marks = Marks(self.data, USD, self._board.rates, clock, settings.books)
        self._gate = SharedGate(restored.gate, self.data.quote, clock, queue.put)
        self._master = master = clients.master_session(self._take_report, on_read_only=self._take_read_only)
        self._portfolio = PortfolioManager(
            state, self._marks, RateKeeper(self.data), self._gate, clock, self._board, tz=DAY_ZONE
        )
        self._reconciler = reconciler = Reconciler(
            master,
            self._portfolio,
            queue,
            self._gate,
            clock,
            period_s=settings.gateway.reconcile_every_s,
            on_account=self._take_account,
            page=Alarm(settings.alarm.command),
        )
        self._account = AccountThread(master, reconciler, on_failure=self._fail, thread=ground.loop_thread("account"))
        self._gate.doubt, self.data.on_halted = self.data.doubt, self._gate.limits.take_halt
        self._marker = BookMarker(queue, self._marks, self._portfolio.rates_now, clock, tz=DAY_ZONE)
        self.curves = EquityFeed(state)
        self._capital_board = CapitalBoard({name: fact.amount for name, fact in state.capital.items()})
        self._capital = CapitalKeeper(
            settings, queue, self._capital_board, clock, self._portfolio.last_equity, lambda: self._marks.base
        )
        self._losses = LossGuard(state, self._gate, self._board, clock, self._portfolio, queue.put, tz=DAY_ZONE)
        self._mailroom = Mailroom(state, queue)
        self._screen = Screen(state, self._portfolio, self._board, clock)
        self._mark_keeper = MarkKeeper(self.data, state)
        self._observe(SessionWatch(self._gate, reconciler, self._tell_session))
        self._services = self._make_services(paths, durability)
        self._latches = KillLatches(settings.home)

    def _make_queue(self, restored: Restored) -> MessageQueue:
        return MessageQueue(
            restored.state,
            self._journal,
            next_seq=restored.next_seq,
            on_fault=lambda text: self._hold("queue", text),
            on_trouble=self._hold_while,
            line=self._ground.line("message-queue"),
        )

    def _observe(self, watch: SessionWatch) -> None:
        self._queue.observe(
            self._after_fact,  # the gate first: who is told of a fact may send an order at once
            watch.observe,
            self._mark_keeper.observe,
            self._marker.observe,
            self.curves.observe,
            self._capital.observe,
            self._losses.observe,
            self._screen.observe,
            self._mailroom.observe,
        )

    def _make_services(self, paths: LedgerPaths, durability: Durability) -> Services:
        return Services(
            clock=self._clock,
            queue=self._queue,
            gate=self._gate,
            data=self.data,
            marks=self._marks,
            order_session=self._clients.order_session,
            account=self._account,
            journal=lambda name: JournalWriter(paths.worker_journal(name), durability),
            ground=self._ground,
            capital=self._capital_board,
            stop=self._settings.stop,
            crossing=Crossing(self._settings.crossing, self._queue, self._gate, self.data.quote, self._clock),
        )

    async def open(self, stack: AsyncExitStack) -> None:
        """Start every thread and session; returns when books and account have been compared."""
        settings = self._settings
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        self._tasks = guarded = Guarded(tasks, self._fail)
        stack.callback(guarded.cancel)
        self._strategies = StrategyManager(
            self._services,
            self._mailroom,
            guarded,
            policy=RestartPolicy(**settings.restart.model_dump()),
            first_client_id=settings.gateway.first_strategy_client_id,
        )
        stack.callback(self._strategies.abandon)
        self._kill_switch = KillSwitch(
            self._latches,
            self._gate,
            self._queue,
            self._strategies,
            self._clock,
            self._account,
            self.data.by_id,
            settings,
            page=Alarm(settings.alarm.command),
            watch_held=self._watch_holdings,
            ground=self._ground,
        )
        self.commands = self._make_desk()
        stack.enter_context(self._journal)
        await stack.enter_async_context(self._ledger)
        stack.enter_context(self._queue)
        self._kill_switch.restore(self._state.kills)
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
            await self._strategies.add(spec_of(section))
        await asyncio.wrap_future(self._queue.ask(self._watch_holdings))
        alarm = SessionAlarm(self._clients.unwell, settings.gateway.alarm_after_s)
        stack.callback(guarded.create_task(alarm.watch()).cancel)
        orphans = Orphans(settings, self._strategies, self._queue, self._clock)
        await orphans.hand_over()
        self.ending = Ending(self._strategies, self._queue, self._marks, self.data, settle=self._account.settle)
        stack.enter_context(self._kill_switch.watching(guarded))
        self._is_open = True
        nightly = NightlyComparison(settings.books, self._clock, settle=self._account.settle)
        windows = RestartWindows(settings.gateway, self._gate, self._queue, self._clock, settle=self._account.settle)
        kills = self._kill_switch
        watches = risk_watches(self.data, self._gate, self._strategies, self._clock, DAY_ZONE)
        own = (self._mend(), self._marker.keep(), self._capital.keep(), self._services.crossing.keep(), *watches)
        for work in (kills.finish(), kills.enforce(), orphans.look_after(), windows.watch(), nightly.watch(), *own):
            stack.callback(guarded.create_task(work).cancel)

    def _make_desk(self) -> CommandDesk:
        self._losses.acts = LossActs(self._tasks, self._strategies, self._kill_switch, self._gate)
        bookings = BookingDesk(self._queue, self._clock, desks=self._strategies.desks_now, settle=self._account.settle)
        return CommandDesk(
            self._strategies,
            self._kill_switch,
            self._queue,
            self._clock,
            bookings,
            self._capital,
            LimitDesk(self._gate.limits, self._queue, self._clock, self._kill_switch.officer),
            shut_down=self._over.set,
        )

    def end(self) -> None:
        """End in good order."""
        self._over.set()

    def beat_for(self, dog: GuardDog, stack: AsyncExitStack) -> None:
        """Keep the heartbeat going that the watchdog listens to: main loop and queue prove that they live."""
        beating = dog.keep(lambda: self._queue.ask(lambda _: None))
        stack.callback(self._tasks.create_task(beating).cancel)

    def publisher(self, tail: LogTail, dog: GuardDog | None = None) -> Publisher:
        """Return the one that makes the screen's rows."""
        publisher = Publisher(
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
        publisher.kill_rows = self._kill_switch.board.rows
        publisher.watchdog = lambda: "" if dog is None else dog.state
        publisher.has_risk_officer = lambda: self._kill_switch.officer.is_named
        return publisher

    @property
    def last_day(self) -> str:
        """Return the last trading day that the journal knows of; empty before the first."""
        return "" if self._state.day is None else self._state.day.day

    def start_strategies(self) -> None:
        """Start the strategies that start with the floor, unless the kill switch is latched."""
        if self._over.is_set():
            log.info("told to end before any strategy started")
            return
        if self._kill_switch.is_latched:
            log.warning("the kill switch is latched: no strategy starts")
            return
        for section in self._settings.strategies:
            if section.autostart and not self._kill_switch.forbids(section.name):
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
        summary = await self.ending.wind_up()
        await self._marker.mark(is_last=True)
        return summary

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

    def _watch_holdings(self, _: FloorState) -> None:
        self._mark_keeper.watch_held()

    def _after_fact(self, applied: Applied) -> None:
        self._gate.apply(applied.fact, applied.order, applied.held)
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

    def _take_report(self, report: AccountReported) -> None:
        self._board.take(report)
        if not report.is_asked:
            self._reconciler.account_told()

    def _take_account(self, account: AccountId, base: Currency) -> None:
        if self._settings.floor.mode is Mode.PAPER and not account.startswith(PAPER_ACCOUNT_PREFIX):
            raise ConfigError(
                f'[floor] mode: {account} is a live account and this floor is set to "paper": log in to a paper '
                'account, or write mode = "live" in floor.toml if you mean it'
            )
        self._marks.base = base
        self._gate.set_base(base)

    def _take_read_only(self, is_read_only: bool) -> None:
        if is_read_only:
            self._hold(
                "read-only", 'the gateway lets its API only read, the floor only watches: untick "Read-Only API"'
            )
        else:
            self._gate.lift("read-only")

    def _tell_session(self, fact: SessionChanged) -> None:
        self._loop.call_soon_threadsafe(self._strategies.take_session, fact)

    def _hold(self, name: str, text: str) -> None:
        log.critical("entries are shut", reason=text)
        self._gate.hold(name, text)

    def _hold_while(self, name: str, text: str | None) -> None:
        if text is not None:
            self._hold(name, text)
        else:
            log.warning("a hold is lifted: what it stood for has passed", hold=name)
            self._gate.lift(name)

    def _hold_ledger(self, error: LedgerError) -> None:
        self._is_ledger_held = True
        self._hold("ledger", str(error))

    async def _mend(self) -> None:
        while True:
            await asyncio.sleep(MEND_S)
            self._queue.write_again()
            if self._is_ledger_held and not self._ledger.trouble:
                self._is_ledger_held = False
                self._hold_while("ledger", None)

    def kill_by_signal(self) -> None:
        """Pull the account's kill switch, also while the floor is still starting."""
        self._gate.hold(KILL, "kill switch: SIGUSR1")
        if self._is_open:
            self._tasks.create_task(self._kill_switch.kill(ACCOUNT, "signal", "SIGUSR1"))
            return
        try:
            self._latches.latch(ACCOUNT, "signal", "SIGUSR1")  # still starting: nothing trades yet, and nothing will
        except LedgerError as error:
            log.critical("the kill switch is not on disk; entries are shut", reason=str(error))

    def _data_ended(self, ended: Future[None]) -> None:
        if not ended.cancelled() and (error := ended.exception()) is not None:
            log.critical("the data thread has died", reason=repr(error))
            self._gate.hold("data", f"the data thread has died: {error!r}")

    def _fail(self, error: BaseException) -> None:
        self._failure = error
        self._loop.call_soon_threadsafe(self._over.set)
