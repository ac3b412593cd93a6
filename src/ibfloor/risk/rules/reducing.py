"""R15. While only reducing is allowed, refuse what does not bring the worst case nearer to nothing."""

from __future__ import annotations

from ibfloor.model.money import ZERO
from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext

RULE = "reducing"


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse entries, and oversized orders on the other side that would turn the position round."""
    allowed = context.desk.permissions
    if context.is_reduction or not (allowed.reducing or allowed.reducing_strategies or allowed.leaving):
        return None
    if request.strategy in allowed.leaving:
        reason = f"{request.strategy} is being flattened"
    elif request.strategy in allowed.reducing_strategies:
        reason = f"{request.strategy}: {allowed.reducing_strategies[request.strategy]}"
    elif allowed.reducing:
        reason = "; ".join(allowed.reducing.values())
    else:
        return None
    slot = context.slot
    room = max(slot.qty - slot.sells if slot.qty > 0 else -(slot.qty + slot.buys), ZERO)
    return Refusal(
        rule=RULE,
        text=f"only orders that reduce a position, and never beyond zero, may pass: {reason}",
        limit=f"{room:f}",
        used=f"{slot.qty:f}",
        asked=f"{request.order_qty * request.side.sign:f}",
    )
