"""Refuse an order that makes no sense in itself: no quantity, a missing or stray price, off the grid, terms at odds."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.model.instrument import Instrument
from ibfloor.model.order import OrderRequest, OrdType, Refusal, TimeInForce
from ibfloor.model.terms import OrderTerms
from ibfloor.risk.context import RuleContext

RULE = "shape"
_HUNDRED = Decimal(100)
_CLOSING = (OrdType.MARKET_ON_CLOSE, OrdType.LIMIT_ON_CLOSE)
_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK)
_NOT_AT_ONCE = (OrdType.MARKET_TO_LIMIT, OrdType.RELATIVE)
_OPTIONAL = None
_PRICES = {
    kind: (
        _OPTIONAL if kind is OrdType.RELATIVE else kind.has_limit,
        _OPTIONAL if kind.is_trailing else kind.has_stop,
    )
    for kind in OrdType
}
"""Whether an order has a limit, and a stop."""


def check_basics(request: OrderRequest, instrument: Instrument) -> Refusal | None:
    """Refuse what cannot even be judged: no quantity, or another instrument."""
    if request.instrument_id != instrument.instrument_id:
        return _refusal(request, "the order names another instrument than it was checked against")
    if not request.order_qty.is_finite() or request.order_qty <= 0:
        return _refusal(request, "the quantity must be above zero")
    return None


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse quantities, prices and terms that the broker could not take, or that nobody can have meant."""
    instrument, kind = context.instrument, request.ord_type
    limit, stop = _PRICES[kind]
    if limit is (request.limit_px is None) or stop is (request.stop_px is None):
        return _refusal(request, f"the prices given do not fit an order of type {kind}")
    for px in (request.limit_px, request.stop_px):
        if px is not None and (flaw := _flaw_of_price(px, request, instrument)) is not None:
            return flaw
    if request.terms is not None or stop is _OPTIONAL:
        flaw = _flaw_of_terms(request, request.asks, context.now_ns)
        if flaw is not None:
            return flaw
    return None if request.time_in_force is TimeInForce.DAY else _flaw_of_duration(request)


def _flaw_of_price(px: Decimal, request: OrderRequest, instrument: Instrument) -> Refusal | None:
    if not px.is_finite() or (px <= 0 and instrument.contract.security_type == "STK"):
        return _refusal(request, "the price must be above zero")
    if not instrument.is_on_grid(px):
        return Refusal(
            rule=RULE,
            text="the price is not on the instrument's grid: round it with Instrument.round_price",
            limit=str(instrument.tick_at(px)),
            asked=str(px),
        )
    return None


def _flaw_of_duration(request: OrderRequest) -> Refusal | None:
    kind, tif = request.ord_type, request.time_in_force
    if kind in _CLOSING:
        return _refusal(request, f"time in force {tif}: an order at the close is a DAY order")
    if tif in _AT_ONCE and (kind.waits or kind in _NOT_AT_ONCE):
        return _refusal(
            request, f"time in force {tif}: an order of type {kind} cannot fill at once; make it DAY or GTC"
        )
    if tif is TimeInForce.AT_OPEN and kind not in (OrdType.MARKET, OrdType.LIMIT):
        return _refusal(request, f"time in force OPG: only market and limit orders trade at the open, not {kind}")
    if tif is TimeInForce.GTD and request.asks.good_till_ns is None:
        return _refusal(request, "time in force GTD: say until when with GoodTill(...)")
    return None


def _flaw_of_terms(request: OrderRequest, terms: OrderTerms, now_ns: int) -> Refusal | None:
    kind, until_ns = request.ord_type, terms.good_till_ns
    trails = (terms.trail_by is not None) + (terms.trail_percent is not None)
    if trails != (1 if kind.is_trailing else 0):
        return _refusal(
            request, f"trail: an order of type {kind} takes {'one distance' if kind.is_trailing else 'none'}"
        )
    if terms.trail_by is not None and terms.trail_by <= 0:
        return _refusal(request, "trail: the distance must be above zero")
    if terms.trail_percent is not None and not 0 < terms.trail_percent < _HUNDRED:
        return _refusal(request, "trail: the percentage must be between 0 and 100")
    if (terms.limit_offset is not None) != (kind is OrdType.TRAIL_LIMIT):
        return _refusal(request, f"limit offset: a TRAIL LIMIT order has one, a {kind} order has none")
    if terms.peg_offset is not None and (kind is not OrdType.RELATIVE or terms.peg_offset < 0):
        return _refusal(request, "offset: it is for relative orders, and not below zero")
    if until_ns is not None and request.time_in_force is not TimeInForce.GTD:
        return _refusal(request, "good till: the time in force must be GTD")
    if until_ns is not None and until_ns <= max(now_ns, terms.good_after_ns or 0):
        return _refusal(request, "good till: that time is in the past, or before the time the order begins to work")
    if terms.algo is not None and (
        kind not in (OrdType.MARKET, OrdType.LIMIT) or request.time_in_force is not TimeInForce.DAY
    ):
        return _refusal(request, f"algo {terms.algo.name}: only market and limit DAY orders go to an algorithm")
    return None


def _refusal(request: OrderRequest, text: str) -> Refusal:
    return Refusal(rule=RULE, text=text, asked=str(request.order_qty))
