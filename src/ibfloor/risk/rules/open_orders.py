"""Guard. Refuse one more order while too many work."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext
from ibfloor.risk.limits import AccountLimits, StrategyLimits

RULE = "max_open_orders"


def is_on(limits: StrategyLimits, account: AccountLimits) -> bool:
    """Tell whether a limit of this rule is set."""
    return limits.max_open_orders is not None or account.max_open_orders is not None


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse a new order beyond the strategy's or the account's number; what reduces passes."""
    if context.is_change or context.is_reduction:
        return None
    most, count = context.limits.max_open_orders, len(context.activity.open_orders)
    if most is not None and count >= most:
        return _refusal(most, count, f"{request.strategy} has")
    most, count = context.account.max_open_orders, len(context.desk.reservations)
    if most is not None and count >= most:
        return _refusal(most, count, "the account has")
    return None


def _refusal(limit: Decimal, count: int, whose: str) -> Refusal:
    text = f"{whose} {count} orders working already: cancel some first"
    return Refusal(rule=RULE, text=text, limit=f"{limit:f}", used=str(count), asked="1")
