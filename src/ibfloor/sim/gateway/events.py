"""What the broker knows and tells: orders, and events about them, without any wire in it."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from ibfloor.model.instrument import Instrument
from ibfloor.model.order import OrdType, Side, TimeInForce
from ibfloor.sim.account import SimExecution
from ibfloor.sim.gateway.codec.kinds import Values

ZERO = Decimal(0)


class IbStatus(StrEnum):
    """An order's state, in IB's words."""

    PRE_SUBMITTED = "PreSubmitted"
    SUBMITTED = "Submitted"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    INACTIVE = "Inactive"

    @property
    def is_done(self) -> bool:
        """Tell whether the order left the market for good."""
        return self in (IbStatus.FILLED, IbStatus.CANCELLED, IbStatus.INACTIVE)


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it was asked for. ``attributes`` is all the client sent, to be shown again."""

    instrument: Instrument
    exchange: str
    side: Side
    qty: Decimal
    ord_type: OrdType
    limit_px: Decimal | None
    stop_px: Decimal | None
    time_in_force: TimeInForce
    outside_hours: bool
    transmit: bool
    what_if: bool
    account: str
    order_ref: str
    attributes: Values


class BrokerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order: a value, replaced at every change. ``perm_id`` is its key everywhere."""

    perm_id: int
    client_id: int
    order_id: int
    ticket: Ticket
    status: IbStatus
    placed_ns: int
    filled_qty: Decimal = ZERO
    avg_px: Decimal = ZERO
    last_px: Decimal = ZERO
    why_held: str = ""
    is_held: bool = False
    """Not transmitted: known to the gateway, not to the exchange."""
    completed_ns: int = 0
    completed_status: str = ""

    @property
    def remaining_qty(self) -> Decimal:
        """Return what has not traded; 0 for a filled order."""
        return ZERO if self.status is IbStatus.FILLED else self.ticket.qty - self.filled_qty


class OrderShown(msgspec.Struct, frozen=True, kw_only=True):
    """An order is new or was changed: clients are shown all of it, then its status."""

    order: BrokerOrder


class OrderCanceled(msgspec.Struct, frozen=True, kw_only=True):
    """An order ended without (all of) its fills."""

    order: BrokerOrder
    reason: str


class OrderPreviewed(msgspec.Struct, frozen=True, kw_only=True):
    """What an order would cost, had it not been a question only."""

    order: BrokerOrder
    init_margin: Decimal
    maint_margin: Decimal
    commission: Decimal


class OrderBound(msgspec.Struct, frozen=True, kw_only=True):
    """A manual order got an id by which client 0 can change it."""

    order: BrokerOrder


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A client's order, change or cancel was refused; told to that client alone."""

    client_id: int
    order_id: int
    code: int
    text: str
    reject_json: str = ""


class Executed(msgspec.Struct, frozen=True, kw_only=True):
    """An order traded; ``order`` is how it stands after that."""

    order: BrokerOrder
    execution: SimExecution


BrokerEvent = OrderShown | OrderCanceled | OrderPreviewed | OrderBound | Refused | Executed
