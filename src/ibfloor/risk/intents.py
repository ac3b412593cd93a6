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
        return self.has_number(strategy, intent_number(cl_ord_id))

    def has_number(self, strategy: StrategyId, number: int) -> bool:
        """Tell the same of an intent's number."""
        return number <= self._floor.get(strategy, 0) or number in self._numbers.get(strategy, ())

    def add(self, strategy: StrategyId, cl_ord_id: ClientOrderId) -> None:
        """Remember an intent."""
        self.add_number(strategy, intent_number(cl_ord_id))

    def add_number(self, strategy: StrategyId, number: int) -> None:
        """Remember an intent's number."""
        numbers = self._numbers.get(strategy)
        if numbers is None:
            numbers = self._numbers[strategy] = set()
        numbers.add(number)
        if len(numbers) > 2 * _KEPT:
            floor = self._floor[strategy] = max(numbers) - _KEPT
            self._numbers[strategy] = {number for number in numbers if number > floor}
