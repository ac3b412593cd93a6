"""Refuse what could take a position beyond its limit if everything working on the side filled."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext
from ibfloor.risk.exposure import Slot

RULE = "max_position"


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse a worst case beyond the strategy's or the account's limit; orders that reduce pass."""
    limits = context.limits
    if context.is_reducing(request):
        return None
    refusal = _check_qty(request, context, context.slot, limits.max_position_qty, "the strategy's position")
    refusal = refusal or _check_qty(
        request, context, context.account_slot, context.account.max_position_qty, "the account's position"
    )
    return refusal or _check_notional(request, context, limits.max_position_notional)


def _check_qty(
    request: OrderRequest, context: RuleContext, slot: Slot, limit: Decimal | None, whose: str
) -> Refusal | None:
    if limit is None:
        return None
    worst = slot.worst_on(request.side, context.added_qty)
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
    if context.worst_px is None or context.rate is None:
        return Refusal(rule=RULE, text="the position's value is not known: no price or no rate", limit=str(limit))
    worst = abs(context.slot.worst_on(request.side, context.added_qty))
    value = worst * abs(context.worst_px) * context.instrument.multiplier * context.rate
    if value <= limit:
        return None
    return Refusal(
        rule=RULE, text="the position's value could become too large", limit=str(limit), asked=f"{value:.2f}"
    )
