"""Refuse what could take the account's gross exposure beyond its limit."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext

RULE = "max_gross_exposure"


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse a worst case of the whole account above the limit, or one that nobody can value."""
    limit = context.account.max_gross_exposure
    if limit is None or context.is_reducing(request):
        return None
    if context.worst_px is None or context.rate is None:
        return Refusal(rule=RULE, text="the exposure is not known: no price or no rate", limit=str(limit))
    worst = context.account_slot.worst_with(request.side, context.added_qty)
    exposure = worst * abs(context.worst_px) * context.instrument.multiplier * context.rate
    gross = context.exposures.gross_with(request.instrument_id, exposure)
    if gross is None:
        others = ", ".join(str(each) for each in sorted(context.exposures.unpriced - {request.instrument_id}))
        return Refusal(rule=RULE, text=f"the exposure is not known: no price or rate for {others}", limit=str(limit))
    if gross <= limit:
        return None
    used = context.exposures.gross
    return Refusal(
        rule=RULE,
        text="the account's gross exposure could become too large",
        limit=str(limit),
        used="unknown" if used is None else f"{used:.2f}",
        asked=f"{gross:.2f}",
    )
