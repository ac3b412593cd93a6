"""The gate's limits as people and strategies see them: shown, changed, confirmed, left. Behind the gate's own lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from ibfloor.manager.gate_lock import GateLock
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.market import Halt
from ibfloor.model.moment import Clock
from ibfloor.model.order import OrderRequest
from ibfloor.model.risk_fact import LimitChange, LimitsChanged, TradingRestricted
from ibfloor.risk.figures import MarketFigures
from ibfloor.risk.gate import RiskGate
from ibfloor.risk.left import InstrumentLeft, LimitsLeft, left, left_in
from ibfloor.risk.limits import RiskLimits, Scope
from ibfloor.risk.limits_in_force import LimitRow, Proposal
from ibfloor.risk.losses import Losses
from ibfloor.risk.margin import AccountFigures


class Unconfirmed(msgspec.Struct, frozen=True):
    """A change that lets more pass than now, and nobody has confirmed it: nothing was changed."""

    loosened: tuple[LimitChange, ...]


class GateLimits:
    """What may be asked of the gate beside its checks; any thread may call any method."""

    def __init__(self, gate: RiskGate, lock: GateLock, clock: Clock) -> None:
        self._gate = gate
        self._lock = lock
        self._clock = clock

    @property
    def in_force(self) -> RiskLimits:
        """Return all limits as they are now: a frozen value, replaced at every change."""
        return self._gate.limits

    def rows(self) -> list[LimitRow]:
        """Return every limit that is set or changed."""
        with self._lock:
            return self._gate.in_force.rows()

    def change(
        self, scope: Scope, wanted: Sequence[tuple[str, str]], *, actor: str, reason: str, is_confirmed: bool
    ) -> LimitsChanged | Unconfirmed | None:
        """Change limits of a scope for the very next order, and return the fact to journal.

        What only tightens never waits; what loosens must be confirmed. ``None``: nothing would change.
        Raises ``ValueError`` for a limit or a value that is none.
        """
        return self._change(lambda: self._gate.in_force.propose(scope, wanted), actor, reason, is_confirmed)

    def reset(
        self, scope: Scope | None, limits: Iterable[str], *, actor: str, reason: str, is_confirmed: bool
    ) -> LimitsChanged | Unconfirmed | None:
        """Go back to floor.toml, for some limits of a scope, for all of it, or for everything (``None``)."""
        return self._change(lambda: self._gate.in_force.propose_reset(scope, limits), actor, reason, is_confirmed)

    def confirm(self, cl_ord_id: ClientOrderId) -> OrderRequest | None:
        """Let one order like a refused one pass; ``None`` when no such refusal is remembered."""
        with self._lock:
            return self._gate.confirmations.confirm(cl_ord_id, self._clock.now_ns())

    def left(self, strategy: StrategyId) -> LimitsLeft:
        """Return what a strategy may still do now."""
        with self._lock:
            return left(self._gate, strategy, self._clock.now_ns())

    def left_in(self, strategy: StrategyId, instrument: Instrument) -> InstrumentLeft:
        """Return what a strategy may still do in an instrument now."""
        with self._lock:
            return left_in(self._gate, strategy, instrument)

    def take_account(self, figures: AccountFigures) -> None:
        """Take what the account is worth and what its positions bind."""
        with self._lock:
            self._gate.margin.take(figures)

    def take_losses(self, losses: Mapping[StrategyId, Losses]) -> None:
        """Take what every strategy has lost, as last valued."""
        with self._lock:
            self._gate.losses = dict(losses)

    def restrain(self, fact: TradingRestricted) -> None:
        """Restrain a strategy at once; the fact is journaled by whoever made it."""
        with self._lock:
            self._gate.apply(fact)

    def take_halt(self, instrument_id: InstrumentId, halt: Halt) -> None:
        """Take whether an instrument's trading is halted."""
        with self._lock:
            self._gate.permissions.take_halt(instrument_id, halt)

    def take_figures(self, instrument_id: InstrumentId, figures: MarketFigures) -> None:
        """Take an instrument's usual day."""
        with self._lock:
            self._gate.figures[instrument_id] = figures

    def _change(
        self, propose: Callable[[], Proposal], actor: str, reason: str, is_confirmed: bool
    ) -> LimitsChanged | Unconfirmed | None:
        with self._lock:
            proposal = propose()
            if not proposal.changes:
                return None
            if proposal.loosened and not is_confirmed:
                return Unconfirmed(proposal.loosened)
            now_ns = self._clock.now_ns()
            fact = LimitsChanged(
                ts_event_ns=now_ns,
                ts_init_ns=now_ns,
                version=self._gate.limits.version + 1,
                changes=proposal.changes,
                actor=actor,
                reason=reason,
            )
            self._gate.apply(fact)  # at once; when it comes back journaled it is known already
            return fact
