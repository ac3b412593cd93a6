"""R9. Refuse what could take the account's net exposure beyond its limit."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext
from ibfloor.risk.limits import AccountLimits, StrategyLimits

RULE = "max_net_exposure"


def is_on(limits: StrategyLimits, account: AccountLimits) -> bool:
    """Tell whether a limit of this rule is set."""
    return account.max_net_exposure is not None


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse a worst case on the order's side, longs less shorts of the whole account, above the limit."""
    limit, unit = context.account.max_net_exposure, context.unit_value
    if limit is None or context.is_reduction:
        return None
    net = None
    if unit is not None:
        net = context.desk.exposures.net_with(request.instrument_id, request.side, context.account_worst_on * unit)
    if net is None:
        return Refusal(rule=RULE, text="the net exposure is not known: a price or a rate is missing", limit=str(limit))
    if net * request.side.sign <= limit:
        return None
    used = context.desk.exposures.net
    return Refusal(
        rule=RULE,
        text="the account's net exposure could become too large",
        limit=str(limit),
        used="unknown" if used is None else f"{used:.2f}",
        asked=f"{net:.2f}",
    )
