"""Orders that belong together: all pass the gate, or none does.

A bracket's exits are judged by where its entry stands: a stop on the wrong side of it would trigger at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from ibfloor.model.ids import ClientOrderId
from ibfloor.model.instrument import Instrument
from ibfloor.model.order import OrderRequest, OrdType, Refusal
from ibfloor.risk.context import PriceReference
from ibfloor.risk.gate import Approved, RiskGate
from ibfloor.risk.savepoint import Savepoint

RULE = "bracket"


def check_and_reserve_all(
    gate: RiskGate, orders: Sequence[tuple[OrderRequest, Instrument, PriceReference | None]], now_ns: int
) -> Refusal | None:
    """Reserve the worst case of orders that belong together, the entry of a bracket first, or of none of them."""
    if any(instrument.legs for _, instrument, _ in orders):
        return Refusal(rule=RULE, text="a combination is no part of a bracket or a group: send it alone")
    before = Savepoint(gate.seats, gate.confirmations, [(each.strategy, instrument) for each, instrument, _ in orders])
    taken: list[ClientOrderId] = []
    entry, _, market = orders[0]
    for request, instrument, reference in orders:
        flaw = None
        if request.asks.bracket:
            reference = _at_entry(entry, market, now_ns)
            flaw = _flaw_of_exit(request, entry, reference)
        verdict = flaw or gate.check_and_reserve(request, instrument, reference, now_ns)
        if isinstance(verdict, Approved):
            taken.append(request.cl_ord_id)
            continue
        for cl_ord_id in reversed(taken):
            gate.release(cl_ord_id)
        before.restore()
        return verdict if isinstance(verdict, Refusal) else verdict.reason
    return None


def _at_entry(entry: OrderRequest, market: PriceReference | None, now_ns: int) -> PriceReference | None:
    own_px = entry.limit_px if entry.limit_px is not None else entry.stop_px
    return market if own_px is None else PriceReference(own_px, now_ns, "entry")


def _flaw_of_exit(request: OrderRequest, entry: OrderRequest, reference: PriceReference | None) -> Refusal | None:
    if request.side is entry.side or request.instrument_id != entry.instrument_id:
        return Refusal(rule=RULE, text="an exit is on the other side of its entry, in the same contract")
    if request.order_qty != entry.order_qty:
        return Refusal(rule=RULE, text="an exit has its entry's quantity: its size follows the entry's fills")
    if reference is None:
        return None
    gain = entry.side.sign
    if request.ord_type is OrdType.LIMIT and request.limit_px is not None:
        if (request.limit_px - reference.px) * gain <= 0:
            return _wrong_side("take-profit", request.limit_px, reference)
    elif request.ord_type.protects and request.stop_px is not None and (request.stop_px - reference.px) * gain >= 0:
        return _wrong_side("stop", request.stop_px, reference)
    return None


def _wrong_side(what: str, px: object, reference: PriceReference) -> Refusal:
    text = f"the {what} is on the wrong side of the {reference.source}, {reference.px}: it would fill at once"
    return Refusal(rule=RULE, text=text, asked=str(px))
