"""R9. Refuse what could take the account's gross exposure beyond so many times its equity."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext
from ibfloor.risk.limits import AccountLimits, StrategyLimits

RULE = "max_leverage"


def is_on(limits: StrategyLimits, account: AccountLimits) -> bool:
    """Tell whether a limit of this rule is set."""
    return account.max_leverage is not None


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse a worst case of gross exposure to equity above the limit, or one that nobody can value."""
    limit, gross = context.account.max_leverage, context.gross
    if limit is None or context.is_reduction:
        return None
    equity = context.desk.margin.figures.equity
    if equity is None or gross is None:
        what = "the account's equity" if equity is None else "the exposure"
        return Refusal(rule=RULE, text=f"the leverage is not known: {what} is not", limit=str(limit))
    if equity > 0 and gross <= limit * equity:
        return None
    used = context.desk.exposures.gross
    return Refusal(
        rule=RULE,
        text=f"the gross exposure could become more than {limit:f} times the equity of {equity:.2f}",
        limit=f"{limit:f}",
        used="unknown" if used is None or equity <= 0 else f"{used / equity:.2f}",
        asked=f"{gross / equity:.2f}" if equity > 0 else f"{gross:.2f}",
    )
