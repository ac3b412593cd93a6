"""Who may trade what now: holds on the whole gate, the kill switch, paused strategies, locked instruments."""

from __future__ import annotations

from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.kill import ACCOUNT, KillPlace, names_of
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
        self.kills: dict[KillPlace, KillState] = {}
        """The kill switches that are latched."""
        self.closing: set[KillPlace] = set()
        """Those whose positions are being closed: orders that reduce pass them."""
        self._names: dict[InstrumentId, tuple[str, ...]] = {}

    @property
    def kill(self) -> KillState:
        """Return the account's kill switch."""
        return self.kills.get(ACCOUNT, OPEN)

    def kill_of(self, strategy: StrategyId, instrument: Instrument) -> tuple[KillPlace, KillState] | None:
        """Return a latched switch that has an order in its reach: one whose positions are being closed first."""
        if not self.kills:
            return None
        names = names_of(instrument)
        found = [pair for pair in self.kills.items() if pair[0].covers(strategy, instrument.instrument_id, *names)]
        return next((pair for pair in found if pair[0] in self.closing), found[0] if found else None)

    def kill_text(self, strategy: StrategyId, instrument_id: InstrumentId) -> str | None:
        """Say which latched switch forbids whatever a strategy does in an instrument; ``None`` for none."""
        names = self._names.get(instrument_id, ())
        found = [pair for pair in self.kills.items() if pair[0].covers(strategy, instrument_id, *names)]
        if not found or any(place in self.closing for place, _ in found):
            return None
        place, state = found[0]
        return f"kill switch ({place}): {state.reason}"

    def name(self, instrument: Instrument) -> None:
        """Remember an instrument's names: a kill switch may know it by those alone."""
        if instrument.instrument_id not in self._names:
            self._names[instrument.instrument_id] = names_of(instrument)

    @property
    def shut_reason(self) -> str | None:
        """Return why nothing new passes, or nothing but what reduces; ``None`` when the gate is open."""
        if self.kill.is_latched:
            return f"kill switch: {self.kill.reason}"
        return "; ".join((*self.holds.values(), *self.reducing.values())) or None
