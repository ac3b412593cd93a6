"""Which intents were used: every number once, in bounded memory."""

from __future__ import annotations

from ibfloor.model.ids import ClientOrderId, StrategyId, intent_number

_KEPT = 10_000
"""A number this far below a strategy's newest counts as used."""


class UsedIntents:
    """Remembers the intent numbers of each strategy."""

    def __init__(self) -> None:
        self._numbers: dict[StrategyId, set[int]] = {}
        self._floor: dict[StrategyId, int] = {}

    def has(self, strategy: StrategyId, cl_ord_id: ClientOrderId) -> bool:
        """Tell whether an intent was used, or is too old to tell."""
        number = intent_number(cl_ord_id)
        return number <= self._floor.get(strategy, 0) or number in self._numbers.get(strategy, ())

    def add(self, strategy: StrategyId, cl_ord_id: ClientOrderId) -> None:
        """Remember an intent."""
        numbers = self._numbers.setdefault(strategy, set())
        numbers.add(intent_number(cl_ord_id))
        if len(numbers) > 2 * _KEPT:
            floor = self._floor[strategy] = max(numbers) - _KEPT
            self._numbers[strategy] = {number for number in numbers if number > floor}
