"""What the ledger knows of guards: high-water marks, restrained strategies, the version of the limits."""

from __future__ import annotations

from ibfloor.model.fact_base import Fact
from ibfloor.model.ids import StrategyId
from ibfloor.model.risk_fact import LimitsChanged, PeakReached, RestrictionLifted, TradingRestricted


class RiskMemory:
    """A fold over the facts of risk. Owner: the queue's thread."""

    def __init__(self) -> None:
        self.peaks: dict[StrategyId, PeakReached] = {}
        """The newest high-water mark of every book, as journaled."""
        self.restricted: dict[StrategyId, TradingRestricted] = {}
        self.changed: LimitsChanged | None = None
        """The newest change of limits."""

    def apply(self, fact: Fact) -> None:
        """Take a fact."""
        match fact:
            case PeakReached():
                self.peaks[fact.strategy] = fact
            case TradingRestricted():
                self.restricted[fact.strategy] = fact
            case RestrictionLifted():
                self.restricted.pop(fact.strategy, None)
            case LimitsChanged():
                self.changed = fact
