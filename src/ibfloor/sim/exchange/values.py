"""What goes into the simulated exchange and what comes out: values, exact, without IB's words."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from ibfloor.model.ids import InstrumentId
from ibfloor.model.order import OrdType, Side, TimeInForce

ZERO = Decimal(0)


class TriggerKind(StrEnum):
    """What releases a waiting order: the market running away from it, or coming to it."""

    STOP = "stop"
    TOUCH = "touch"


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """The price that makes an order live; ``None`` for a trail that begins at the market.

    With a trail the price follows the market at a distance, towards it only. ``limit_offset`` is
    the distance from the trigger to a limit that moves with it.
    """

    kind: TriggerKind
    px: Decimal | None = None
    trail_amount: Decimal | None = None
    trail_percent: Decimal | None = None
    limit_offset: Decimal | None = None

    @property
    def is_trailing(self) -> bool:
        """Tell whether the price moves with the market."""
        return self.trail_amount is not None or self.trail_percent is not None


class Auction(StrEnum):
    """The call an order waits for: it trades there at the one price, or not at all."""

    OPEN = "open"
    CLOSE = "close"


class OcaKind(StrEnum):
    """What a fill does to the others of its group."""

    CANCEL = "cancel"
    REDUCE_BLOCKED = "reduce blocked"
    """Reduced at once, in proportion: the group never trades too much."""
    REDUCE = "reduce"
    """Reduced after the tick: two orders that one tick reaches may both trade."""


class Oca(msgspec.Struct, frozen=True, kw_only=True):
    """A group of orders of which the first fill ends or reduces the others."""

    group: str
    kind: OcaKind


class Slice(msgspec.Struct, frozen=True):
    """From a time on, so much of an order (in all) may trade."""

    ts_ns: int
    qty: Decimal


class PegTo(StrEnum):
    """The price that a peg is measured from."""

    OWN = "own side"
    OPPOSITE = "opposite side"
    MIDDLE = "middle"


class PegMoves(StrEnum):
    """When a peg is priced anew."""

    TOWARDS = "towards"
    """When the market moves so that the order becomes keener; never back."""
    BOTH = "both ways"
    ONCE = "once"


class Peg(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that follows the quote: keener than its own side by an offset, else less keen by it."""

    offset: Decimal = ZERO
    percent: Decimal = ZERO
    to: PegTo = PegTo.OWN
    moves: PegMoves = PegMoves.TOWARDS


class Rung(msgspec.Struct, frozen=True):
    """One component of a scale: the order has this limit until so much of it (in all) has traded."""

    upto: Decimal
    limit_px: Decimal


class Approach(msgspec.Struct, frozen=True):
    """From a time on, an order stands so far across the spread: 0 its own side, 1 the other."""

    ts_ns: int
    share: Decimal


class ExchangeOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the exchange takes it; ``key`` is the caller's, unique.

    The parts combine: a trailing stop limit is a limit order with a trailing trigger, a
    fill-or-kill is an IOC whose ``min_qty`` is all of it, a good-till-date a GTC with ``good_until_ns``.
    """

    key: int
    instrument_id: InstrumentId
    side: Side
    qty: Decimal
    ord_type: OrdType
    """A STOP is a market order with a stop trigger at ``stop_px``."""
    limit_px: Decimal | None = None
    """For a peg and an approach: the worst price; for a scale the first one."""
    stop_px: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    outside_hours: bool = False
    trigger: Trigger | None = None
    is_market_to_limit: bool = False
    """What its first fill leaves becomes a limit order at the price of that fill."""
    auction: Auction | None = None
    min_qty: Decimal = ZERO
    """The least its first fill must be."""
    is_all_or_none: bool = False
    good_from_ns: int = 0
    good_until_ns: int = 0
    parent_key: int | None = None
    """The order whose fills release this one, up to what the parent has traded."""
    oca: Oca | None = None
    slices: tuple[Slice, ...] = ()
    peg: Peg | None = None
    approach: tuple[Approach, ...] = ()
    grid: Decimal | None = None
    """The price step of prices that the exchange itself makes."""
    is_conditional: bool = False
    """Held until the caller releases it."""
    discretion: Decimal = ZERO
    """How far beyond its limit it takes what the other side displays."""
    display_qty: Decimal = ZERO
    """Of an iceberg: what others see; each such part queues anew. 0: all of it."""
    is_hidden: bool = False
    """Nobody sees it, so everything displayed at its price trades first."""
    rungs: tuple[Rung, ...] = ()
    per_parent: Decimal = Decimal(1)
    """How much of it one unit of the parent releases."""


class BookTop(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The displayed best bid and ask of one instrument at one time; ``None`` where a side is empty."""

    instrument_id: InstrumentId
    ts_ns: int
    bid_px: Decimal | None
    bid_qty: Decimal
    ask_px: Decimal | None
    ask_qty: Decimal


class TapePrint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One trade between others; where and under which conditions, if a record says so."""

    instrument_id: InstrumentId
    ts_ns: int
    px: Decimal
    qty: Decimal
    exchange: str = ""
    conditions: str = ""


MarketTick = BookTop | TapePrint


class Hold(StrEnum):
    """What a working order waits for before it can trade."""

    PARENT = "parent"
    TIME = "time"
    TRIGGER = "trigger"
    AUCTION = "auction"
    CONDITION = "condition"


class Working(msgspec.Struct, frozen=True, kw_only=True):
    """The exchange has the order; unless something holds it, it can trade."""

    key: int
    ts_ns: int
    held_by: tuple[Hold, ...] = ()


class Activated(msgspec.Struct, frozen=True, kw_only=True):
    """The parent's fill or the time released an order; a trigger may still hold it."""

    key: int
    ts_ns: int
    held_by: tuple[Hold, ...] = ()


class Triggered(msgspec.Struct, frozen=True, kw_only=True):
    """A stop, or an order waiting to be touched, became a live order."""

    key: int
    ts_ns: int


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """The exchange moved an order's trigger or limit: a trail, a peg, a market-to-limit."""

    key: int
    ts_ns: int
    stop_px: Decimal | None
    limit_px: Decimal | None


class Resized(msgspec.Struct, frozen=True, kw_only=True):
    """A group or a parent changed an order's total quantity."""

    key: int
    ts_ns: int
    qty: Decimal


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """Some of an order traded; ``leaves_qty`` is what remains."""

    key: int
    ts_ns: int
    qty: Decimal
    px: Decimal
    leaves_qty: Decimal


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """The rest of an order left the book: canceled, expired, or refused by the exchange."""

    key: int
    ts_ns: int
    reason: str


ExchangeEvent = Working | Activated | Triggered | Moved | Resized | Filled | Gone
