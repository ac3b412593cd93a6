"""R5. Refuse an intent that was seen before, and an entry that only repeats the one just sent."""

from __future__ import annotations

from ibfloor.model.moment import NS_PER_S
from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext

RULE = "duplicate"


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse a used intent id, and within the window an entry like one before it: side, size, type and prices."""
    if context.is_repeated:
        return Refusal(rule=RULE, text=f"the intent {request.cl_ord_id} was used before", asked=request.cl_ord_id)
    window_s = context.limits.duplicate_window_s
    if window_s is None or context.is_change or context.is_reduction:
        return None
    sent_ns = context.habits.sent_ns(request)
    if sent_ns is None or context.now_ns - sent_ns >= context.windows.duplicate_ns:
        return None
    return Refusal(
        rule=RULE,
        text="the same order was sent a moment ago: same side, quantity, type and prices",
        limit=f"{window_s:f} s",
        used=f"{(context.now_ns - sent_ns) / NS_PER_S:.3f} s ago",
        asked=f"{request.order_qty:f}",
    )
