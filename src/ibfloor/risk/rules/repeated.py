"""R7. Refuse, and disable, a strategy that enters again and again: something in it runs in circles."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext
from ibfloor.risk.limits import AccountLimits, StrategyLimits

RULE = "repeated_execution"


def is_on(limits: StrategyLimits, account: AccountLimits) -> bool:
    """Tell whether a limit of this rule is set."""
    return limits.repeat_entries_max is not None


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse an entry beyond so many within the window; the gate disables the strategy until a person is content.

    The exits of a bracket are no entries, although nothing is held yet that they could reduce.
    """
    most = context.limits.repeat_entries_max
    if most is None or context.is_reduction or context.is_change or request.asks.bracket:
        return None
    count = context.activity.entries_since(context.now_ns - context.windows.repeat_ns)
    if count < most:
        return None
    window_s = context.limits.repeat_window_s
    return Refusal(
        rule=RULE,
        text=f"{request.strategy} has sent {count} entries within {window_s:f} s and is disabled now; "
        f"look into it, then: ibfloor strategy enable {request.strategy} REASON",
        limit=f"{most:f} in {window_s:f} s",
        used=str(count),
        asked="1",
    )
