"""Coming back: every fact of the ledger applied again, to the last cent, before anything is connected."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ibfloor.ledger.replay import recover
from ibfloor.manager.floor_state import FloorState
from ibfloor.model.fact import OrderSubmitted
from ibfloor.risk.gate import RiskGate
from ibfloor.risk.limits import RiskLimits


class Restored(msgspec.Struct, frozen=True):
    """A floor's memory."""

    state: FloorState
    gate: RiskGate
    next_seq: int
    unseen_intents: tuple[OrderSubmitted, ...]
    """Intents a worker journaled whose fact never came: their fate must be asked of the broker."""


def restore(home: Path, limits: RiskLimits) -> Restored:
    """Fold the ledger into orders, books and reservations. Raises ``LedgerError`` when it is damaged."""
    state, gate = FloorState(), RiskGate(limits)
    with recover(home) as recovered:
        for _, fact in recovered.facts():
            applied = state.apply(fact)
            gate.apply(fact, applied.order)
        return Restored(state, gate, recovered.next_seq, recovered.unseen_intents)
