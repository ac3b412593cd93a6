"""R11. Refuse an order that would trade with another strategy's: the newer one stays out."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext
from ibfloor.risk.limits import AccountLimits, StrategyLimits

RULE = "self_trade"


def is_on(limits: StrategyLimits, account: AccountLimits) -> bool:
    """Tell whether a limit of this rule is set."""
    return not limits.allow_self_trade


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse a price that reaches another strategy's working order; a strategy on its way out passes."""
    if request.strategy in context.desk.permissions.leaving:
        return None
    touch = None if context.reference is None else context.reference.px
    other = context.desk.working.against(request, touch)
    if other is None:
        return None
    return Refusal(
        rule=RULE,
        text=f"it would trade with {other}, an order of another strategy on the other side",
        used=other,
        asked="market" if request.limit_px is None else str(request.limit_px),
    )
