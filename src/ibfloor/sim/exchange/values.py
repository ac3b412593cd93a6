"""What goes into the simulated exchange and what comes out: values, exact, without IB's words."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.ids import InstrumentId
from ibfloor.model.order import OrdType, Side, TimeInForce


class ExchangeOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the exchange takes it; ``key`` is the caller's, unique."""

    key: int
    instrument_id: InstrumentId
    side: Side
    qty: Decimal
    ord_type: OrdType
    limit_px: Decimal | None = None
    stop_px: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    outside_hours: bool = False


class BookTop(msgspec.Struct, frozen=True, kw_only=True):
    """The displayed best bid and ask of one instrument at one time; ``None`` where a side is empty."""

    instrument_id: InstrumentId
    ts_ns: int
    bid_px: Decimal | None
    bid_qty: Decimal
    ask_px: Decimal | None
    ask_qty: Decimal


class TapePrint(msgspec.Struct, frozen=True, kw_only=True):
    """One trade between others."""

    instrument_id: InstrumentId
    ts_ns: int
    px: Decimal
    qty: Decimal


MarketTick = BookTop | TapePrint


class Working(msgspec.Struct, frozen=True, kw_only=True):
    """The order is in the book (a stop: it waits for its trigger)."""

    key: int
    ts_ns: int


class Triggered(msgspec.Struct, frozen=True, kw_only=True):
    """A stop became a live order."""

    key: int
    ts_ns: int


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


ExchangeEvent = Working | Triggered | Filled | Gone
