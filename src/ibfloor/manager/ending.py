"""How a floor ends: strategies by their stop policies, one last look at the account, and the sum of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future

import structlog

from ibfloor.crash_points import reach
from ibfloor.data.manager import DataManager
from ibfloor.manager.floor_rows import FloorCounts
from ibfloor.manager.lag import percentile
from ibfloor.manager.marks import Marks
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.strategy_manager import StrategyManager
from ibfloor.manager.summary import FloorSummary, left_working, strategy_summaries
from ibfloor.model.command import Denied

LAST_SETTLE_TIMEOUT_S = 10.0

log = structlog.get_logger("floor")


class Ending:
    """Ends a floor. Owner: the main loop."""

    def __init__(
        self,
        strategies: StrategyManager,
        queue: MessageQueue,
        marks: Marks,
        data: DataManager,
        *,
        settle: Callable[[], Future[bool]],
    ) -> None:
        self._strategies = strategies
        self._queue = queue
        self._marks = marks
        self._data = data
        self._settle = settle

    async def wind_up(self) -> FloorSummary:
        """Stop the strategies, settle with the broker once more, and sum up."""
        self._strategies.close()
        before = {desk.name: desk.state for desk in self._strategies.desks_now()}
        meters = self._strategies.lag_meters()
        reach("end.begun")
        stopped = await self._strategies.stop_all()
        reach("end.stopped")
        desks = self._strategies.desks_now()
        is_equal = await self._are_books_equal()
        strategies = await asyncio.wrap_future(
            self._queue.ask(lambda state: strategy_summaries(state, desks, before, self._marks))
        )
        counts = await asyncio.wrap_future(self._queue.ask(FloorCounts))
        working = await asyncio.wrap_future(self._queue.ask(left_working))
        return FloorSummary(
            strategies=strategies,
            orders=counts.orders_total,
            fills=counts.fills,
            rejected=counts.rejected,
            breaks=counts.breaks,
            unknown_orders=counts.orders_unknown,
            ticks=self._data.stats.ticks,
            bars_stored=0,
            loop_lag_p99_ms=round(percentile([lag for meter in meters.values() for lag in meter.samples()], 0.99), 2),
            books_equal_account=is_equal,
            left_working=working,
            not_stopped=stopped.text if isinstance(stopped, Denied) else "",
        )

    async def stop_anyway(self) -> bool:
        """End the strategies by their stop policies though the floor has failed; tell whether that worked."""
        self._strategies.close()
        stopped = await self._strategies.stop_all()
        if isinstance(stopped, Denied):
            log.critical("not wound up", left=stopped.text)
        else:
            log.warning("the floor has failed; its strategies were stopped by their policies")
        return not isinstance(stopped, Denied)

    async def _are_books_equal(self) -> bool:
        try:
            async with asyncio.timeout(LAST_SETTLE_TIMEOUT_S):
                return await asyncio.wrap_future(self._settle())
        except TimeoutError:
            log.error("the books could not be compared with the account at the end")
            return False
