"""Refuse what the contract's market does not take: an order type, a time in force, an exchange, a size."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, OrdType, Refusal, TimeInForce
from ibfloor.risk.context import RuleContext

RULE = "contract"
_WORDS = {kind: kind.value.replace(" LIMIT", "LMT").replace(" ", "") for kind in OrdType}
"""Order types as contract details name them."""


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse by the contract's own rules; what the broker has not told is not checked."""
    instrument = context.instrument
    rules = instrument.rules
    if rules.order_types and (name := _not_taken(request, rules.order_types)):
        known = ", ".join(rules.order_types)
        return _refusal(f"{instrument.local_symbol} does not take {name}: it takes {known}", name)
    if rules.exchanges and instrument.exchange not in rules.exchanges:
        known = ", ".join(rules.exchanges)
        return _refusal(f"{instrument.local_symbol} does not trade at {instrument.exchange}: name one of {known}", "")
    if request.order_qty < rules.qty_min:
        text = f"the smallest order in {instrument.local_symbol} is {rules.qty_min:f}"
        return _refusal(text, str(request.order_qty))
    if rules.qty_step > 0 and request.order_qty % rules.qty_step:
        return _refusal(
            f"{instrument.local_symbol} trades in steps of {rules.qty_step:f}: round the quantity",
            str(request.order_qty),
        )
    return None


def _not_taken(request: OrderRequest, taken: tuple[str, ...]) -> str:
    if (word := _WORDS[request.ord_type]) not in taken:
        return word
    tif = request.time_in_force
    if tif is not TimeInForce.DAY and tif not in taken:
        return tif.value
    has_algo = request.terms is not None and request.terms.algo is not None
    return "ALGO" if has_algo and "ALGO" not in taken else ""


def _refusal(text: str, asked: str) -> Refusal:
    return Refusal(rule=RULE, text=text, asked=asked)
