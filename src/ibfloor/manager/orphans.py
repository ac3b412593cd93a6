"""What a floor finds when it begins: working orders and positions whose strategy does not come up with it."""

from __future__ import annotations

import asyncio

import structlog

from ibfloor.config import FloorSettings, OrphanPolicy
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.strategy_manager import StrategyManager
from ibfloor.model.fact import OrderHanded
from ibfloor.model.ids import UNASSIGNED, ClientOrderId, StrategyId, owner_of
from ibfloor.model.moment import Clock

log = structlog.get_logger("floor")

KEEP, CANCEL = "keep", "cancel"


class Orphans:
    """Looks after the working orders of strategies that do not come up with the floor. Owner: the main loop."""

    def __init__(self, settings: FloorSettings, strategies: StrategyManager, queue: MessageQueue, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._strategies = strategies
        self._queue = queue

    async def hand_over(self) -> None:
        """Give orders of strategies that are gone to the one that takes them, and back to those that are here again.

        Before any of them starts: who has the orders needs the client id that placed them.
        """
        for cl_ord_id, to, reason in await asyncio.wrap_future(self._queue.ask(self._to_hand)):
            log.warning("an order is handed over", order=cl_ord_id, to=to, reason=reason)
            now_ns = self._clock.now_ns()
            self._queue.put(
                OrderHanded(ts_event_ns=now_ns, ts_init_ns=now_ns, cl_ord_id=cl_ord_id, strategy=to, reason=reason)
            )

    def _to_hand(self, state: FloorState) -> list[tuple[ClientOrderId, StrategyId, str]]:
        known = {UNASSIGNED, *(section.name for section in self._settings.strategies)}
        orphans, handed = self._settings.orphans, []
        for order in state.orders.working():
            placed_by = owner_of(order.cl_ord_id)
            if placed_by in known and order.request.strategy != placed_by:
                handed.append((order.cl_ord_id, placed_by, "its strategy is back"))
            elif orphans.policy is OrphanPolicy.HAND and order.request.strategy not in known:
                handed.append((order.cl_ord_id, orphans.to, "its strategy is gone"))
        return handed

    async def look_after(self) -> None:
        """Keep or cancel them: as ``[orphans]`` says, or as the stop policy of one that is not started says."""
        policies = await asyncio.wrap_future(self._queue.ask(self._policies))
        for name, policy in policies.items():
            log.warning("orders work whose strategy does not start", strategy=name, policy=policy)
        await self._strategies.clear_up({name for name, policy in policies.items() if policy == CANCEL}, CANCEL)

    def _policies(self, state: FloorState) -> dict[StrategyId, str]:
        sections = {section.name: section for section in self._settings.strategies}
        for name in state.books.strategies():
            if name not in sections and name != UNASSIGNED and state.books.book(name).open_positions:
                log.warning("a book has positions, but its strategy is not in floor.toml", strategy=name)
        policies = {}
        for order in state.orders.working():
            name = order.request.strategy
            section = sections.get(name)
            if name == UNASSIGNED or (section is not None and section.autostart):
                continue
            policy = self._settings.orphans.policy if section is None else section.stop_policy
            policies[name] = KEEP if policy == KEEP else CANCEL
        return policies
