"""R12. Refuse entries while trading is halted, paused by its price band (LULD), or seen through delayed data."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext

RULE = "halted"


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse what would add to a position in a market that stands, or that nobody sees as it is."""
    troubles = context.desk.permissions.markets
    if not troubles or context.is_reduction:
        return None
    reason = troubles.get(request.instrument_id)
    if reason is None:
        return None
    return Refusal(rule=RULE, text=f"{context.instrument.local_symbol} {reason}: entries wait")
