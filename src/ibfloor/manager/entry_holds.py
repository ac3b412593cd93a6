"""Holds of one strategy's entries: what reduces its positions passes. Guarded by the gate's lock."""

from __future__ import annotations

from ibfloor.model.ids import StrategyId
from ibfloor.risk.permission import Permissions


class EntryHolds:
    """Named holds beside a guard's restraint: who lifts one leaves the other."""

    def __init__(self, permissions: Permissions) -> None:
        self._permissions = permissions
        self._holds: dict[StrategyId, dict[str, str]] = {}
        self._shown: dict[StrategyId, str] = {}

    def hold(self, name: str, text: str, strategy: StrategyId) -> None:
        """Let a strategy only reduce until the hold of this name is lifted."""
        self._holds.setdefault(strategy, {})[name] = text
        self._show(strategy)

    def lift(self, name: str, strategy: StrategyId) -> None:
        """Take a hold away; others stay, and so does a guard's restraint."""
        if self._holds.get(strategy, {}).pop(name, None) is not None:
            self._show(strategy)

    def renew(self) -> None:
        """Hold on after a fact: who enables a strategy lifts its restraint, and no hold."""
        for strategy in self._holds:
            self._show(strategy)

    def _show(self, strategy: StrategyId) -> None:
        reducing, shown = self._permissions.reducing_strategies, self._shown.pop(strategy, None)
        if shown is not None and reducing.get(strategy) == shown:
            del reducing[strategy]
        if (holds := self._holds.get(strategy)) and strategy not in reducing:
            reducing[strategy] = self._shown[strategy] = "; ".join(holds.values())
