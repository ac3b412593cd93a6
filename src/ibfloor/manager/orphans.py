"""What a floor finds when it begins: working orders and positions whose strategy does not come up with it."""

from __future__ import annotations

import asyncio

import structlog

from ibfloor.config import FloorSettings
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.strategy_manager import StrategyManager
from ibfloor.model.ids import UNASSIGNED, StrategyId

log = structlog.get_logger("floor")

KEEP, CANCEL = "keep", "cancel"


class Orphans:
    """Looks after the working orders of strategies that do not come up with the floor. Owner: the main loop."""

    def __init__(self, settings: FloorSettings, strategies: StrategyManager, queue: MessageQueue) -> None:
        self._settings = settings
        self._strategies = strategies
        self._queue = queue

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
