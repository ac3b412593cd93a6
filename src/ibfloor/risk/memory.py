"""What the ledger knows of guards: high-water marks, restrained strategies, the version of the limits."""

from __future__ import annotations

from ibfloor.model.fact_base import Fact
from ibfloor.model.ids import StrategyId
from ibfloor.model.risk_fact import LimitsChanged, PeakReached, RestrictionLifted, TradingRestricted

LOSS_RULES = frozenset({"day_loss", "drawdown"})
"""Rules of restraints that came from a loss."""


class RiskMemory:
    """A fold over the facts of risk. Owner: the queue's thread."""

    def __init__(self) -> None:
        self.peaks: dict[StrategyId, PeakReached] = {}
        """The newest high-water mark of every book, as journaled."""
        self.restricted: dict[StrategyId, TradingRestricted] = {}
        """The newest restraint of every strategy that has one."""
        self.losing: set[StrategyId] = set()
        """Strategies that a loss restrained, whatever restrained them beside it."""
        self.changed: LimitsChanged | None = None
        """The newest change of limits."""

    def apply(self, fact: Fact) -> None:
        """Take a fact."""
        match fact:
            case PeakReached():
                self.peaks[fact.strategy] = fact
            case TradingRestricted():
                self.restricted[fact.strategy] = fact
                if fact.rule in LOSS_RULES:
                    self.losing.add(fact.strategy)
            case RestrictionLifted():
                self.restricted.pop(fact.strategy, None)
                self.losing.discard(fact.strategy)
            case LimitsChanged():
                self.changed = fact
