"""The kill switch: latch on disk, block, cancel, verify; then, if told so, flatten. Owner: the main loop.

It is set off by a command (page, API, CLI), by the signal SIGUSR1, or by the latch file itself,
which ``ibfloor kill`` writes when nothing of the floor answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Lock

import structlog

from ibfloor.ledger.latch import KillLatch
from ibfloor.manager.ground import Ground
from ibfloor.manager.guarded import Guarded
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.shared_gate import KILL, SharedGate
from ibfloor.manager.strategy_manager import StrategyManager
from ibfloor.model.command import CommandResult, Denied, Done
from ibfloor.model.errors import LedgerError
from ibfloor.model.fact import KillLatched, KillReset
from ibfloor.model.ids import UNASSIGNED, StrategyId
from ibfloor.model.moment import Clock

log = structlog.get_logger("kill")

WATCH_S = 0.25
VERIFY_S = 0.1
ENFORCE_S, ENFORCE_MAX_S = 2.0, 30.0
SETTLE_TIMEOUT_S = 20.0
CANCEL_TIMEOUT_S = 10.0


class KillSwitch:
    """Stops all trading at once and keeps it stopped through restarts, until a person resets it."""

    def __init__(
        self,
        latch: KillLatch,
        gate: SharedGate,
        queue: MessageQueue,
        strategies: StrategyManager,
        clock: Clock,
        *,
        cancel_account: Callable[[], Future[bool]],
        settle: Callable[[], Future[bool]],
        ground: Ground | None = None,
    ) -> None:
        self._latch = latch
        self._gate = gate
        self._queue = queue
        self._strategies = strategies
        self._clock = clock
        self._cancel_account = cancel_account
        self._settle = settle
        self._ground = ground or Ground()
        self._is_latched = False
        self._kills = 0
        self._is_account_asked = False
        self._asking = Lock()
        self._one_at_a_time = asyncio.Lock()

    @property
    def is_latched(self) -> bool:
        """Tell whether trading is halted."""
        return self._is_latched

    def restore(self, latched_in_ledger: KillLatched | None) -> None:
        """Take over a latch of an earlier run, before anything can be sent; ledger or file is enough."""
        found = self._latch.state()
        self._is_account_asked = latched_in_ledger is not None  # an earlier floor carried that kill out
        if found is not None:
            self._block(found.actor, found.reason)
        elif latched_in_ledger is not None:
            self._write_latch(latched_in_ledger.actor, latched_in_ledger.reason)
            self._gate.hold(KILL, f"kill switch: {latched_in_ledger.reason}")
            self._is_latched = True

    async def kill(self, actor: str, reason: str, *, flatten: bool) -> CommandResult:
        """Block, latch, cancel everything and wait until the broker has no working order of ours."""
        self._kills += 1
        self._block(actor, reason)
        unwritten = self._write_latch(actor, reason)
        async with self._one_at_a_time:
            self._cancel_everything()
            stopping = asyncio.create_task(self._strategies.stop_all("cancel"))
            left = await self._wait_canceled()
            await stopping
            if left:
                text = f"trading is halted, but {left} orders may still work at the broker: check them in TWS"
                log.critical(text)
                return Denied(text + unwritten)
            if not flatten:
                return Done("trading is halted and no order works any more; positions are kept" + unwritten)
            return await self._flatten()

    async def reset(self, actor: str, reason: str) -> CommandResult:
        """Open the switch again; refused without a reason or while books and account differ."""
        if not self._is_latched:
            return Denied("the kill switch is not latched")
        if not reason.strip():
            return Denied("a reason is needed to reset the kill switch")
        if self._one_at_a_time.locked():
            return Denied("the kill is still being carried out: wait for it to end")
        kills = self._kills
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT_S):
                is_equal = await asyncio.wrap_future(self._settle())
        except TimeoutError:
            return Denied("the books could not be compared with the account: is the gateway there?")
        if kills != self._kills:
            return Denied("somebody pulled the kill switch again meanwhile")
        if not is_equal:
            return Denied("books and account differ: resolve the breaks before trading again")
        self._latch.reset()
        self._is_latched = self._is_account_asked = False
        self._gate.lift(KILL)
        now_ns = self._clock.now_ns()
        self._queue.put(KillReset(ts_event_ns=now_ns, ts_init_ns=now_ns, actor=actor, reason=reason))
        log.warning("kill switch reset", actor=actor, reason=reason)
        return Done("the kill switch is open: start the strategies when you are ready")

    async def enforce(self) -> None:
        """Cancel our own again while the switch is latched, each through its own client: a cancel may be lost."""
        rest_s = ENFORCE_S
        while True:
            await asyncio.sleep(rest_s)
            rest_s = min(rest_s * 2, ENFORCE_MAX_S)
            if not self._is_latched or self._one_at_a_time.locked() or not await self._working():
                rest_s = ENFORCE_S
                continue
            log.warning("orders work though trading is halted: canceling again")
            self._cancel_everything()
            await self._strategies.clear_up(await self._owners(), "cancel")

    @contextmanager
    def watching(self, tasks: Guarded) -> Iterator[None]:
        """Watch the latch file on a thread of its own: it must work when the main loop does not."""
        loop = asyncio.get_running_loop()
        is_passed_on = False

        def look() -> None:
            nonlocal is_passed_on
            found = self._latch.state()
            if self._is_latched or found is None:
                is_passed_on = False
            elif not is_passed_on:  # else the main loop takes it up as soon as it can
                is_passed_on = True
                self._gate.hold(KILL, f"kill switch: {found.reason}")
                self._cancel_everything()
                kill = self.kill(found.actor, found.reason, flatten=False)
                loop.call_soon_threadsafe(tasks.create_task, kill)

        with self._ground.look("kill-watch", look, WATCH_S):
            yield

    def _block(self, actor: str, reason: str) -> None:
        self._gate.hold(KILL, f"kill switch: {reason}")
        if self._is_latched:
            return
        self._is_latched = True
        now_ns = self._clock.now_ns()
        self._queue.put(KillLatched(ts_event_ns=now_ns, ts_init_ns=now_ns, actor=actor, reason=reason))
        log.critical("kill switch latched", actor=actor, reason=reason)

    def _cancel_everything(self) -> None:
        self._cancel_account_once()
        self._strategies.cancel_all()

    def _cancel_account_once(self) -> None:
        # Once for a kill: a person may trade on by hand, and those orders are none of ours.
        with self._asking:
            if self._is_account_asked:
                return
            self._is_account_asked = True
        self._cancel_account().add_done_callback(self._account_was_asked)

    def _account_was_asked(self, has_left: Future[bool]) -> None:
        if not has_left.result():
            self._is_account_asked = False  # the connection was down: it is still due

    def _write_latch(self, actor: str, reason: str) -> str:
        try:
            self._latch.latch(actor, reason, ts_ns=self._clock.now_ns())
        except LedgerError as error:
            log.critical("the kill switch is not on disk", reason=str(error))
            return f". NOT on disk, a restart would trade again: {error}"
        return ""

    async def _working(self) -> int:
        # Reservations too: an order may be between the gate and the wire.
        known = await asyncio.wrap_future(self._queue.ask(lambda state: len(state.orders.working())))
        return max(known, self._gate.open_reservations)

    async def _wait_canceled(self) -> int:
        deadline = asyncio.get_running_loop().time() + CANCEL_TIMEOUT_S
        while left := await self._working():
            if asyncio.get_running_loop().time() > deadline:
                return left
            await asyncio.sleep(VERIFY_S)
        return 0

    async def _flatten(self) -> CommandResult:
        self._gate.allow_reducing(is_allowed=True)
        try:
            await self._strategies.clear_up(set(await self._holders()), "flatten")
        finally:
            self._gate.allow_reducing(is_allowed=False)
        left = await self._holders()
        if left:
            return Denied(
                f"trading is halted; not flat yet: {', '.join(left)}. A strategy that is not on the floor any more "
                "keeps its position: add it again, reset the switch, and stop it with the policy flatten"
            )
        return Done("trading is halted, all orders are canceled, and every strategy is flat")

    async def _owners(self) -> set[StrategyId]:
        return await asyncio.wrap_future(
            self._queue.ask(lambda state: {order.request.strategy for order in state.orders.working()})
        )

    async def _holders(self) -> list[StrategyId]:
        return await asyncio.wrap_future(
            self._queue.ask(
                lambda state: [
                    name
                    for name in state.books.strategies()
                    if name != UNASSIGNED and state.books.book(name).open_positions
                ]
            )
        )
