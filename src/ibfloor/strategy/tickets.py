"""From an author's order values to tickets: exact quantities, prices on the grid, times in UTC nanoseconds."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import assert_never

from ibfloor.execution.ticket import OrderTicket
from ibfloor.model.combo import combo_terms
from ibfloor.model.instrument import Instrument
from ibfloor.model.moment import from_datetime
from ibfloor.model.order import OrdType, TimeInForce
from ibfloor.model.terms import PLAIN, OrderTerms
from ibfloor.strategy.orders import (
    AnyOrder,
    GoodTill,
    Lasting,
    Limit,
    LimitIfTouched,
    LimitOnClose,
    LimitOnOpen,
    Market,
    MarketIfTouched,
    MarketOnClose,
    MarketOnOpen,
    MarketToLimit,
    Percent,
    Relative,
    Stop,
    StopLimit,
    Trail,
    TrailLimit,
)
from ibfloor.strategy.quantities import Price, Unfit, order_px, order_qty, time_in_force

Kind = tuple[OrdType, Price | None, Price | None]
"""Type, limit and stop."""


def ticket_of(order: AnyOrder, instrument: Instrument) -> OrderTicket:
    """Return an order value as a ticket; raises ``Unfit``."""
    kind, limit, stop = _kind(order)
    tif, until_ns = _lasting(order)
    return OrderTicket(
        instrument=instrument,
        side=order.side,
        order_qty=order_qty(order.qty),
        ord_type=kind,
        limit_px=order_px(limit, instrument, order.side),
        stop_px=order_px(stop, instrument, order.side),
        time_in_force=tif,
        note=order.note,
        terms=_terms(order, instrument, until_ns),
    )


def _kind(order: AnyOrder) -> Kind:
    match order:
        case Market():
            return OrdType.MARKET, None, None
        case Limit():
            return OrdType.LIMIT, order.px, None
        case Stop():
            return OrdType.STOP, None, order.stop
        case StopLimit():
            return OrdType.STOP_LIMIT, order.px, order.stop
        case Trail():
            return OrdType.TRAIL, None, order.start
        case TrailLimit():
            return OrdType.TRAIL_LIMIT, None, order.start
        case MarketIfTouched():
            return OrdType.MARKET_IF_TOUCHED, None, order.trigger
        case LimitIfTouched():
            return OrdType.LIMIT_IF_TOUCHED, order.px, order.trigger
        case MarketOnOpen():
            return OrdType.MARKET, None, None
        case LimitOnOpen():
            return OrdType.LIMIT, order.px, None
        case MarketOnClose():
            return OrdType.MARKET_ON_CLOSE, None, None
        case LimitOnClose():
            return OrdType.LIMIT_ON_CLOSE, order.px, None
        case Relative():
            return OrdType.RELATIVE, order.cap, None
        case MarketToLimit():
            return OrdType.MARKET_TO_LIMIT, None, None
        case _:
            assert_never(order)


def _lasting(order: AnyOrder) -> tuple[TimeInForce, int | None]:
    match order:
        case MarketOnOpen() | LimitOnOpen():
            return TimeInForce.AT_OPEN, None
        case MarketOnClose() | LimitOnClose():
            return TimeInForce.DAY, None
        case _:
            return _duration(order.tif)


def _duration(tif: Lasting) -> tuple[TimeInForce, int | None]:
    if isinstance(tif, GoodTill):
        return TimeInForce.GTD, _moment(tif.when, "good till")
    return time_in_force(tif), None


def _terms(order: AnyOrder, instrument: Instrument, until_ns: int | None) -> OrderTerms | None:
    after = getattr(order, "good_after", None)
    by = getattr(order, "by", None)
    terms = OrderTerms(
        outside_rth=getattr(order, "outside_rth", False),
        good_till_ns=until_ns,
        good_after_ns=None if after is None else _moment(after, "good after"),
        trail_by=None if by is None or isinstance(by, Percent) else _distance(by, instrument),
        trail_percent=_exact(by.value) if isinstance(by, Percent) else None,
        limit_offset=_distance(order.offset, instrument) if isinstance(order, TrailLimit) else None,
        peg_offset=_distance(order.offset, instrument) if isinstance(order, Relative) else None,
        algo=getattr(order, "algo", None),
        combo=combo_terms(instrument) if instrument.legs else None,
    )
    return None if terms == PLAIN else terms


def _moment(when: datetime, what: str) -> int:
    if when.tzinfo is None:
        raise Unfit(what, f"{when} has no time zone: make it aware, for example with self.now", when)
    return from_datetime(when)


def _distance(px: Price, instrument: Instrument) -> Decimal:
    exact = _exact(px)
    if isinstance(px, Decimal):
        return exact
    # A distance that rounds to nothing would trade at once: one step is the least that can be meant.
    return max(instrument.round_price(exact), instrument.min_tick) if exact > 0 else exact


def _exact(value: Price) -> Decimal:
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not exact.is_finite():
        raise Unfit("price", f"{value} is not a distance", value)
    return exact
