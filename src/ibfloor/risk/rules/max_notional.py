"""R2. Refuse an order worth more than allowed, or whose worth nobody knows."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext
from ibfloor.risk.limits import AccountLimits, StrategyLimits

RULE = "max_order_notional"


def is_on(limits: StrategyLimits, account: AccountLimits) -> bool:
    """Tell whether a limit of this rule is set."""
    return limits.max_order_notional is not None


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse a value above the limit, in the base currency.

    No price or no rate is a refusal too, except for orders that only reduce.
    """
    limit = context.limits.max_order_notional
    if limit is None:
        return None
    unit = context.unit_value
    if unit is None:
        if context.is_reduction:
            return None
        what = "price" if context.worst_px is None else f"rate for {context.instrument.currency}"
        return Refusal(rule=RULE, text=f"the order's value is not known: no {what}", limit=str(limit))
    notional = request.order_qty * unit
    if notional <= limit:
        return None
    return Refusal(
        rule=RULE, text="the value is above the limit of one order", limit=str(limit), asked=f"{notional:.2f}"
    )
