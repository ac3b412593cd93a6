"""R13. Refuse entries in an instrument that is locked by a break, or by an order of unknown fate; exits pass."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext

RULE = "lock"


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse what would add to, or flip, a position in a locked instrument."""
    allowed = context.desk.permissions
    if context.is_reduction or not (allowed.locks or allowed.doubts):
        return None
    reason = allowed.locks.get(request.instrument_id)
    if reason is None and (doubts := allowed.doubts.get(request.instrument_id)):
        reason = f"the broker is being asked what became of {', '.join(sorted(doubts))}"
    return None if reason is None else Refusal(rule=RULE, text=f"the instrument is locked for entries: {reason}")
