"""StrategyManager: starts, stops, pauses and restarts strategies, one worker each. Owner: the main loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future

import structlog

from ibfloor.config import check_strategy_name
from ibfloor.manager.desk import DeskNow, StrategySpec
from ibfloor.manager.errands import Errands, ask_cancel
from ibfloor.manager.guarded import Guarded
from ibfloor.manager.lag import LagMeter
from ibfloor.manager.mailroom import Mailroom
from ibfloor.manager.services import Services
from ibfloor.manager.supervision import RestartBudget, RestartPolicy
from ibfloor.manager.way_out import ALL, Part
from ibfloor.manager.worker import PAUSE, Finish, Worker
from ibfloor.model.command import CommandResult, Denied, Done
from ibfloor.model.errors import ConfigError, ConnectivityError, FloorError, StrategyError
from ibfloor.model.fact import ClientAssigned, SessionChanged, SessionState, StrategyChanged, StrategyState
from ibfloor.model.ids import ClientOrderId, StrategyId
from ibfloor.strategy.registry import MadeStrategy
from ibfloor.strategy.values import Connection

log = structlog.get_logger("manager")


class Desk:
    """One strategy's place on the floor: its spec, its worker while it has one, and its past."""

    def __init__(self, spec: StrategySpec, class_name: str, client_id: int, policy: RestartPolicy) -> None:
        self.spec = spec
        self.class_name = class_name
        self.client_id = client_id
        self.budget = RestartBudget(policy)
        self.state = StrategyState.STOPPED
        self.reason = ""
        self.restarts = 0
        self.worker: Worker | None = None
        self.supervision: asyncio.Task[None] | None = None
        self.must_stop = asyncio.Event()
        self.is_paused = False
        self.is_hung = False
        """A handler did not return: its connection was taken from it, and its thread is still out there."""
        self._symbols: tuple[str, ...] = ()

    @property
    def is_up(self) -> bool:
        """Tell whether a worker holds the strategy's client id."""
        return self.worker is not None and not self.is_hung

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return what the strategy watches, or has watched last."""
        if self.worker is not None and self.worker.symbols:
            self._symbols = self.worker.symbols
        return self._symbols


class StrategyManager:
    """The supervisor: trades nothing, holds no position, touches no database."""

    def __init__(
        self,
        services: Services,
        mailroom: Mailroom,
        tasks: Guarded,
        *,
        policy: RestartPolicy,
        first_client_id: int,
    ) -> None:
        self._services = services
        self._mailroom = mailroom
        self._tasks = tasks
        self._policy = policy
        self._first_client_id = first_client_id
        self._desks: dict[StrategyId, Desk] = {}
        self._being_added: set[StrategyId] = set()
        self._seating = asyncio.Lock()
        self._errands = Errands(services, mailroom)
        self._is_closing = False

    def desks_now(self) -> tuple[DeskNow, ...]:
        """Return what is known of every strategy at this moment, for the screen."""
        return tuple(
            DeskNow(
                name=name,
                class_name=desk.class_name,
                state=desk.state,
                reason=desk.reason or (desk.worker.complaint if desk.worker else ""),
                restarts=desk.restarts,
                client_id=desk.client_id,
                loop_lag_ms=desk.worker.lag.last_ms if desk.worker else 0.0,
                symbols=desk.symbols,
            )
            for name, desk in self._desks.items()
        )

    def lag_meters(self) -> dict[StrategyId, LagMeter]:
        """Return the meters of all workers that are up; any thread may read them."""
        return {name: desk.worker.lag for name, desk in self._desks.items() if desk.worker}

    async def add(self, spec: StrategySpec) -> None:
        """Give a strategy its desk and its fixed client id; raises ``ConfigError`` when its file is unfit."""
        check_strategy_name(spec.name)
        if spec.name in self._desks or spec.name in self._being_added:
            raise ConfigError(f"a strategy named {spec.name} is on the floor already: choose another name")
        self._being_added.add(spec.name)
        try:
            made = await self._services.ground.load(spec)
            async with self._seating:  # client ids are given one at a time
                await self._seat(spec, made)
        finally:
            self._being_added.discard(spec.name)

    async def _seat(self, spec: StrategySpec, made: MadeStrategy) -> None:
        known, following = await asyncio.wrap_future(
            self._services.queue.ask(
                lambda state: (state.record(spec.name).client_id, state.next_client_id(self._first_client_id))
            )
        )
        if known < 0:
            now_ns = self._services.clock.now_ns()
            self._services.queue.put(
                ClientAssigned(ts_event_ns=now_ns, ts_init_ns=now_ns, strategy=spec.name, client_id=following)
            )
        desk = Desk(spec, made.loaded.class_name, known if known >= 0 else following, self._policy)
        self._desks[spec.name] = desk
        self._announce(desk, StrategyState.STOPPED)

    def start(self, name: StrategyId) -> CommandResult:
        """Start a strategy; returns at once, its state follows as facts."""
        desk = self._desks.get(name)
        if desk is None:
            return self._unknown(name)
        if desk.supervision is not None:
            return Denied(f"{name} is {desk.state.lower()} already")
        if self._is_closing:
            return Denied("the floor is shutting down")
        if (holder := self._holder_of(name)) is not None:
            return Denied(f"{holder} has orders of {name}, and its client id for them: stop it, or cancel them, first")
        desk.must_stop.clear()
        desk.budget = RestartBudget(self._policy)
        desk.restarts = 0
        desk.supervision = self._tasks.create_task(self._supervise(desk), name=f"supervise-{name}")
        return Done(f"{name} is starting")

    async def stop(self, name: StrategyId, finish: Finish | None = None) -> CommandResult:
        """Stop a strategy by its stop policy, or another one, and wait until it has ended."""
        desk = self._desks.get(name)
        if desk is None:
            return self._unknown(name)
        if desk.supervision is None:
            return Denied(f"{name} is not running")
        finish = finish or desk.spec.stop_policy
        if desk.is_hung:
            return await self._take_over(desk, finish)
        desk.must_stop.set()
        self._announce(desk, StrategyState.STOPPING)
        worker = desk.worker
        if worker is not None:
            worker.stop(finish)
        _, late = await asyncio.wait([desk.supervision], timeout=self._services.stop.total_s(finish))
        if late:
            return await self._take_over(desk, finish)
        if desk.state is StrategyState.FAILED:
            return Denied(f"{name} has failed while it stopped: {desk.reason}")
        if worker is not None and worker.leftover:
            return Denied(f"{name} has stopped, but {worker.leftover}")
        return Done(f"{name} has stopped")

    def pause(self, name: StrategyId) -> CommandResult:
        """Refuse a strategy's new orders; data, handlers and cancels go on."""
        desk = self._desks.get(name)
        if desk is None:
            return self._unknown(name)
        if desk.state is not StrategyState.RUNNING:
            return Denied(f"{name} is {desk.state.lower()}: only a running strategy can be paused")
        desk.is_paused = True
        self._services.gate.hold(PAUSE, "paused", name)
        self._announce(desk, StrategyState.PAUSED)
        return Done(f"{name} is paused: its orders stay, new ones are refused")

    def resume(self, name: StrategyId) -> CommandResult:
        """Let a paused strategy trade again."""
        desk = self._desks.get(name)
        if desk is None:
            return self._unknown(name)
        if not desk.is_paused:
            return Denied(f"{name} is not paused")
        self._unpause(desk)
        self._announce(desk, StrategyState.RUNNING)
        return Done(f"{name} trades again")

    def start_all(self, forbids: Callable[[StrategyId], bool] = lambda _: False) -> CommandResult:
        """Start every strategy that is stopped or failed, and not forbidden to."""
        started = [name for name, desk in self._desks.items() if desk.supervision is None and not forbids(name)]
        for name in started:
            self.start(name)
        return Done(f"{len(started)} strategies are starting")

    async def stop_all(self, finish: Finish | None = None) -> CommandResult:
        """Stop every strategy, at the same time."""
        running = [name for name, desk in self._desks.items() if desk.supervision is not None]
        results = await asyncio.gather(*(self.stop(name, finish) for name in running))
        late = [result.text for result in results if isinstance(result, Denied)]
        return Denied("; ".join(late)) if late else Done(f"{len(running)} strategies have stopped")

    async def cancel(self, name: StrategyId, cl_ord_id: ClientOrderId) -> CommandResult:
        """Cancel one order through the client that placed it."""
        desk = self._desks.get(name)
        if desk is None or desk.worker is None or desk.is_hung:
            return await self._errands.cancel(name, cl_ord_id)
        refusal = await ask_cancel(desk.worker, cl_ord_id)
        return Done(f"cancel of {cl_ord_id} is on its way") if refusal is None else Denied(str(refusal))

    def cancel_all(self, part: Part = ALL, name: StrategyId | None = None) -> dict[StrategyId, Future[None]]:
        """Have every worker, or one, cancel its own orders; each is done when its thread has asked for it."""
        return {
            each: worker.cancel_all(part)
            for each, desk in list(self._desks.items())  # also called from the latches' watch
            if (worker := desk.worker) is not None and name in (None, each)
        }

    async def clear_up(
        self, names: set[StrategyId], finish: Finish, part: Part = ALL, *, hung: frozenset[StrategyId] = frozenset()
    ) -> str:
        """Cancel or flatten what strategies that are not up, or that hang, have left behind; return what is left.

        A part is closed for strategies that are up too: they go on with the rest.
        """
        for desk in self._desks.values():
            if desk.spec.name in hung and desk.is_up:
                self._sever(desk)
        up = {name: worker for name in names if (worker := self._worker_up(name)) is not None}
        idle = [name for name in names if name not in up and self._holder_of(name) is None]
        left = [self._errands.run(name, finish, part) for name in idle]
        if finish == "flatten" and part.covers_some:
            left += [self._close_running(name, worker, part) for name, worker in up.items()]
        return "; ".join(filter(None, await asyncio.gather(*left)))

    def close(self) -> None:
        """Start nothing any more: the floor ends."""
        self._is_closing = True

    def abandon(self) -> None:
        """Wait for no strategy any more: the floor ends, and one that hangs must not keep it."""
        for desk in self._desks.values():
            if desk.supervision is not None:
                desk.supervision.cancel()

    def take_session(self, fact: SessionChanged) -> None:
        """Tell a strategy that its own connection came or went."""
        desk = self._desks.get(StrategyId(fact.session))
        if desk is not None and desk.worker is not None:
            up = fact.state is SessionState.CONNECTED
            desk.worker.take_connection(Connection(can_trade=up, detail=fact.detail))

    async def _supervise(self, desk: Desk) -> None:
        try:
            while await self._live_once(desk):
                pass
        finally:
            desk.worker = None
            desk.supervision = None
            desk.is_hung = False
            self._unpause(desk)

    async def _take_over(self, desk: Desk, finish: Finish) -> Denied:
        name = desk.spec.name
        self._sever(desk)
        left = await self._errands.run(name, finish)
        what = f"NOT ended: {left}" if left else "its orders were kept" if finish == "keep" else "its orders were ended"
        return Denied(f"{name} has not stopped, a handler does not return; {what}")

    def _sever(self, desk: Desk) -> None:
        if desk.worker is not None:
            desk.worker.sever()  # the gateway lets one connection have the client id
        desk.is_hung = True
        log.critical("a handler does not return: its orders are ended over its head", strategy=desk.spec.name)
        self._announce(desk, StrategyState.FAILED, "a handler does not return")

    def _worker_up(self, name: StrategyId) -> Worker | None:
        desk = self._desks.get(name)
        return desk.worker if desk is not None and desk.is_up else None

    async def _close_running(self, name: StrategyId, worker: Worker, part: Part) -> str:
        try:
            async with asyncio.timeout(self._services.stop.total_s("flatten")):
                return await asyncio.wrap_future(worker.close_out(part))
        except TimeoutError:
            return f"{name} does not answer: a handler does not return"

    async def _live_once(self, desk: Desk) -> bool:
        self._announce(desk, StrategyState.STARTING)
        if desk.is_paused:  # a flatten on failure may have lifted it
            self._services.gate.hold(PAUSE, "paused", desk.spec.name)
        desk.worker = self._worker(desk, runs=True)
        await self._errands.finished(desk.spec.name)
        if desk.must_stop.is_set():
            desk.worker.stop(desk.spec.stop_policy)
        try:
            await asyncio.wrap_future(desk.worker.start())
        except FloorError as error:
            # A strategy that waits for its connection comes up again by itself, unless it is to stop.
            if not desk.worker.is_wound_down and (isinstance(error, StrategyError) or desk.must_stop.is_set()):
                await self._errands.run(desk.spec.name, desk.spec.stop_policy)
            return await self._after_failure(desk, error)
        self._announce(desk, StrategyState.STOPPED)
        return False

    async def _after_failure(self, desk: Desk, error: FloorError) -> bool:
        log.error("strategy failed", strategy=desk.spec.name, reason=str(error))
        is_lost = isinstance(error, ConnectivityError)
        delay_s = self._policy.backoff_s if is_lost else desk.budget.next_delay_s(asyncio.get_running_loop().time())
        if desk.must_stop.is_set() or isinstance(error, ConfigError) or delay_s is None:
            self._announce(desk, StrategyState.FAILED, str(error))
            return False
        desk.restarts += not is_lost
        self._announce(desk, StrategyState.RESTARTING, str(error))
        try:
            async with asyncio.timeout(delay_s):
                await desk.must_stop.wait()
        except TimeoutError:
            return True
        self._announce(desk, StrategyState.STOPPED)
        return False

    def _holder_of(self, name: StrategyId) -> StrategyId | None:
        # Whose orders were handed over has no client id of its own until they are done.
        holders = (each for each, desk in self._desks.items() if desk.worker and desk.worker.lent.has(name))
        return next(holders, None)

    def _unpause(self, desk: Desk) -> None:
        desk.is_paused = False
        self._services.gate.lift(PAUSE, desk.spec.name)

    def _worker(self, desk: Desk, *, runs: bool) -> Worker:
        return Worker(
            desk.spec,
            self._services,
            self._mailroom,
            client_id=desk.client_id,
            restarts=desk.restarts,
            runs=runs,
            on_running=lambda: self._running(desk),
        )

    def _running(self, desk: Desk) -> None:
        if not desk.must_stop.is_set():
            self._announce(desk, StrategyState.PAUSED if desk.is_paused else StrategyState.RUNNING)

    def _announce(self, desk: Desk, state: StrategyState, reason: str = "") -> None:
        desk.state, desk.reason = state, reason
        now_ns = self._services.clock.now_ns()
        self._services.queue.put(
            StrategyChanged(
                ts_event_ns=now_ns,
                ts_init_ns=now_ns,
                strategy=desk.spec.name,
                state=state,
                reason=reason,
                restarts=desk.restarts,
            )
        )

    def _unknown(self, name: StrategyId) -> Denied:
        return Denied(f"there is no strategy {name}; on the floor are: {', '.join(sorted(self._desks)) or 'none'}")
