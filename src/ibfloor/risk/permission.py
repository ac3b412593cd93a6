"""Who may trade what now: holds on the whole gate, the kill switch, restrained strategies, locked instruments."""

from __future__ import annotations

from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.kill import ACCOUNT, KillPlace, names_of
from ibfloor.model.market import Halt
from ibfloor.model.order import Order, OrdStatus
from ibfloor.model.risk_fact import Restraint, TradingRestricted
from ibfloor.risk.kill import OPEN, KillState


class Permissions:
    """Holds are named, so that whoever set one lifts only that one."""

    def __init__(self) -> None:
        self.holds: dict[str, str] = {}
        """Nothing passes while one is set: no connection, not reconciled."""
        self.reducing: dict[str, str] = {}
        """Only orders that reduce pass while one is set: a drawdown, stale data."""
        self.paused: dict[StrategyId, str] = {}
        self.disabled: dict[StrategyId, str] = {}
        """Strategies that a guard took everything from, until a person gives it back."""
        self.reducing_strategies: dict[StrategyId, str] = {}
        """Strategies that a guard left only the way out."""
        self.leaving: set[StrategyId] = set()
        """Strategies on their way out: they may only reduce, at a rate of its own."""
        self.locks: dict[InstrumentId, str] = {}
        self.doubts: dict[InstrumentId, set[ClientOrderId]] = {}
        """Orders of unknown fate."""
        self.halts: dict[InstrumentId, Halt] = {}
        """Instruments whose trading the exchange has stopped."""
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

    def take_halt(self, instrument_id: InstrumentId, halt: Halt) -> None:
        """Take whether an instrument's trading is halted."""
        if halt.is_on:
            self.halts[instrument_id] = halt
        else:
            self.halts.pop(instrument_id, None)

    def follow(self, order: Order) -> None:
        """Lock the instrument of an order whose fate is not known, and unlock it once it is."""
        instrument_id = order.request.instrument_id
        doubts = self.doubts.get(instrument_id)
        if order.status is OrdStatus.UNKNOWN:
            self.doubts.setdefault(instrument_id, set()).add(order.cl_ord_id)
        elif doubts is not None:
            doubts.discard(order.cl_ord_id)
            if not doubts:
                del self.doubts[instrument_id]

    def restrain(self, fact: TradingRestricted) -> None:
        """Take a guard's restraint of a strategy."""
        match fact.restraint:
            case Restraint.DISABLED:
                self.disabled[fact.strategy] = fact.reason
            case Restraint.REDUCING:
                self.reducing_strategies[fact.strategy] = fact.reason

    def lift(self, strategy: StrategyId) -> None:
        """Take a guard's restraint away."""
        self.disabled.pop(strategy, None)
        self.reducing_strategies.pop(strategy, None)
