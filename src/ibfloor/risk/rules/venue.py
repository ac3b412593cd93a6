"""Refuse what the contract's market does not take: an order type, a time in force, an exchange, a size."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal, TimeInForce
from ibfloor.risk.context import RuleContext

RULE = "contract"
_ALWAYS = (TimeInForce.DAY,)


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse by the contract's own rules; what the broker has not told is not checked."""
    instrument = context.instrument
    rules = instrument.rules
    if rules.order_types:
        for name in _words(request):
            if name not in rules.order_types:
                return _refusal(
                    f"{instrument.local_symbol} does not take {name}: it takes {', '.join(rules.order_types)}",
                    name,
                )
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


def _words(request: OrderRequest) -> list[str]:
    words = [request.ord_type.value.replace(" LIMIT", "LMT").replace(" ", "")]
    if request.time_in_force not in _ALWAYS:
        words.append(request.time_in_force.value)
    if request.terms is not None and request.terms.algo is not None:
        words.append("ALGO")
    return words


def _refusal(text: str, asked: str) -> Refusal:
    return Refusal(rule=RULE, text=text, asked=asked)
