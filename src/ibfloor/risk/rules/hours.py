"""R12. Refuse what cannot be meant while the market is closed. Other orders IB holds until it opens, and says so."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, OrdType, Refusal, TimeInForce
from ibfloor.risk.context import RuleContext

RULE = "hours"
_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK)


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse IOC and FOK orders, and market orders that open a position, while the market is closed.

    Hours that are not known refuse nothing; nor do they for an order that only reduces.
    """
    waits = context.limits.entries_when_closed or context.is_reduction
    if waits and request.time_in_force is TimeInForce.DAY and request.ord_type is not OrdType.MARKET:
        return None
    is_at_once = request.time_in_force in _AT_ONCE
    is_blind = request.ord_type is OrdType.MARKET and request.time_in_force is TimeInForce.DAY
    if waits and not (is_at_once or is_blind):
        return None
    terms = request.asks
    is_open = context.instrument.rules.is_open(context.now_ns, outside_rth=terms.outside_rth)
    symbol = context.instrument.local_symbol
    if is_open is False and not waits:
        return Refusal(rule=RULE, text=f"{symbol} is closed, and entries_when_closed is false here")
    if is_open is not False or terms.good_after_ns is not None or not (is_at_once or is_blind):
        return None
    if is_at_once:
        return Refusal(rule=RULE, text=f"{symbol} is closed: a {request.time_in_force} order could not fill")
    if context.is_reducing(request):
        return None
    return Refusal(
        rule=RULE,
        text=f"{symbol} is closed, and a market order would fill at a price nobody knows yet: "
        "give a limit, or send it at the open (MarketOnOpen)",
    )
