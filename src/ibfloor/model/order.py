"""Orders: what is asked, what is answered, what is known."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.terms import PLAIN, OrderTerms


class Side(StrEnum):
    """FIX tag 54."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """Return +1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """Return the other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrdType(StrEnum):
    """FIX tag 40, the types the floor can send."""

    MARKET = "MKT"
    LIMIT = "LMT"
    STOP = "STP"
    STOP_LIMIT = "STP LMT"
    TRAIL = "TRAIL"
    TRAIL_LIMIT = "TRAIL LIMIT"
    MARKET_IF_TOUCHED = "MIT"
    LIMIT_IF_TOUCHED = "LIT"
    MARKET_ON_CLOSE = "MOC"
    LIMIT_ON_CLOSE = "LOC"
    RELATIVE = "REL"
    MARKET_TO_LIMIT = "MTL"

    @property
    def has_limit(self) -> bool:
        """Tell whether the order must name a limit price."""
        return self in _WITH_LIMIT

    @property
    def has_stop(self) -> bool:
        """Tell whether the order must name the price that wakes it."""
        return self in _WITH_STOP

    @property
    def is_trailing(self) -> bool:
        """Tell whether the broker moves the order's stop by itself."""
        return self is OrdType.TRAIL or self is OrdType.TRAIL_LIMIT

    @property
    def protects(self) -> bool:
        """Tell whether the order gets out of a position as the market goes against it."""
        return self in _PROTECTIVE

    @property
    def waits(self) -> bool:
        """Tell whether the order sleeps until the market reaches a price."""
        return self in _PROTECTIVE or self in _TOUCHED


_TOUCHED = frozenset({OrdType.MARKET_IF_TOUCHED, OrdType.LIMIT_IF_TOUCHED})
_PROTECTIVE = frozenset({OrdType.STOP, OrdType.STOP_LIMIT, OrdType.TRAIL, OrdType.TRAIL_LIMIT})
_WITH_LIMIT = frozenset({OrdType.LIMIT, OrdType.STOP_LIMIT, OrdType.LIMIT_IF_TOUCHED, OrdType.LIMIT_ON_CLOSE})
_WITH_STOP = frozenset({OrdType.STOP, OrdType.STOP_LIMIT, *_TOUCHED})


class TimeInForce(StrEnum):
    """FIX tag 59."""

    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTD = "GTD"
    AT_OPEN = "OPG"


class OrdStatus(StrEnum):
    """FIX tag 39, with UNKNOWN for an order whose fate must be asked of the broker."""

    PENDING_NEW = "PENDING_NEW"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    PENDING_REPLACE = "PENDING_REPLACE"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"

    @property
    def is_done(self) -> bool:
        """Tell whether only a late fill can still change the order."""
        return self in _DONE


_DONE = frozenset({OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.REJECTED})


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One intent: an order as a strategy asks for it, with its identity."""

    cl_ord_id: ClientOrderId
    strategy: StrategyId
    instrument_id: InstrumentId
    side: Side
    order_qty: Decimal
    ord_type: OrdType
    limit_px: Decimal | None = None
    stop_px: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    note: str = ""
    terms: OrderTerms | None = None
    """What more it asks; ``None`` for a plain order."""

    @property
    def contracts(self) -> tuple[InstrumentId, ...]:
        """Return what it trades: its contract, or those of its combination's legs."""
        combo = None if self.terms is None else self.terms.combo
        return (self.instrument_id,) if combo is None else tuple(leg.instrument_id for leg in combo.legs)

    @property
    def asks(self) -> OrderTerms:
        """Return the terms, those of a plain order where it carries none."""
        return PLAIN if self.terms is None else self.terms


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why something was not done: the rule, its limit, what was used and what was asked."""

    rule: str
    text: str
    limit: str = ""
    used: str = ""
    asked: str = ""

    def __str__(self) -> str:
        return f"{self.rule}: {self.text}"


class Accepted(msgspec.Struct, frozen=True):
    """The order is journaled and on the wire; its fate follows as facts."""

    cl_ord_id: ClientOrderId


class Refused(msgspec.Struct, frozen=True):
    """The order was not sent."""

    cl_ord_id: ClientOrderId
    reason: Refusal


class Order(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that is known of one intent: a value, replaced at every fact."""

    request: OrderRequest
    status: OrdStatus
    client_id: int
    order_id: int
    """The id under which the intent went to the broker on its client's session."""
    perm_ids: tuple[int, ...] = ()
    cum_qty: Decimal = Decimal(0)
    avg_px: Decimal = Decimal(0)
    told_qty: Decimal = Decimal(0)
    """What the broker says has filled while executions of it are still to come; 0 once they are here."""
    text: str = ""
    is_cancel_asked: bool = False
    """Whether we ever asked for its cancel: its end is then no surprise."""
    ts_submitted_ns: int = 0
    ts_updated_ns: int = 0

    @property
    def cl_ord_id(self) -> ClientOrderId:
        """Return the intent's id."""
        return self.request.cl_ord_id

    @property
    def traded_qty(self) -> Decimal:
        """Return what has filled by executions, or by the broker's word where that is more."""
        return max(self.cum_qty, self.told_qty)

    @property
    def leaves_qty(self) -> Decimal:
        """Return what may still fill: nothing once the order is done, never less than nothing."""
        return Decimal(0) if self.status.is_done else max(Decimal(0), self.request.order_qty - self.cum_qty)
