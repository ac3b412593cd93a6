"""Who may trade what now: holds on the whole gate, the kill switch, paused strategies, locked instruments."""

from __future__ import annotations

from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.risk.kill import OPEN, KillState


class Permissions:
    """Holds are named, so that whoever set one lifts only that one."""

    def __init__(self) -> None:
        self.holds: dict[str, str] = {}
        """Nothing passes while one is set: no connection, not reconciled."""
        self.reducing: dict[str, str] = {}
        """Only orders that reduce pass while one is set: a drawdown, stale data."""
        self.paused: dict[StrategyId, str] = {}
        self.leaving: set[StrategyId] = set()
        """Strategies on their way out: they may only reduce, at a rate of its own."""
        self.locks: dict[InstrumentId, str] = {}
        self.kill: KillState = OPEN
        self.may_reduce_when_killed = False

    @property
    def shut_reason(self) -> str | None:
        """Return why nothing new passes, or nothing but what reduces; ``None`` when the gate is open."""
        if self.kill.is_latched:
            return f"kill switch: {self.kill.reason}"
        return "; ".join((*self.holds.values(), *self.reducing.values())) or None
