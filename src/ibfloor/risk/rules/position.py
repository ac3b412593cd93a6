"""R8. Refuse what could take a position beyond its limit if everything working on the side filled."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext
from ibfloor.risk.exposure import Slot
from ibfloor.risk.limits import AccountLimits, StrategyLimits

RULE = "max_position"


def is_on(limits: StrategyLimits, account: AccountLimits) -> bool:
    """Tell whether a limit of this rule is set."""
    known = (limits.max_position_qty, limits.max_account_position_qty, limits.max_position_notional)
    return any(each is not None for each in known)


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse a worst case beyond the strategy's or the account's limit; orders that reduce pass."""
    limits = context.limits
    if context.is_reduction:
        return None
    refusal = _check_qty(request, context, context.slot, limits.max_position_qty, "the strategy's position")
    refusal = refusal or _check_qty(
        request, context, context.account_slot, limits.max_account_position_qty, "the account's position"
    )
    return refusal or _check_notional(request, context, limits.max_position_notional)


def _check_qty(
    request: OrderRequest, context: RuleContext, slot: Slot, limit: Decimal | None, whose: str
) -> Refusal | None:
    if limit is None:
        return None
    worst = context.worst_on if slot is context.slot else context.account_worst_on
    if abs(worst) <= limit:
        return None
    return Refusal(
        rule=RULE,
        text=f"{whose} could become {worst:f}",
        limit=str(limit),
        used=str(slot.worst_on(request.side, Decimal(0))),
        asked=str(context.added_qty),
    )


def _check_notional(request: OrderRequest, context: RuleContext, limit: Decimal | None) -> Refusal | None:
    if limit is None:
        return None
    if context.unit_value is None:
        return Refusal(rule=RULE, text="the position's value is not known: no price or no rate", limit=str(limit))
    value = abs(context.worst_on) * context.unit_value
    if value <= limit:
        return None
    return Refusal(
        rule=RULE, text="the position's value could become too large", limit=str(limit), asked=f"{value:.2f}"
    )
