"""R1. Refuse an order larger than the largest allowed."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext
from ibfloor.risk.limits import AccountLimits, StrategyLimits

RULE = "max_order_qty"


def is_on(limits: StrategyLimits, account: AccountLimits) -> bool:
    """Tell whether a limit of this rule is set."""
    return limits.max_order_qty is not None


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse a quantity above the limit."""
    limit = context.limits.max_order_qty
    if limit is None or request.order_qty <= limit:
        return None
    return Refusal(
        rule=RULE, text="the quantity is above the limit of one order", limit=str(limit), asked=str(request.order_qty)
    )
