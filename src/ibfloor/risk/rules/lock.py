"""Refuse entries in an instrument that is locked by a break; exits pass."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext

RULE = "lock"


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse what would add to, or flip, a position in a locked instrument."""
    reason = context.permissions.locks.get(request.instrument_id)
    if reason is None or context.is_reducing(request):
        return None
    return Refusal(rule=RULE, text=f"the instrument is locked for entries: {reason}")
