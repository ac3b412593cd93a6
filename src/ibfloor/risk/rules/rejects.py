"""Guard. Refuse, and disable, a strategy whose orders nobody takes, one after another."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext
from ibfloor.risk.limits import AccountLimits, StrategyLimits

RULE = "rejects_in_a_row"


def is_on(limits: StrategyLimits, account: AccountLimits) -> bool:
    """Tell whether a limit of this rule is set."""
    return limits.max_rejects_in_a_row is not None


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse once so many orders in a row were rejected by the broker, or refused for what they were."""
    most, count = context.limits.max_rejects_in_a_row, context.activity.rejects
    if most is None or count < most or context.is_reduction:
        return None
    return Refusal(
        rule=RULE,
        text=f"{count} orders of {request.strategy} in a row were rejected, and it is disabled now; "
        f"look into it, then: ibfloor strategy enable {request.strategy} REASON",
        limit=f"{most:f}",
        used=str(count),
        asked="1",
    )
