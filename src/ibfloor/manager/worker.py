"""Worker: one strategy's thread, loop, IB client, journal and TradeManager.

A worker lives from one start of its strategy to its end. Whatever the strategy raises ends this
worker alone; the StrategyManager decides what follows. A worker without a strategy only carries out
a stop policy: it cancels or flattens what a stopped strategy left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import structlog

from ibfloor.broker.port import OrderSession
from ibfloor.crash_points import reach
from ibfloor.data.subscriber import Delivery, Subscriber
from ibfloor.execution.trade_manager import TradeManager
from ibfloor.ledger.journal import JournalWriter
from ibfloor.mailbox import Mailbox
from ibfloor.manager.answers import respond
from ibfloor.manager.arrivals import Arrivals
from ibfloor.manager.bracket_look import BracketLook
from ibfloor.manager.desk import StrategySpec
from ibfloor.manager.handler_pump import HandlerPump
from ibfloor.manager.lag import LagMeter
from ibfloor.manager.lent import LentSessions
from ibfloor.manager.loading import load
from ibfloor.manager.mailroom import Mailroom
from ibfloor.manager.notice import Homecoming, Notice
from ibfloor.manager.runner import StrategyRunner
from ibfloor.manager.services import Services
from ibfloor.manager.way_out import ALL, Part, WayOut
from ibfloor.manager.worker_context import WorkerContext
from ibfloor.model.errors import ConfigError, ConnectivityError, FloorError, LedgerError, StrategyError
from ibfloor.model.fact import FillsTold, InstrumentDefined, OrderForked
from ibfloor.model.ids import ClientOrderId
from ibfloor.model.instrument import Contract
from ibfloor.model.order import Refusal
from ibfloor.strategy.values import Connection, Offer, Wanted

BRACKET_GRACE_S = 1.0
"""How long the fill that explains a bracket's gone exit may take to come."""
PAUSE = "pause"
"""The name of the gate's hold on a paused strategy."""

Finish = str
"""A stop policy: ``keep``, ``cancel`` or ``flatten``."""


class Worker:
    """One life of one strategy. Built and told from the main loop; everything else on its own thread."""

    def __init__(
        self,
        spec: StrategySpec,
        services: Services,
        mailroom: Mailroom,
        *,
        client_id: int,
        restarts: int,
        runs: bool,
        on_running: Callable[[], None],
        part: Part = ALL,
    ) -> None:
        self.lag = LagMeter()
        self.symbols: tuple[str, ...] = ()
        """What the strategy watches, for the screen; swapped as a whole."""
        self.leftover = ""
        """What the stop policy could not end: orders that work, positions that are open."""
        self.is_wound_down = False
        self.complaint = ""
        """What a person should know of a strategy that runs: a subscription that was refused."""
        self._spec = spec
        self._services = services
        self._mailroom = mailroom
        self._client_id = client_id
        self._restarts = restarts
        self._runs = runs
        self._on_running = on_running
        self._main_loop = asyncio.get_running_loop()
        self._log = structlog.get_logger(spec.name)
        self._notices: Mailbox[Notice | Offer] = Mailbox(self._take_notice)
        self._market: Mailbox[Delivery] = Mailbox(self._take_market)
        self.lent = LentSessions(services.order_session, services.gate.recheck, client_id)
        self.adopted: Future[None] = Future()
        """Done when it has its orders, and can cancel them, or when it has ended without them."""
        self._ended: Future[None] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: OrderSession | None = None
        self._is_severed = False
        self._stop: asyncio.Future[Finish] | None = None
        self._early_stop: Finish | None = None
        self._trade: TradeManager | None = None
        self._context: WorkerContext | None = None
        self._runner: StrategyRunner | None = None
        self._part = part
        self._way_out: WayOut | None = None
        self._journal: JournalWriter | None = None

    def start(self) -> Future[None]:
        """Start the thread; the future ends with the worker, with what the strategy raised if it did."""
        self._ended.set_running_or_notify_cancel()  # who stops waiting does not end the worker
        self._services.ground.run(f"strategy-{self._spec.name}", self._run)
        return self._ended

    def stop(self, finish: Finish) -> None:
        """End by a stop policy; from any thread, also before the strategy has started."""
        self._early_stop = finish
        self._on_loop(lambda: self._ask_stop(finish))

    def cancel(self, cl_ord_id: ClientOrderId, answer: Future[Refusal | None]) -> None:
        """Cancel one own order for an operator; from any thread."""
        if not self._on_loop(lambda: respond(answer, lambda: self._cancel(cl_ord_id))):
            respond(answer, lambda: Refusal(rule="strategy", text=f"{self._spec.name} is not up"))

    def cancel_all(self, part: Part = ALL, reason: str = "operator") -> Future[None]:
        """Cancel own orders for an operator; from any thread. Done when they were asked for: a handler returned."""
        asked: Future[None] = Future()
        if not self._on_loop(lambda: respond(asked, lambda: self._cancel_part(part, reason))):
            respond(asked, lambda: None)
        return asked

    def close_out(self, part: Part) -> Future[str]:
        """Cancel and close a part of what a running strategy has; answers what is left. From any thread."""
        left: Future[str] = Future()

        async def close() -> None:
            if self._way_out is not None:
                await self._way_out.cancel_until_done(part, "kill")
                await self._way_out.flatten(part)
            respond(left, lambda: "" if self._way_out is None else self._way_out.left(part))

        if self._loop is None:
            respond(left, lambda: "")
        else:
            asyncio.run_coroutine_threadsafe(close(), self._loop)
        return left

    def sever(self) -> None:
        """Take the strategy's orders out of a worker that hangs, from any thread: it can send nothing any more."""
        self._is_severed = True
        self._services.crossing.leave(self._spec.name)
        if self._session is not None:
            self._session.sever()
            self.lent.sever()

    async def _run(self) -> None:
        try:
            await self._live()
        except FloorError as error:
            self._ended.set_exception(error)
        except BaseException as error:  # noqa: BLE001 - the one place where a worker's end is judged
            self._ended.set_exception(_strategy_error(error))
        else:
            self._ended.set_result(None)
        finally:
            if not self.adopted.done():
                self.adopted.set_result(None)

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = self._loop.create_future()
        if self._early_stop is not None:
            self._ask_stop(self._early_stop)
        name, services = self._spec.name, self._services
        session = services.order_session(name, self._client_id)
        session.recheck = services.gate.recheck
        self._session = session
        with services.journal(name) as journal:
            try:
                await session.open()
            except ConfigError as error:  # the gateway may still hold our id from before: worth another try
                raise ConnectivityError(str(error)) from error
            try:
                self._notices.open()
                home = await asyncio.wrap_future(self._mailroom.enroll(name, self._client_id, self._notices))
                reach("worker.enrolled")
                session.raise_order_id_floor(home.order_id_high_water)
                self._journal = journal
                self._trade = TradeManager(
                    name,
                    client_id=self._client_id,
                    last_intent=home.last_intent,
                    gate=services.gate,
                    journal=journal,
                    door=session,
                    sink=services.queue.put,
                    clock=services.clock,
                    instruments=services.data.by_id,
                    arrival=Arrivals(services.data),
                    later=self._later,
                    look=BracketLook(services, self._when_told),
                    alarm=self._alarm,
                    page=lambda text: services.account.page(f"{name}: {text}"),
                )
                await self.lent.open(home.working)
                self._trade.lent = self.lent.by_client
                for order in home.working:
                    self._trade.adopt(order)
                if self._runs:
                    self._trade.remember(home.brackets)
                else:  # a stop policy alone decides what becomes of what is left
                    self._trade.leave_brackets()
                self.adopted.set_result(None)
                reach("worker.adopted")
                await self._trade_until_told(self._trade, home, session)
            finally:
                services.crossing.leave(name)
                self._mailroom.leave(name, self._notices)
                self._notices.close()
                await self.lent.close()
                await session.close()

    async def _trade_until_told(self, trade: TradeManager, home: Homecoming, session: OrderSession) -> None:
        subscriber = Subscriber(self._spec.name, self._market, self._refused_subscription)
        self._context = context = WorkerContext(
            self._spec.name,
            self._services,
            trade,
            subscriber,
            self._log,
            restarts=self._restarts,
            on_want=self._want,
            on_timer=lambda name, table: self._runner.set_timer(name, table) if self._runner else None,
            on_define=self._note,
            on_offer=self._notices.put,
        )
        context.book = home.book
        self._way_out = WayOut(
            services=self._services, trade=trade, context=context, is_severed=lambda: self._is_severed
        )
        finish, failure = self._spec.stop_policy, None
        if self._runs:
            self._fills_told(home.told)  # a journal of its own begins: the older ones may go
            finish, failure = await self._run_strategy(context, subscriber, session, home)
        elif self._stop is not None:
            self._main_loop.call_soon_threadsafe(self._on_running)
            finish = await self._stop
        await self._wind_down(trade, self._way_out, finish)
        self.is_wound_down = True
        if failure is not None:
            raise failure

    async def _run_strategy(
        self, context: WorkerContext, subscriber: Subscriber, session: OrderSession, home: Homecoming
    ) -> tuple[Finish, BaseException | None]:
        spec = self._spec
        made = load(spec)
        made.strategy.bind(context)
        async with asyncio.TaskGroup() as tasks:
            pump = HandlerPump(tasks)
            self._runner = runner = StrategyRunner(
                made, context, pump, can_trade=session.can_send, on_told=self._fills_told
            )
            lag = tasks.create_task(self.lag.run())
            self._market.open()
            runner.start(home.missed)
            self._main_loop.call_soon_threadsafe(self._on_running)
            assert self._stop is not None
            ends: list[asyncio.Future[Any]] = [self._stop, pump.failure]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            failure = pump.failure.result() if pump.failure.done() else None
            if failure is None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._services.stop.handler_s):
                        await runner.stop()
                failure = pump.failure.result() if pump.failure.done() else None
            self._runner = None
            self._services.data.unsubscribe_all(subscriber)
            self._market.close()
            pump.abandon()
            lag.cancel()
        finish = self._stop.result() if self._stop.done() else spec.stop_policy
        return finish, None if failure is None else _strategy_error(failure)

    async def _wind_down(self, trade: TradeManager, way_out: WayOut, finish: Finish) -> None:
        trade.leave_brackets()
        await asyncio.wrap_future(self._services.crossing.leave(self._spec.name))
        if finish == "keep" or self._is_severed:
            return
        await way_out.cancel_until_done(self._part, f"stop policy {finish}")
        if finish == "flatten":
            self._services.gate.lift(PAUSE, self._spec.name)  # or the way out would be refused
            with self._services.gate.way_out(self._spec.name):
                await way_out.flatten(self._part)
        self.leftover = way_out.left(self._part, with_positions=finish == "flatten")
        if self.leftover:
            self._log.error("not wound down", left=self.leftover)

    def _take_notice(self, notice: Notice | Offer) -> None:
        if isinstance(notice, Offer):
            if self._runner is not None:
                self._runner.take_offer(notice)
            return
        if self._trade is not None and notice.order is not None:
            self._trade.update(notice.order)
            if isinstance(notice.fact, OrderForked):
                refusal = self._trade.cancel_fork(notice.order)
                self._log.error("order forked", perm_ids=notice.fact.perm_ids, cancel=str(refusal or "is on its way"))
        if self._context is not None:
            self._context.book = notice.book
        if self._runner is not None:
            self._runner.take_notice(notice)
        if self._way_out is not None:
            self._way_out.changed()

    def _fills_told(self, number: int) -> None:
        now_ns = self._services.clock.now_ns()
        self._note(FillsTold(ts_event_ns=now_ns, ts_init_ns=now_ns, strategy=self._spec.name, number=number))

    def _note(self, fact: FillsTold | InstrumentDefined) -> None:
        # In the own journal too: the floor may be killed before the queue has written it.
        if self._journal is not None:
            try:
                self._journal.append(fact)
            except LedgerError as error:  # at worst a fill is told again; an order would be refused for the same
                self._log.warning("not on disk", fact=type(fact).__name__, reason=str(error))
        self._services.queue.put(fact)

    def _want(self, wanted: Wanted) -> None:
        self.symbols = tuple(dict.fromkeys((*self.symbols, str(wanted.contract))))
        if self._runner is not None:
            self._runner.want(wanted)

    def _take_market(self, delivery: Delivery) -> None:
        if self._runner is not None:
            self._runner.take_market(delivery)

    def _refused_subscription(self, contract: Contract, text: str) -> None:
        self.complaint = f"no market data of {contract}: {text}"
        self._log.error("subscription refused", contract=str(contract), reason=text)

    def take_connection(self, connection: Connection) -> None:
        """Tell the strategy that orders can or cannot go out; from any thread."""
        self._on_loop(lambda: self._runner.take_connection(connection) if self._runner else None)

    def _cancel(self, cl_ord_id: ClientOrderId) -> Refusal | None:
        if self._trade is None:
            return Refusal(rule="strategy", text=f"{self._spec.name} is still starting")
        return self._trade.cancel(cl_ord_id, "operator")

    def _cancel_part(self, part: Part, reason: str) -> None:
        if self._way_out is not None:
            self._way_out.cancel(part, reason)
        elif self._trade is not None:
            self._trade.cancel_all(reason)

    def _ask_stop(self, finish: Finish) -> None:
        if self._stop is not None and not self._stop.done():
            self._stop.set_result(finish)

    def _later(self, act: Callable[[], None]) -> None:
        assert self._loop is not None
        self._loop.call_later(BRACKET_GRACE_S, act)

    def _alarm(self, text: str) -> None:
        self.complaint = text
        self._log.error("bracket", text=text)

    def _when_told(self, act: Callable[[], object]) -> bool:
        def after_notices() -> None:
            self._notices.deliver_now()
            act()

        return self._on_loop(after_notices)

    def _on_loop(self, act: Callable[[], object]) -> bool:
        if self._loop is None:
            return False
        try:
            self._loop.call_soon_threadsafe(act)
        except RuntimeError:  # the loop has just closed: the worker is gone
            return False
        return True


def _strategy_error(failure: BaseException) -> BaseException:
    if isinstance(failure, ConfigError):
        return failure
    frames = traceback.extract_tb(failure.__traceback__)
    where = f" ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})" if frames else ""
    error = StrategyError(f"{type(failure).__name__}: {failure}{where}")
    error.__cause__ = failure
    return error
