"""Two strategies that trade with each other: both pass every rule as if they went to the market, or neither does.

The intents have no numbers: they are no orders, and never leave the floor.
"""

from __future__ import annotations

from collections.abc import Sequence

from ibfloor.model.ids import ClientOrderId
from ibfloor.model.instrument import Instrument
from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import PriceReference
from ibfloor.risk.gate import RiskGate
from ibfloor.risk.rules import shape
from ibfloor.risk.savepoint import Savepoint

RULE = "crossing"


def check_and_reserve_cross(
    gate: RiskGate,
    sides: Sequence[tuple[OrderRequest, PriceReference | None]],
    instrument: Instrument,
    now_ns: int,
) -> tuple[OrderRequest, Refusal] | None:
    """Reserve the worst case of both sides, or of neither and say whose was refused and why."""
    before = Savepoint(gate.seats, gate.confirmations, [(each.strategy, instrument) for each, _ in sides])
    taken: list[ClientOrderId] = []
    for request, reference in sides:
        refusal = _check_and_reserve(gate, request, instrument, reference, now_ns)
        if refusal is not None:
            for cl_ord_id in taken:
                gate.release(cl_ord_id)
            before.restore()
            return request, refusal
        taken.append(request.cl_ord_id)
    return None


def lock_of(gate: RiskGate, instrument: Instrument) -> str:
    """Return why nobody may cross in an instrument now, also on the way out: what is held, or at what price."""
    permissions = gate.permissions
    if (text := permissions.locks.get(instrument.instrument_id)) is not None:
        return text
    if (halt := permissions.halts.get(instrument.instrument_id)) is not None:
        return f"{instrument.local_symbol} is {halt.value} by its exchange"
    if doubts := permissions.doubts.get(instrument.instrument_id):
        return f"the broker is being asked what became of {min(doubts)}"
    return ""


def _check_and_reserve(
    gate: RiskGate, request: OrderRequest, instrument: Instrument, reference: PriceReference | None, now_ns: int
) -> Refusal | None:
    if (flaw := shape.check_basics(request, instrument)) is not None:
        return flaw
    seat = gate.seats.seat(request.strategy, instrument)
    context = gate.judge.context(seat, request, instrument, reference, now_ns, request.order_qty)
    refusal = gate.judge.ask(seat, request, context)
    if refusal is None:
        gate.judge.take(seat, request, context)
        gate.judge.open(request)
    return refusal
