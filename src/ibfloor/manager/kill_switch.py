"""The kill switches: latch on disk, block, cancel, look at the broker; then, if told so again, flatten.

One for the whole account, one for each strategy, one for each instrument. Each is set off by a
command (page, API, CLI), the account's also by the signal SIGUSR1, and all by a file in the home,
which ``ibfloor kill``, the watchdog or ``touch`` makes when nothing of the floor answers.
Owner: the main loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Lock

import structlog

from ibfloor.config import FloorSettings, Mode
from ibfloor.crash_points import reach
from ibfloor.ledger.latch import KillLatches, LatchState
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.ground import Ground
from ibfloor.manager.guarded import Guarded
from ibfloor.manager.kill_board import KillBoard
from ibfloor.manager.kill_hand import AccountDoor, KillHand, Looked
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.risk_officer import RiskOfficer
from ibfloor.manager.shared_gate import KILL, SharedGate
from ibfloor.manager.strategy_manager import StrategyManager
from ibfloor.model.command import CommandResult, Denied, Done
from ibfloor.model.errors import LedgerError
from ibfloor.model.fact import KillChecked, KillLatched, KillReset
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.kill import ACCOUNT, KillPlace, KillScope
from ibfloor.model.moment import Clock
from ibfloor.risk.kill import KillState

log = structlog.get_logger("kill")

WATCH_S = 0.25
ENFORCE_S, ENFORCE_MAX_S = 2.0, 30.0
SETTLE_TIMEOUT_S = 20.0
END_TIMEOUT_S = 8.0


class KillSwitch:
    """Stops trading at once and keeps it stopped through restarts, until a person who may resets it."""

    def __init__(
        self,
        latches: KillLatches,
        gate: SharedGate,
        queue: MessageQueue,
        strategies: StrategyManager,
        clock: Clock,
        account: AccountDoor,
        instrument: Callable[[InstrumentId], Instrument | None],
        settings: FloorSettings,
        *,
        page: Callable[[str], None],
        watch_held: Callable[[FloorState], None],
        ground: Ground,
    ) -> None:
        self._latches = latches
        self._gate = gate
        self._queue = queue
        self._strategies = strategies
        self._clock = clock
        collar_pct = settings.kill.flatten_collar_pct
        self._hand = KillHand(
            account, strategies, queue, gate, instrument, collar_pct=collar_pct, watch_held=watch_held
        )
        self._settle = account.settle
        self.officer = RiskOfficer(settings.home, ground.monotonic, is_live=settings.floor.mode is Mode.LIVE)
        self._page = page
        self._ground = ground
        self._latched: dict[KillPlace, LatchState] = {}
        self._undone: list[KillPlace] = []
        self._pulls: dict[KillPlace, int] = {}
        self._running: dict[KillPlace, asyncio.Lock] = {}
        self._carrying: dict[KillPlace, asyncio.Task[Looked]] = {}
        self._files = Lock()
        self.board = KillBoard()
        self._hand.show = self._show

    @property
    def is_latched(self) -> bool:
        """Tell whether trading is halted for the whole account."""
        return ACCOUNT in self._latched

    def forbids(self, name: StrategyId) -> bool:
        """Tell whether a strategy must not be started."""
        return any(place.covers_strategy(name) for place in self._latched)

    def restore(self, in_ledger: Mapping[KillPlace, KillState]) -> None:
        """Take over the latches of an earlier run, before anything can be sent; ledger or file is enough."""
        account = in_ledger.get(ACCOUNT)
        self._hand.has_asked_account = account is not None and account.is_verified
        for place, state in in_ledger.items():
            self._gate.kill(place, state.actor, state.reason, state.ts_ns)
            self._latched[place] = LatchState(actor=state.actor, reason=state.reason, ts_ns=state.ts_ns)
            self.board.latched(place, state)
            self._write_latch(place, state.actor, state.reason)
            if not state.is_verified:
                self._undone.append(place)
        for place, found in self._latches.states().items():
            if place not in self._latched:
                self._block(place, found.actor, found.reason)
                self._tell_latched(place)
                self._undone.append(place)

    async def finish(self) -> None:
        """Carry out what an earlier floor, or a file from before the start, left to do."""
        await asyncio.gather(*(self._carry_out(place) for place in self._undone))

    async def kill(self, place: KillPlace, actor: str, reason: str) -> CommandResult:
        """Block, latch, cancel, and look at the broker until nothing in reach works, for 10 s at most."""
        self._pulls[place] = self._pulls.get(place, 0) + 1
        is_new = self._block(place, actor, reason)
        reach("kill.blocked")
        unwritten = self._write_latch(place, actor, reason)
        if is_new:
            self._tell_latched(place)
        reach("kill.latched")
        looked = await self._carry_out(place)
        halted = "trading is halted" if place.is_account else f"{place} is halted"
        if looked.orders_left:
            return Denied(f"{halted}, but {looked.text}: check them in TWS{unwritten}")
        note = f"; {looked.text}" if looked.text else ""
        return Done(f"{halted} and no order works any more; positions are kept{note}{unwritten}")

    async def flatten(self, place: KillPlace) -> CommandResult:
        """Close what a latched switch holds, within a bound of the market; never before its orders are gone."""
        if place not in self._latched:
            return Denied(f"{place} is not killed: pull the switch first, then confirm that positions are closed")
        async with self._lock(place):
            if place not in self._latched:
                return Denied(f"the kill switch of {place} was reset meanwhile: nothing was closed")
            looked = await self._hand.until_clear(place)
            if looked.orders_left:
                return Denied(f"nothing was closed: {looked.text}")
            self.board.phase(place, "closing", 0, "")
            left = await self._hand.flatten(place)
            self.board.phase(place, "not flat" if left else "flat", 0, left)
        if left:
            return Denied(
                f"{place} stays halted; {left}. Where a price was missing, or a bound was not met, try again, "
                "or close by hand in TWS"
            )
        return Done(f"{place} is halted, no order works, and every position of a strategy in reach is closed")

    async def reset(self, place: KillPlace, actor: str, reason: str, passphrase: str = "") -> CommandResult:
        """Open a switch again; refused to whoever may not, without a reason, or while books and account differ."""
        if place not in self._latched:
            return Denied(f"the kill switch of {place} is not latched")
        if not reason.strip():
            return Denied("a reason is needed to reset the kill switch")
        if objection := await self.officer.refusal("reset a kill switch", passphrase):
            log.warning("kill switch not reset", place=str(place), actor=actor, reason=objection)
            return Denied(objection)
        if self._lock(place).locked():
            return Denied("the kill is still being carried out: wait for it to end")
        pulls = self._pulls.get(place, 0)
        if refusal := await self._unsettled(place):
            return Denied(refusal)
        if pulls != self._pulls.get(place, 0):
            return Denied("somebody pulled the kill switch again meanwhile")
        if self._lock(place).locked():
            return Denied("positions are being closed: wait for it to end")
        with self._files:
            self._latches.reset(place)
            self._latched.pop(place)
        if place.is_account:
            self._hand.has_asked_account = False
        self.board.reset(place)
        now_ns = self._clock.now_ns()
        self._queue.put(
            KillReset(
                ts_event_ns=now_ns,
                ts_init_ns=now_ns,
                actor=actor,
                reason=reason,
                scope=place.scope,
                target=place.target,
            )
        )
        await asyncio.wrap_future(self._queue.ask(lambda _: None))  # the gate has heard of it
        log.warning("kill switch reset", place=str(place), actor=actor, reason=reason)
        others = f"; still latched: {', '.join(map(str, self._latched))}" if self._latched else ""
        return Done(f"the kill switch of {place} is open: start the strategies when you are ready{others}")

    async def enforce(self) -> None:
        """Cancel our own again while a switch is latched, each through its own client: a cancel may be lost."""
        rest_s = ENFORCE_S
        while True:
            await asyncio.sleep(rest_s)
            rest_s = min(rest_s * 2, ENFORCE_MAX_S)
            idle = [place for place in self._latched if not self._lock(place).locked()]
            if not any([await self._hand.enforce(place) for place in idle]):
                rest_s = ENFORCE_S

    @contextmanager
    def watching(self, tasks: Guarded) -> Iterator[None]:
        """Watch the latch files on a thread of its own: it must work when the main loop does not."""
        loop = asyncio.get_running_loop()
        passed_on: set[KillPlace] = set()

        def look() -> None:
            with self._files:
                found = self._latches.states()
                passed_on.intersection_update(found.keys() - self._latched.keys())
                new = {place: state for place, state in found.items() if place not in self._latched}
            for place, state in new.items():
                if place not in passed_on:  # else the main loop takes it up as soon as it can
                    passed_on.add(place)
                    self._gate.kill(place, state.actor, state.reason, self._clock.now_ns())
                    self._hand.cancel(place, with_account=True)
                    kill = self.kill(place, state.actor, state.reason)
                    loop.call_soon_threadsafe(tasks.create_task, kill)

        with self._ground.look("kill-watch", look, WATCH_S):
            yield

    def _lock(self, place: KillPlace) -> asyncio.Lock:
        return self._running.setdefault(place, asyncio.Lock())

    def _block(self, place: KillPlace, actor: str, reason: str) -> bool:
        now_ns = self._clock.now_ns()
        self._gate.kill(place, actor, reason, now_ns)
        if place.is_account:
            self._gate.lift(KILL)  # a signal's, from before there was a switch
        if place in self._latched:
            return False
        self._latched[place] = LatchState(actor=actor, reason=reason, ts_ns=now_ns)
        self.board.latched(place, KillState(True, actor, reason, now_ns))
        log.critical("kill switch latched", place=str(place), actor=actor, reason=reason)
        return True

    def _tell_latched(self, place: KillPlace) -> None:
        state = self._latched[place]
        self._queue.put(
            KillLatched(
                ts_event_ns=state.ts_ns,
                ts_init_ns=state.ts_ns,
                actor=state.actor,
                reason=state.reason,
                scope=place.scope,
                target=place.target,
            )
        )

    async def _carry_out(self, place: KillPlace) -> Looked:
        # Its file and its command are one kill: a second one would cancel what a person placed after the first.
        under_way = self._carrying.get(place)
        if under_way is None or under_way.done():
            under_way = self._carrying[place] = asyncio.create_task(self._end_orders(place))
        return await asyncio.shield(under_way)

    async def _end_orders(self, place: KillPlace) -> Looked:
        async with self._lock(place):
            self.board.phase(place, "canceling", -1, "")
            asked = self._hand.cancel(place, with_account=True)
            reach("kill.canceled")
            ending = asyncio.create_task(self._stop_owners(place, asked))
            looked = await self._hand.until_clear(place)
            self._tell_checked(place, looked)
            reach("kill.checked")
            await asyncio.wait([ending], timeout=END_TIMEOUT_S)
            return looked

    async def _stop_owners(self, place: KillPlace, asked: dict[StrategyId, Future[None]]) -> None:
        await self._hand.take_over(place, asked)
        if place.is_account:
            await self._strategies.stop_all("cancel")
        elif place.scope is KillScope.STRATEGY:
            await self._strategies.stop(StrategyId(place.target), "cancel")

    def _tell_checked(self, place: KillPlace, looked: Looked) -> None:
        now_ns = self._clock.now_ns()
        self._queue.put(
            KillChecked(
                ts_event_ns=now_ns,
                ts_init_ns=now_ns,
                orders_left=looked.orders_left,
                text=looked.text,
                scope=place.scope,
                target=place.target,
            )
        )
        if looked.orders_left:
            self._page(f"NOT VERIFIED: orders may work though {place} is halted: {looked.text}")
        self._show(place, looked, is_last=True)

    def _show(self, place: KillPlace, looked: Looked, *, is_last: bool = False) -> None:
        phase = ("not verified" if looked.orders_left else "verified") if is_last else "canceling"
        self.board.phase(place, phase, looked.orders_left, looked.text)

    def _write_latch(self, place: KillPlace, actor: str, reason: str) -> str:
        try:
            self._latches.latch(place, actor, reason, ts_ns=self._clock.now_ns())
        except LedgerError as error:
            log.critical("the kill switch is not on disk", reason=str(error))
            return f". NOT on disk, a restart would trade again: {error}"
        return ""

    async def _unsettled(self, place: KillPlace) -> str:
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT_S):
                is_equal = await asyncio.wrap_future(self._settle())
        except TimeoutError:
            return "the books could not be compared with the account: is the gateway there?"
        if not is_equal:
            return "books and account differ: resolve the breaks before trading again"
        if owners := await self._hand.working(place):
            return f"orders of {', '.join(sorted(owners))} may still work: wait until they have ended"
        return ""
