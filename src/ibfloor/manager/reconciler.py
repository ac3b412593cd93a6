"""Reconciler: keeps orders and books equal to what the broker says. Owner: the account thread.

A pass is: ask the broker for everything, let ``settle`` say what that means for our orders, put
those facts, then compare the books with the account. A difference becomes a break only when it
stands in three snapshots in a row: a fill may be on its way while a snapshot is taken. Each is told
as soon as it does, whatever else still moves; what moves at every look is told in the end too.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from itertools import count
from typing import Protocol

import msgspec
import structlog
from msgspec import structs

from ibfloor.broker.port import MasterSession
from ibfloor.crash_points import reach
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.portfolio_manager import PortfolioManager
from ibfloor.manager.suspects import CONFIRMATIONS, LOOKS_MAX, Suspects
from ibfloor.model.account import BrokerSnapshot
from ibfloor.model.booking import BreakCause
from ibfloor.model.errors import BrokerRejected, ConnectivityError
from ibfloor.model.fact import AnyFact, BreakCleared, BreakFound, Reconciled, SessionState
from ibfloor.model.ids import AccountId, StrategyId
from ibfloor.model.moment import Clock
from ibfloor.model.money import Currency
from ibfloor.portfolio.performance import Performance
from ibfloor.portfolio.reconciliation import Difference

NUDGE_TRIES = 4
"""Looks in a row at an order that came into doubt: two are proof, and what is new meanwhile needs two more."""
PATIENCE = 2 * CONFIRMATIONS
"""Looks that a difference stands before it is told while an order is in doubt: the order may explain it."""
RECHECK_S = 0.7
QUIET_S = 2.0
RETRY_S = 3.0
FORK_TRIES = 10
UPDATE_GAP_S = 5.0
"""At least so long after a pass the next comes that only an account update asks for: they come with every fill."""

log = structlog.get_logger("reconciler")


class Holds(Protocol):
    """The gate's holds: reasons why entries are shut, by who set them."""

    def hold(self, name: str, text: str, strategy: StrategyId | None = None) -> None:
        """Shut entries of the floor, or of one strategy, until the hold of this name is lifted."""

    def lift(self, name: str, strategy: StrategyId | None = None) -> None:
        """Take a hold away."""


class PassOutcome(msgspec.Struct, frozen=True):
    """What one pass found."""

    differences: tuple[Difference, ...]
    breaks: tuple[AnyFact, ...]
    """What there is to tell of breaks, if the differences are real."""
    unknown: int
    positions: int
    curve: Performance | None
    is_quiet: bool
    """No order changed meanwhile: what differs is not on its way."""


class Reconciler:
    """Runs passes: at the start, after every reconnect, when asked, and every ``period_s``."""

    def __init__(
        self,
        session: MasterSession,
        portfolio: PortfolioManager,
        queue: MessageQueue,
        holds: Holds,
        clock: Clock,
        *,
        period_s: float,
        on_account: Callable[[AccountId, Currency], None],
        page: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._session = session
        self._portfolio = portfolio
        self._queue = queue
        self._holds = holds
        self._clock = clock
        self._period_s = period_s
        self._on_account = on_account
        self.page = page
        """Calls a person."""
        self._suspects = Suspects()
        self._asked: set[tuple[str, StrategyId | None]] = {("start", None)}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._waiters: list[Callable[[bool], None]] = []
        self._later: asyncio.TimerHandle | None = None
        self._passed_s = 0.0
        self._is_nudged = False
        holds.hold("start", "not reconciled with the account yet")

    def request(self, name: str, text: str, strategy: StrategyId | None = None) -> None:
        """Shut entries under a name until a pass that starts after now has settled; from any thread."""
        self._holds.hold(name, text, strategy)
        self._on_loop(lambda: self._ask(name, strategy))

    def nudge(self) -> None:
        """Run passes soon, entries stay open meanwhile: an order is in doubt; from any thread."""

        def look() -> None:
            self._is_nudged = True
            self._wake.set()

        self._on_loop(look)

    def account_told(self) -> None:
        """Compare soon, since the broker told of a change of the account by itself; from any thread."""
        self._on_loop(self._tell_later)

    def settle_now(self, done: Callable[[bool], None]) -> None:
        """Run passes until books and account agree or a break stands, then call back; any thread.

        Nobody knows whether they agree once the thread has ended: the answer is no.
        """

        def ask() -> None:
            self._waiters.append(done)
            self._wake.set()

        if not self._on_loop(ask):
            done(False)

    async def run(self) -> None:
        """Reconcile until cancelled; the session is open and stays its own reconnector."""
        self._loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            asked, waiters = self._asked, tuple(self._waiters)
            self._asked = set()
            is_nudged, self._is_nudged = self._is_nudged, False
            try:
                is_equal = await self._settle(thorough=bool(asked or waiters), is_nudged=is_nudged)
            except (ConnectivityError, BrokerRejected) as error:
                log.warning("reconciliation postponed", reason=str(error))
                self._asked |= asked
                self._is_nudged |= is_nudged
                await self._woken_within(RETRY_S)
                continue
            for name, strategy in asked - self._asked:
                self._holds.lift(name, strategy)
            for waiter in waiters:
                self._waiters.remove(waiter)
                waiter(is_equal)
            await self._pause()

    async def _pause(self) -> None:
        if self._asked or self._waiters:
            return
        await self._woken_within(RETRY_S if self._suspects.is_open else self._period_s)

    async def _woken_within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _settle(self, *, thorough: bool, is_nudged: bool) -> bool:
        for tries in count(1):
            outcome = await self._pass()
            self._passed_s = asyncio.get_running_loop().time()
            is_open = bool(outcome.unknown) or self._portfolio.has_doubts
            is_forked = self._portfolio.has_forks and tries < FORK_TRIES
            if not is_forked and is_open and thorough:
                pause_s = QUIET_S
            elif (
                is_forked
                or (is_open and is_nudged and tries < NUDGE_TRIES)
                or (self._suspects.is_open and tries < LOOKS_MAX)
            ):
                pause_s = RECHECK_S
            else:
                break
            self._tell_found(outcome, PATIENCE if is_open or is_forked else CONFIRMATIONS, is_news_alone=True)
            await asyncio.sleep(pause_s)
        if self._portfolio.has_forks:
            log.critical("the broker works an order more than once, and it cannot be canceled: cancel it by hand")
        self._report(outcome)
        return not outcome.differences

    async def _pass(self) -> PassOutcome:
        asked_at = await asyncio.wrap_future(self._queue.ask(lambda state: state.orders.changes))
        snapshot = await self._ask_broker()
        self._on_account(snapshot.account, snapshot.base_currency)
        reach("settle.asked")
        facts = await asyncio.wrap_future(self._queue.ask(lambda _: self._portfolio.settle(snapshot, asked_at)))
        reach("settle.decided")
        for fact in facts:
            self._queue.put(fact)
            reach("settle.put")
        outcome = await asyncio.wrap_future(self._queue.ask(lambda state: self._compare(state, snapshot, asked_at)))
        self._suspects.look(outcome.differences, is_quiet=outcome.is_quiet)
        reach("settle.compared")
        return outcome

    async def _ask_broker(self) -> BrokerSnapshot:
        # A gateway without IB lists what it knew before: an order that it holds back meanwhile is on no list.
        self._check_is_whole()
        snapshot = await self._session.snapshot()
        self._check_is_whole()
        return snapshot

    def _check_is_whole(self) -> None:
        if self._session.state is SessionState.DEGRADED:
            raise ConnectivityError("the gateway is without IB, or in doubt: what it lists proves nothing")

    def _compare(self, state: FloorState, snapshot: BrokerSnapshot, asked_at: int) -> PassOutcome:
        differences = self._portfolio.compare(snapshot)
        return PassOutcome(
            differences,
            self._portfolio.break_facts(differences, snapshot),
            len(state.orders.unknown()),
            len(snapshot.positions),
            self._portfolio.performance,
            state.orders.changes == asked_at,
        )

    def _report(self, outcome: PassOutcome) -> None:
        now_ns = self._clock.now_ns()
        self._tell_found(outcome, CONFIRMATIONS)
        for fact in outcome.breaks:
            if isinstance(fact, BreakCleared):
                log.warning("break cleared", difference=fact.key, reason=fact.reason)
                self._queue.put(fact)
        reconciled = Reconciled(
            ts_event_ns=now_ns,
            ts_init_ns=now_ns,
            positions=outcome.positions,
            breaks=len(outcome.differences),
            unknown_orders=outcome.unknown,
        )
        if (curve := outcome.curve) is not None:  # so that a restart knows the peak, and where the last day ended
            reconciled = structs.replace(
                reconciled,
                equity=curve.equity,
                peak=curve.peak,
                flows=curve.flows,
                flows_by=curve.moneys,
                highs=curve.highs,
            )
        self._queue.put(reconciled)

    def _tell_found(self, outcome: PassOutcome, confirmations: int, *, is_news_alone: bool = False) -> None:
        for fact in outcome.breaks:
            if not isinstance(fact, BreakFound) or not self._suspects.is_real(fact.key, confirmations):
                continue
            is_news = fact.ts_event_ns == fact.ts_init_ns
            if is_news_alone and not is_news:
                continue
            if self._suspects.is_moving(fact.key):
                text = f"{fact.text}; it moves at every look"
                fact = structs.replace(fact, text=text, cause=BreakCause.UNKNOWN, why="", proposal=None)
            log.error("books and account differ", difference=fact.text, cause=fact.cause.lower(), why=fact.why)
            if is_news:
                self.page(f"books and account differ: {fact.text} (cause: {fact.cause.lower()})")
            self._queue.put(fact)

    def _tell_later(self) -> None:
        loop = self._loop
        if loop is None or self._later is not None:
            return
        wait_s = max(0.0, self._passed_s + UPDATE_GAP_S - loop.time())
        self._later = loop.call_later(wait_s, self._wake_later)

    def _wake_later(self) -> None:
        self._later = None
        self._wake.set()

    def _ask(self, name: str, strategy: StrategyId | None) -> None:
        self._asked.add((name, strategy))
        self._wake.set()

    def _on_loop(self, act: Callable[[], None]) -> bool:
        if self._loop is None:
            act()  # before the thread runs: nobody else touches these sets yet
            return True
        try:
            self._loop.call_soon_threadsafe(act)
        except RuntimeError:  # the loop has closed: the floor ends, and says why
            return False
        return True
