"""R9. Refuse what could take the account's gross exposure beyond its limit."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext
from ibfloor.risk.limits import AccountLimits, StrategyLimits

RULE = "max_gross_exposure"


def is_on(limits: StrategyLimits, account: AccountLimits) -> bool:
    """Tell whether a limit of this rule is set."""
    return account.max_gross_exposure is not None


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse a worst case of the whole account above the limit, or one that nobody can value."""
    limit = context.account.max_gross_exposure
    if limit is None or context.is_reduction:
        return None
    if context.unit_value is None:
        return Refusal(rule=RULE, text="the exposure is not known: no price or no rate", limit=str(limit))
    gross = context.gross
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
