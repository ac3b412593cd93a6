"""R14. Refuse what this strategy may not trade here: restricted instruments, shorts, real money."""

from __future__ import annotations

from ibfloor.model.money import ZERO
from ibfloor.model.order import OrderRequest, Refusal, Side
from ibfloor.risk.context import RuleContext
from ibfloor.risk.limits import AccountLimits, StrategyLimits

RULE = "restricted"


def is_on(limits: StrategyLimits, account: AccountLimits) -> bool:
    """Tell whether a limit of this rule is set."""
    return limits.restricted or limits.paper_only or not limits.allow_short


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse entries by the restricted list, shorts where none are allowed, and paper strategies with real money."""
    limits, symbol = context.limits, context.instrument.local_symbol
    if context.is_reduction:
        return None
    if limits.restricted:
        return Refusal(rule=RULE, text=f"{symbol} is restricted: only what takes off a position may pass")
    if limits.paper_only and context.desk.is_live:
        return Refusal(rule=RULE, text=f"{request.strategy} may trade paper accounts only, and this one is live")
    if not limits.allow_short and request.side is Side.SELL:
        worst = context.worst_on
        if worst < 0:
            return Refusal(
                rule=RULE,
                text=f"{symbol} may not be sold short: the position could become {worst:f}",
                limit="0",
                used=f"{context.slot.worst_on(Side.SELL, ZERO):f}",
                asked=f"{request.order_qty:f}",
            )
    return None
