"""Refuse an intent that was seen before: one intent is one order, ever."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext

RULE = "duplicate"


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse a used intent id."""
    if context.is_repeated:
        return Refusal(rule=RULE, text=f"the intent {request.cl_ord_id} was used before", asked=request.cl_ord_id)
    return None
