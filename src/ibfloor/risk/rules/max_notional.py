"""Refuse an order worth more than allowed, or whose worth nobody knows."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext

RULE = "max_order_notional"


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse a value above the limit, in the base currency.

    No price or no rate is a refusal too, except for orders that only reduce.
    """
    limit = context.limits.max_order_notional
    if limit is None:
        return None
    if (context.worst_px is None or context.rate is None) and context.is_reducing(request):
        return None
    if context.worst_px is None:
        return Refusal(rule=RULE, text="the order's value is not known: no price", limit=str(limit))
    if context.rate is None:
        currency = context.instrument.currency
        return Refusal(rule=RULE, text=f"the order's value is not known: no rate for {currency}", limit=str(limit))
    notional = abs(request.order_qty * context.worst_px * context.instrument.multiplier * context.rate)
    if notional <= limit:
        return None
    return Refusal(
        rule=RULE, text="the value is above the limit of one order", limit=str(limit), asked=f"{notional:.2f}"
    )
