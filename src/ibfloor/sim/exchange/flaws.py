"""What makes an order senseless, whatever the market does."""

from __future__ import annotations

from ibfloor.model.order import OrdType
from ibfloor.sim.exchange.live import trigger_of
from ibfloor.sim.exchange.values import ZERO, ExchangeOrder, Trigger


def flaw_of(order: ExchangeOrder) -> str:
    """Return why the exchange cannot take an order; empty when it can."""
    if order.qty <= 0:
        return f"quantity {order.qty} is not above zero"
    if order.ord_type is OrdType.LIMIT and order.limit_px is None and not order.peg and not _sets_limit(order):
        return "a limit order needs a limit price"
    if order.ord_type is OrdType.STOP and order.stop_px is None:
        return "a stop order needs a stop price"
    if order.min_qty > order.qty:
        return f"the minimum quantity {order.min_qty} is above the quantity {order.qty}"
    if (order.display_qty or order.rungs or order.discretion) and order.ord_type is not OrdType.LIMIT:
        return "only a limit order has discretion, components or a part that is displayed"
    trigger = trigger_of(order)
    return "" if trigger is None else _flaw_of_trigger(trigger)


def _sets_limit(order: ExchangeOrder) -> bool:
    return order.trigger is not None and order.trigger.limit_offset is not None


def _flaw_of_trigger(trigger: Trigger) -> str:
    for distance in (trigger.trail_amount, trigger.trail_percent):
        if distance is not None and distance <= ZERO:
            return f"the trailing distance {distance} is not above zero"
    if trigger.px is None and not trigger.is_trailing:
        return "a trigger needs a price"
    return ""
