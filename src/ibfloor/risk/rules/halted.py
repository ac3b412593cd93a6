"""R12. Refuse entries in an instrument whose trading the exchange has stopped; exits wait at the broker."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext

RULE = "halted"


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse what would add to, or flip, a position while its market is halted: where it opens again nobody knows."""
    halts = context.desk.permissions.halts
    if not halts or context.is_reduction or (halt := halts.get(request.instrument_id)) is None:
        return None
    return Refusal(rule=RULE, text=f"{context.instrument.local_symbol} is {halt.value} by its exchange")
