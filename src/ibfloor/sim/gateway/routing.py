"""From a broker's order to what the exchange takes, and what its state is called at IB."""

from __future__ import annotations

import msgspec

from ibfloor.sim.exchange.values import ExchangeOrder, Hold, Oca, OcaKind
from ibfloor.sim.gateway.events import BrokerOrder

_OCA_KINDS = {1: OcaKind.CANCEL, 2: OcaKind.REDUCE_BLOCKED, 3: OcaKind.REDUCE}
_REDUCE = 3
_WHY_HELD = {Hold.PARENT: "child", Hold.TRIGGER: "trigger"}


def exchange_order(order: BrokerOrder) -> ExchangeOrder:
    """Return an order as the exchange takes it."""
    ticket = order.ticket
    group = group_name(order)
    return ExchangeOrder(
        key=order.perm_id,
        instrument_id=ticket.instrument.instrument_id,
        side=ticket.side,
        qty=ticket.qty,
        ord_type=ticket.ord_type,
        limit_px=ticket.limit_px,
        stop_px=ticket.stop_px,
        time_in_force=ticket.time_in_force,
        outside_hours=ticket.outside_hours,
        parent_key=order.parent_perm_id or None,
        oca=Oca(group=f"{ticket.account}/{group}", kind=_OCA_KINDS[oca_type(order)]) if group else None,
        **msgspec.structs.asdict(ticket.rules),
    )


def group_name(order: BrokerOrder) -> str:
    """Return the group an order is in: its own, else that of its parent's children, as IB makes one."""
    is_bracket = order.parent_perm_id and not order.ticket.is_hedge
    return order.ticket.oca_group or (str(order.parent_perm_id) if is_bracket else "")


def oca_type(order: BrokerOrder) -> int:
    """Return what a fill does to the order's group, by IB's number; 0 without a group."""
    return order.ticket.oca_type or (_REDUCE if group_name(order) else 0)


def why_held(holds: tuple[Hold, ...]) -> str:
    """Return IB's words for what an order waits for; empty for times and auctions."""
    return ",".join(_WHY_HELD[hold] for hold in holds if hold in _WHY_HELD)
