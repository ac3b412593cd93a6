"""Refuse an order that makes no sense in itself: no quantity, a missing or stray price, off the grid."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, OrdType, Refusal
from ibfloor.risk.context import RuleContext

RULE = "shape"


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse quantities and prices that the broker could not take, or that nobody can have meant."""
    instrument = context.instrument
    if request.instrument_id != instrument.instrument_id:
        return _refusal(request, "the order names another instrument than it was checked against")
    if not request.order_qty.is_finite() or request.order_qty <= 0:
        return _refusal(request, "the quantity must be above zero")
    wants_limit, wants_stop = request.ord_type is OrdType.LIMIT, request.ord_type is OrdType.STOP
    if (request.limit_px is not None) != wants_limit or (request.stop_px is not None) != wants_stop:
        return _refusal(request, f"the prices given do not fit an order of type {request.ord_type}")
    px = request.limit_px if wants_limit else request.stop_px
    if px is None:
        return None
    if not px.is_finite() or (px <= 0 and instrument.contract.security_type == "STK"):
        return _refusal(request, "the price must be above zero")
    if not instrument.is_on_grid(px):
        return Refusal(
            rule=RULE,
            text="the price is not on the instrument's grid: round it with Instrument.round_price",
            limit=str(instrument.min_tick),
            asked=str(px),
        )
    return None


def _refusal(request: OrderRequest, text: str) -> Refusal:
    return Refusal(rule=RULE, text=text, asked=str(request.order_qty))
