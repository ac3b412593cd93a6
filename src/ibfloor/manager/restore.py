"""Coming back: every fact of the ledger applied again, to the last cent, before anything is connected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from ibfloor.crash_points import reach
from ibfloor.ledger.replay import recover
from ibfloor.manager.floor_state import FloorState
from ibfloor.model.fact import AnyFact, FillsTold, InstrumentDefined, OrderDoubted, OrderSubmitted
from ibfloor.model.lots import LotMethod
from ibfloor.risk.gate import RiskGate
from ibfloor.risk.limits import RiskLimits


class Unseen(msgspec.Struct, frozen=True):
    """What a worker journaled, and the floor ended before the fact of it came."""

    intents: tuple[OrderSubmitted, ...]
    """Their fate must be asked of the broker."""
    notes: tuple[FillsTold | InstrumentDefined, ...]

    def facts(self, now_ns: int) -> Iterator[AnyFact]:
        """Yield the facts that make it known, and put every such order in doubt."""
        yield from self.notes
        for intent in self.intents:
            yield intent
            yield OrderDoubted(
                ts_event_ns=now_ns,
                ts_init_ns=now_ns,
                cl_ord_id=intent.request.cl_ord_id,
                reason="the floor ended while the order was on its way",
            )


class Restored(msgspec.Struct, frozen=True):
    """A floor's memory."""

    state: FloorState
    gate: RiskGate
    next_seq: int
    unseen: Unseen


def restore(home: Path, limits: RiskLimits, lots: LotMethod = LotMethod.FIFO, *, is_live: bool = False) -> Restored:
    """Fold the ledger into orders, books and reservations. Raises ``LedgerError`` when it is damaged."""
    state, gate = FloorState(lots), RiskGate(limits, is_live=is_live)
    reach("restore.begun")
    with recover(home) as recovered:
        reach("restore.folded")
        for _, fact in recovered.facts():
            applied = state.apply(fact)
            gate.apply(fact, applied.order)
            for strategy, instrument_id, qty in applied.held:
                gate.exposures.hold_at(strategy, instrument_id, qty)
        reach("restore.replayed")
        unseen = Unseen(recovered.unseen_intents, recovered.unseen_notes)
        return Restored(state, gate, recovered.next_seq, unseen)
