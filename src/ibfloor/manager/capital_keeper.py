"""Capital per strategy: follows net liquidation within the bands, takes new rules while the floor runs.

Owner: the main loop; what looks at books runs on the queue's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal

import structlog

from ibfloor.config import FloorSettings
from ibfloor.manager.capital_board import CapitalBoard
from ibfloor.manager.floor_state import Applied, FloorState
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.model.capital import CapitalAllocated, CapitalRule, CapitalRuled, problem_of, weights_problem
from ibfloor.model.command import CommandResult, Denied, Done, SetCapital
from ibfloor.model.ids import StrategyId
from ibfloor.model.moment import Clock
from ibfloor.model.money import Currency
from ibfloor.portfolio.capital import allotment

LOOK_S = 1.0

log = structlog.get_logger("capital")


class CapitalKeeper:
    """Says who gets how much, and lets the journal say it too."""

    def __init__(
        self,
        settings: FloorSettings,
        queue: MessageQueue,
        board: CapitalBoard,
        clock: Clock,
        net_liquidation: Callable[[], Decimal | None],
        base: Callable[[], Currency],
    ) -> None:
        sections = settings.strategies
        self._configured = {each.name: each.capital.rule for each in sections if each.capital is not None}
        self._queue = queue
        self._board = board
        self._clock = clock
        self._net_liquidation = net_liquidation
        self._base = base
        self._may_have_rules = True
        """Cleared by a look that found none: a floor without capital rules asks its queue for nothing."""

    def observe(self, applied: Applied) -> None:
        """Put new amounts on the board; on the queue's thread."""
        if isinstance(fact := applied.fact, CapitalAllocated):
            self._board.put(fact.strategy, fact.amount)
        elif isinstance(fact, CapitalRuled):
            self._may_have_rules = True

    async def keep(self) -> None:
        """Allocate whenever it is due, until cancelled."""
        while True:
            if self._may_have_rules:
                await self._allocate()
            await asyncio.sleep(LOOK_S)

    async def set_rule(self, command: SetCapital) -> CommandResult:
        """Give a strategy another rule; it counts at once and stays until floor.toml's own rule changes."""
        name, rule = command.strategy, command.rule
        rules = await asyncio.wrap_future(self._queue.ask(self._rules))
        known = await asyncio.wrap_future(self._queue.ask(lambda state: set(state.strategies) | set(self._configured)))
        if name not in known:
            return Denied(f"there is no strategy {name}: it must be on the floor first")
        problem = problem_of(rule) or weights_problem({**rules, name: rule})
        if problem:
            return Denied(f"{name} keeps its capital: {problem}")
        now_ns = self._clock.now_ns()
        self._queue.put(
            CapitalRuled(
                ts_event_ns=now_ns,
                ts_init_ns=now_ns,
                strategy=name,
                rule=rule,
                configured=self._configured.get(name),
                actor=command.actor,
            )
        )
        await self._allocate(fresh=name)
        amount = await asyncio.wrap_future(self._queue.ask(lambda state: state.capital.get(name)))
        text = "waits for the account's value" if amount is None else f"is {amount.amount:,.2f} {amount.currency}"
        return Done(f"the capital of {name} {text}")

    async def _allocate(self, fresh: StrategyId | None = None) -> None:
        for fact in await asyncio.wrap_future(self._queue.ask(lambda state: self._due(state, fresh))):
            log.info("capital allocated", strategy=fact.strategy, amount=str(fact.amount), reason=fact.reason)
            self._queue.put(fact)

    def _rules(self, state: FloorState) -> Mapping[StrategyId, CapitalRule]:
        rules = dict(self._configured)
        for name, ruled in state.capital_rules.items():
            if ruled.counts(self._configured.get(name)):
                rules[name] = ruled.rule
        return rules

    def _due(self, state: FloorState, fresh: StrategyId | None) -> list[CapitalAllocated]:
        worth, now_ns, base = self._net_liquidation(), self._clock.now_ns(), self._base()
        facts = []
        rules = self._rules(state)
        self._may_have_rules = bool(rules)
        for name, rule in rules.items():
            known = state.capital.get(name)
            allocated = None if known is None or known.currency != base or name == fresh else known.amount
            found = allotment(rule, allocated, worth, state.daily.volatility_pct(name))
            if found is not None:
                facts.append(
                    CapitalAllocated(
                        ts_event_ns=now_ns,
                        ts_init_ns=now_ns,
                        strategy=name,
                        amount=found.amount,
                        currency=base,
                        reason=found.reason,
                        net_liquidation=worth,
                    )
                )
        return facts
