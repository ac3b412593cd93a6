"""Refuse while the gate is shut, the kill switch is latched, or the strategy is paused or disabled."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext

RULE = "permission"


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse what nobody may send now."""
    allowed = context.permissions
    if allowed.holds:
        return Refusal(rule=RULE, text=f"the gate is shut: {'; '.join(allowed.holds.values())}")
    if (killed := allowed.kill_of(request.strategy, context.instrument)) is not None:
        place, kill = killed
        if place in allowed.closing and context.is_reducing(request):
            return None
        which = "" if place.is_account else f" of {place}"
        return Refusal(rule="kill", text=f"the kill switch{which} is latched by {kill.actor}: {kill.reason}")
    if request.strategy in allowed.paused:
        return Refusal(rule=RULE, text=f"{request.strategy} is paused: {allowed.paused[request.strategy]}")
    if request.strategy in allowed.disabled and request.strategy not in allowed.leaving:
        return Refusal(
            rule=RULE,
            text=f"{request.strategy} is disabled: {allowed.disabled[request.strategy]}; "
            f"look into it, then: ibfloor strategy enable {request.strategy} REASON",
        )
    return None
