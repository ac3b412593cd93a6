"""What capital each strategy has now, readable from any thread."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from ibfloor.model.ids import StrategyId


class CapitalBoard:
    """The newest amounts, one immutable mapping swapped as a whole. Writer: the queue's thread."""

    def __init__(self, amounts: Mapping[StrategyId, Decimal] | None = None) -> None:
        self._amounts = dict(amounts or {})

    def of(self, strategy: StrategyId) -> Decimal | None:
        """Return a strategy's capital in account currency; ``None`` where none is allocated."""
        return self._amounts.get(strategy)

    def put(self, strategy: StrategyId, amount: Decimal) -> None:
        """Take a strategy's new capital."""
        self._amounts = {**self._amounts, strategy: amount}
