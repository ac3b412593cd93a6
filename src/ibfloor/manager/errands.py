"""Errands: a worker without a strategy comes up under a strategy's client id, ends what is left, and goes.

Only the client that placed an order can cancel it. So when a strategy is stopped, failed or no longer
in floor.toml, its orders and positions are ended by coming back as its client. Owner: the main loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import structlog

from ibfloor.manager.desk import StrategySpec
from ibfloor.manager.mailroom import Mailroom
from ibfloor.manager.services import Services
from ibfloor.manager.way_out import ALL, Part
from ibfloor.manager.worker import Finish, Worker
from ibfloor.model.command import CommandResult, Denied, Done
from ibfloor.model.errors import FloorError
from ibfloor.model.ids import ClientOrderId, StrategyId
from ibfloor.model.order import Refusal

log = structlog.get_logger("manager")

ERRAND_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 5.0


async def ask_cancel(worker: Worker, cl_ord_id: ClientOrderId) -> Refusal | None:
    """Have a worker cancel one order; return why it did not, ``None`` when the cancel is on its way."""
    answer: Future[Refusal | None] = Future()
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await asyncio.shield(asyncio.wrap_future(worker.adopted))  # it may just be starting
            worker.cancel(cl_ord_id, answer)
            return await asyncio.wrap_future(answer)
    except TimeoutError:
        return Refusal(rule="strategy", text="it does not answer: a handler does not return")


class Errands:
    """Acts for strategies that are not up."""

    def __init__(self, services: Services, mailroom: Mailroom) -> None:
        self._services = services
        self._mailroom = mailroom
        self._locks: dict[StrategyId, asyncio.Lock] = {}

    async def run(self, name: StrategyId, finish: Finish, part: Part = ALL) -> str:
        """Carry out a stop policy for a strategy that is not up; return what could not be ended, empty for nothing."""
        async with self._one_at_a_time(name):
            worker = await self._worker(name, on_running=lambda: None, part=part)
            if worker is None or finish == "keep":
                return ""
            ended = worker.start()
            worker.stop(finish)
            try:
                await asyncio.wrap_future(ended)
            except FloorError as error:
                log.error("could not clear up", strategy=name, reason=str(error))
                return str(error)
            return worker.leftover

    async def cancel(self, name: StrategyId, cl_ord_id: ClientOrderId) -> CommandResult:
        """Cancel one order of a strategy that is not up; its others stay."""
        async with self._one_at_a_time(name):
            return await self._cancel(name, cl_ord_id)

    async def finished(self, name: StrategyId) -> None:
        """Wait until no errand has a strategy's client id."""
        async with self._one_at_a_time(name):
            return

    def _one_at_a_time(self, name: StrategyId) -> asyncio.Lock:
        # Two errands of one strategy would want the same client id, and the same journal.
        return self._locks.setdefault(name, asyncio.Lock())

    async def _cancel(self, name: StrategyId, cl_ord_id: ClientOrderId) -> CommandResult:
        up = asyncio.Event()
        worker = await self._worker(name, on_running=up.set)
        if worker is None:
            return Denied(f"{name} never had a client id: {cl_ord_id} is not its order")
        ended = asyncio.wrap_future(worker.start())
        waiting = asyncio.create_task(up.wait())
        either: list[asyncio.Future[Any]] = [ended, waiting]
        await asyncio.wait(either, timeout=ERRAND_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        refusal = await ask_cancel(worker, cl_ord_id) if up.is_set() else None
        worker.stop("keep")
        await asyncio.wait([ended], timeout=ERRAND_TIMEOUT_S)
        if not up.is_set():
            return Denied(f"the client of {name} could not connect, and no other can cancel {cl_ord_id}")
        return Done(f"cancel of {cl_ord_id} is on its way") if refusal is None else Denied(str(refusal))

    async def _worker(self, name: StrategyId, on_running: Callable[[], None], part: Part = ALL) -> Worker | None:
        client_id = await asyncio.wrap_future(self._services.queue.ask(lambda state: state.record(name).client_id))
        if client_id < 0:
            return None
        spec = StrategySpec(name=name, file=Path(), class_name="", params={}, stop_policy="keep")
        return Worker(
            spec,
            self._services,
            self._mailroom,
            client_id=client_id,
            restarts=0,
            runs=False,
            on_running=on_running,
            part=part,
        )
