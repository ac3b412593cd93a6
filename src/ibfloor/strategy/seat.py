"""The strategy's seat on the floor: the one reference to everything outside the strategy."""

from __future__ import annotations

from ibfloor.model.errors import StrategyError
from ibfloor.model.ids import StrategyId
from ibfloor.strategy.context import StrategyContext, StrategyLog


class Seat:
    """Hold the context. Owner: the strategy's thread."""

    _context: StrategyContext | None = None

    def bind(self, context: StrategyContext) -> None:
        """Seat the strategy: the worker calls this before ``on_start``."""
        self._context = context

    @property
    def floor(self) -> StrategyContext:
        """Return the context; raise ``StrategyError`` before the strategy is started."""
        if self._context is None:
            raise StrategyError("the strategy is not on the floor yet: act in on_start, not in __init__")
        return self._context

    @property
    def name(self) -> StrategyId:
        """Return the strategy's name, as in floor.toml."""
        return self.floor.strategy

    @property
    def log(self) -> StrategyLog:
        """Return the strategy's log."""
        return self.floor.log

    @property
    def restarts(self) -> int:
        """Return how often the strategy was restarted after errors since a person started it."""
        return self.floor.restarts
