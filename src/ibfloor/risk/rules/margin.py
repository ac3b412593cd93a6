"""R9. Have large orders previewed by the broker, and hold back margin for everything that is pending."""

from __future__ import annotations

from ibfloor.model.money import ZERO
from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext
from ibfloor.risk.limits import AccountLimits, StrategyLimits

RULE = "margin"


def is_on(limits: StrategyLimits, account: AccountLimits) -> bool:
    """Tell whether a limit of this rule is set."""
    return account.margin_budget_pct is not None or limits.preview_above is not None


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse a large order nobody previewed, and one whose margin no longer fits into the budget.

    The budget takes the broker's initial margin of all positions, what filled since, and the estimated
    initial margin of every pending order of every strategy.
    """
    if context.is_reduction:
        return None
    return _check_preview(request, context) or _check_budget(request, context)


def _check_preview(request: OrderRequest, context: RuleContext) -> Refusal | None:
    above = context.limits.preview_above
    if above is None:
        return None
    if context.unit_value is None:
        return Refusal(rule=RULE, text="the order's value is not known: no price or no rate", limit=str(above))
    notional = context.unit_value * request.order_qty
    if notional <= above:
        return None
    impact, age_max_s = context.preview, context.limits.preview_age_max_s
    if impact is not None and impact.order_qty >= request.order_qty:
        return None
    return Refusal(
        rule=RULE,
        text=f"an order of this value needs a preview first, of at least its quantity and at most {age_max_s:f} s old: "
        "await self.preview(order), then submit it",
        limit=str(above),
        used="no preview" if impact is None else f"{impact.order_qty:f} previewed",
        asked=f"{notional:.2f}",
    )


def _check_budget(request: OrderRequest, context: RuleContext) -> Refusal | None:
    share = context.account.margin_budget_pct
    if share is None:
        return None
    margin, exposures = context.desk.margin, context.desk.exposures
    equity, used, unit = margin.figures.equity, margin.used, context.unit_margin
    pending = None
    if unit is not None:
        more = max(context.account_worst - abs(context.account_slot.qty), ZERO)
        pending = exposures.pending_with(request.instrument_id, more * unit)
    if equity is None or used is None or pending is None:
        text = "the margin is not known: the broker has not told it, or a price or a rate is missing"
        return Refusal(rule=RULE, text=text, limit=f"{share:f} % of equity")
    budget = equity * share / 100
    if used + pending <= budget:
        return None
    waiting = exposures.pending_margin
    return Refusal(
        rule=RULE,
        text="the initial margin of positions and of all pending orders could go beyond the budget of "
        f"{share:f} % of equity",
        limit=f"{budget:.2f}",
        used="unknown" if waiting is None else f"{used + waiting:.2f}",
        asked=f"{used + pending:.2f}",
    )
