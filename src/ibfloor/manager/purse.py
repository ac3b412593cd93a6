"""A strategy's capital as its worker sees it. Safe from the strategy's thread: all it reads is swapped as a whole."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.manager.services import Services
from ibfloor.model.ids import StrategyId
from ibfloor.model.instrument import Contract
from ibfloor.risk.left import InstrumentLeft, LimitsLeft


class WorkerPurse:
    """Implements ``strategy.context.Purse`` over the shared boards."""

    def __init__(self, strategy: StrategyId, services: Services) -> None:
        self._strategy = strategy
        self._services = services

    def capital(self) -> Decimal | None:
        """Return the capital allocated to the strategy; ``None`` where none is."""
        return self._services.capital.of(self._strategy)

    def worth_of_one(self, contract: Contract) -> Decimal | None:
        """Return what one share or contract is worth in account currency; ``None`` where that is not known."""
        instrument = self._services.data.instrument(contract)
        return None if instrument is None else self._services.marks.worth_of_one(instrument)

    def limits(self) -> LimitsLeft:
        """Return what the strategy may still do now."""
        return self._services.gate.limits.left(self._strategy)

    def limits_of(self, contract: Contract) -> InstrumentLeft | None:
        """Return what it may still do in a contract; ``None`` while the broker has not defined that."""
        instrument = self._services.data.instrument(contract)
        return None if instrument is None else self._services.gate.limits.left_in(self._strategy, instrument)
