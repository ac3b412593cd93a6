"""What the broker knows and tells: orders, and events about them, without any wire in it."""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum, StrEnum

import msgspec

from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Instrument
from ibfloor.model.order import OrdType, Side, TimeInForce
from ibfloor.sim.account import SimExecution
from ibfloor.sim.exchange.values import Approach, Auction, Peg, Rung, Slice, Trigger
from ibfloor.sim.gateway.codec.kinds import Values

ZERO = Decimal(0)


class IbStatus(StrEnum):
    """An order's state, in IB's words."""

    PRE_SUBMITTED = "PreSubmitted"
    SUBMITTED = "Submitted"
    PENDING_CANCEL = "PendingCancel"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    INACTIVE = "Inactive"

    @property
    def is_done(self) -> bool:
        """Tell whether the order left the market for good."""
        return self in (IbStatus.FILLED, IbStatus.CANCELLED, IbStatus.INACTIVE)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What makes an order more than a market, limit or stop order: the exchange's words, with its meanings."""

    trigger: Trigger | None = None
    is_market_to_limit: bool = False
    auction: Auction | None = None
    min_qty: Decimal = ZERO
    is_all_or_none: bool = False
    good_from_ns: int = 0
    good_until_ns: int = 0
    slices: tuple[Slice, ...] = ()
    peg: Peg | None = None
    approach: tuple[Approach, ...] = ()
    grid: Decimal | None = None
    is_conditional: bool = False
    discretion: Decimal = ZERO
    display_qty: Decimal = ZERO
    is_hidden: bool = False
    rungs: tuple[Rung, ...] = ()
    per_parent: Decimal = Decimal(1)


class ConditionKind(IntEnum):
    """What a condition looks at, by IB's number."""

    PRICE = 1
    TIME = 3
    MARGIN = 4
    EXECUTION = 5
    VOLUME = 6
    CHANGE = 7


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """Something that must be so before an order goes out, or for it to be canceled."""

    kind: ConditionKind
    is_and: bool = True
    """Joined to the next one by "and", else by "or"."""
    is_more: bool = True
    value: Decimal = ZERO
    """A price, a volume, a change or a margin cushion in per cent."""
    ts_ns: int = 0
    instrument_id: InstrumentId = InstrumentId(0)
    method: int = 0
    """How a price is read, by IB's trigger methods."""
    symbol: str = ""
    sec_type: str = ""
    exchange: str = ""


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """All conditions of an order, and what they decide."""

    all: tuple[Condition, ...]
    cancels: bool = False
    ignores_hours: bool = False


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One contract of a combination: so many of it for one of the whole, when the whole is bought."""

    instrument: Instrument
    ratio: int
    side: Side


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
    ib_type: str = ""
    """The order type in IB's words, where it is more than ``ord_type``."""
    ib_tif: str = ""
    rules: Rules = Rules()
    parent_id: int = 0
    """The parent's order id, of the same client."""
    oca_group: str = ""
    oca_type: int = 0
    legs: tuple[Leg, ...] = ()
    """Of a combination; ``instrument`` is then the whole as the exchange knows it."""
    conditions: Conditions | None = None
    is_hedge: bool = False
    """A child that offsets its parent rather than closing it: in no group with the other children."""

    @property
    def type_text(self) -> str:
        """Return the order type in IB's words."""
        return self.ib_type or self.ord_type

    @property
    def tif_text(self) -> str:
        """Return the time in force in IB's words."""
        return self.ib_tif or self.time_in_force


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
    parent_perm_id: int = 0
    live_stop_px: Decimal | None = None
    """Where the exchange has moved the trigger to."""
    live_limit_px: Decimal | None = None
    completed_ns: int = 0
    completed_status: str = ""

    @property
    def remaining_qty(self) -> Decimal:
        """Return what has not traded; 0 for a filled order."""
        return ZERO if self.status is IbStatus.FILLED else self.ticket.qty - self.filled_qty

    @property
    def stop_px(self) -> Decimal | None:
        """Return the trigger price as it is now."""
        if self.live_stop_px is not None:
            return self.live_stop_px
        trigger = self.ticket.rules.trigger
        return self.ticket.stop_px if trigger is None else trigger.px

    @property
    def limit_px(self) -> Decimal | None:
        """Return the limit as it is now."""
        return self.ticket.limit_px if self.live_limit_px is None else self.live_limit_px


class OrderShown(msgspec.Struct, frozen=True, kw_only=True):
    """An order is new or was changed: clients are shown all of it, then its status."""

    order: BrokerOrder


class OrderCanceled(msgspec.Struct, frozen=True, kw_only=True):
    """An order ended without (all of) its fills."""

    order: BrokerOrder
    reason: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What an account is worth and must keep, in its base currency."""

    equity: Decimal = ZERO
    initial: Decimal = ZERO
    maintenance: Decimal = ZERO


class OrderPreviewed(msgspec.Struct, frozen=True, kw_only=True):
    """What an order would cost, had it not been a question only."""

    order: BrokerOrder
    before: Standing
    after: Standing
    commission: Decimal
    margin_currency: str


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


class Warned(msgspec.Struct, frozen=True, kw_only=True):
    """Something a client should know of its order, which stays."""

    order: BrokerOrder
    code: int
    text: str


class Executed(msgspec.Struct, frozen=True, kw_only=True):
    """An order traded; ``order`` is how it stands after that."""

    order: BrokerOrder
    execution: SimExecution


class ComboExecuted(msgspec.Struct, frozen=True, kw_only=True):
    """A combination traded; its legs' executions follow. This one is in no account."""

    order: BrokerOrder
    execution: SimExecution


BrokerEvent = OrderShown | OrderCanceled | OrderPreviewed | OrderBound | Refused | Warned | Executed | ComboExecuted
