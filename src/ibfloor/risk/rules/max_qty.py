"""Refuse an order larger than the largest allowed."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext

RULE = "max_order_qty"


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse a quantity above the limit."""
    limit = context.limits.max_order_qty
    if limit is None or request.order_qty <= limit:
        return None
    return Refusal(
        rule=RULE, text="the quantity is above the limit of one order", limit=str(limit), asked=str(request.order_qty)
    )
