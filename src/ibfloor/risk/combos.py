"""Orders for combinations: every leg passes every rule as if it were sent alone, and all are reserved, or none.

The combination itself has a price, which is judged against those of its legs; a position it has not.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from ibfloor.model.combo import combo_terms, flaw_of, leg_side
from ibfloor.model.instrument import Instrument, Leg
from ibfloor.model.order import OrderRequest, OrdType, Refusal, TimeInForce
from ibfloor.model.terms import PLAIN
from ibfloor.risk.context import PriceReference, RuleContext
from ibfloor.risk.gate import RiskGate
from ibfloor.risk.seats import Seat

RULE = "combo"
_ZERO = Decimal(0)
_HUNDRED = Decimal(100)
_TYPES = (OrdType.MARKET, OrdType.LIMIT)
References = Sequence[PriceReference | None]
"""Of each leg, the price on the side it trades at."""
Parts = list[tuple[Seat, OrderRequest, RuleContext]]


def check_and_reserve_combo(
    gate: RiskGate, request: OrderRequest, instrument: Instrument, references: References, now_ns: int
) -> Refusal | None:
    """Reserve the worst case of a new order on every leg, or say which rule refuses which leg."""
    refusal, parts = _judge(gate, request, instrument, references, now_ns, request.order_qty, is_new=True)
    if refusal is None:
        _approve(gate, parts)
        gate.judge.open(request)
    return refusal


def check_replace_combo(
    gate: RiskGate, request: OrderRequest, instrument: Instrument, references: References, now_ns: int
) -> Refusal | None:
    """Reserve the larger of a working order's old and new worst case on every leg."""
    reservation = gate.reservations.get(request.cl_ord_id)
    if reservation is None or (reservation.request.terms, reservation.request.side) != (request.terms, request.side):
        return _refusal(f"{request.cl_ord_id} is no working order for this combination")
    added = max(request.order_qty - reservation.cum_qty - reservation.outstanding, _ZERO)
    refusal, parts = _judge(gate, request, instrument, references, now_ns, added, is_new=False)
    if refusal is None:
        _approve(gate, parts)
        gate.reservations.change(request)
    return refusal


def _judge(
    gate: RiskGate,
    request: OrderRequest,
    instrument: Instrument,
    references: References,
    now_ns: int,
    added: Decimal,
    *,
    is_new: bool,
) -> tuple[Refusal | None, Parts]:
    refusal = _flaw(request, instrument) or _price_flaw(gate, request, instrument, references)
    parts: Parts = []
    held: list[tuple[OrderRequest, Decimal]] = []
    for leg, reference in zip(instrument.legs, references, strict=True):
        if refusal is not None:
            break
        part, more = _part(request, leg, reference), added * abs(leg.ratio)
        is_repeated = is_new and gate.judge.intents.has(request.strategy, request.cl_ord_id)
        seat = gate.seats.seat(part.strategy, leg.instrument)
        context = gate.judge.context(
            seat, part, leg.instrument, reference, now_ns, more, is_change=not is_new, is_repeated=is_repeated
        )
        if (impact := gate.previews.latest(request.strategy, request.instrument_id, request.side)) is not None:
            # What the broker said of the whole holds for each leg: it is not asked about legs alone.
            is_fresh = now_ns - impact.ts_ns <= context.windows.preview_age_ns
            context.preview = replace(impact, order_qty=impact.order_qty * abs(leg.ratio)) if is_fresh else None
        refusal = gate.judge.ask(seat, part, context)
        if refusal is not None:
            if is_new:
                gate.judge.note_refused(part, refusal, now_ns)
            refusal = replace(refusal, text=f"leg {leg.instrument.local_symbol}: {refusal.text}")
        elif context.worst_px is not None:
            gate.mark(leg.instrument, context.worst_px)
        parts.append((seat, part, context))
        # The next leg is judged with this one reserved: limits of the account hold for all together.
        gate.exposures.reserve(part.strategy, part.instrument_id, part.side, more)
        held.append((part, more))
    for part, more in held:
        gate.exposures.reserve(part.strategy, part.instrument_id, part.side, -more)
    return refusal, parts


def _approve(gate: RiskGate, parts: Parts) -> None:
    seat, request, context = parts[0]
    gate.judge.intents.add(request.strategy, request.cl_ord_id)
    gate.judge.take(seat, request, context)
    for seat, request, context in parts[1:]:
        gate.judge.note(seat, request, context)


def _part(request: OrderRequest, leg: Leg, reference: PriceReference | None) -> OrderRequest:
    is_limit = request.ord_type is OrdType.LIMIT and reference is not None
    terms = replace(request.asks, combo=None)
    return replace(
        request,
        instrument_id=leg.instrument.instrument_id,
        side=leg_side(request.side, leg.ratio),
        order_qty=request.order_qty * abs(leg.ratio),
        ord_type=OrdType.LIMIT if is_limit else OrdType.MARKET,
        limit_px=reference.px if is_limit and reference is not None else None,
        terms=None if terms == PLAIN else terms,
    )


def _flaw(request: OrderRequest, instrument: Instrument) -> Refusal | None:
    terms = request.asks
    if text := flaw_of(instrument.legs):
        return _refusal(text)
    if terms.combo != combo_terms(instrument):
        return _refusal("the order names other legs than it was checked against")
    if request.ord_type not in _TYPES:
        return _refusal(f"an order for a combination is a market or a limit order, not {request.ord_type}")
    if terms.bracket or terms.oca is not None or terms.algo is not None:
        return _refusal("an order for a combination stands alone: no bracket, no group, no algorithm")
    if request.time_in_force is TimeInForce.AT_OPEN:
        return _refusal("combinations do not trade in the auctions")
    if not request.order_qty.is_finite() or request.order_qty <= 0 or request.order_qty % 1:
        return _refusal("combinations are ordered in whole numbers above zero")
    limit = request.limit_px
    if (limit is None) is (request.ord_type is OrdType.LIMIT):
        return _refusal(f"the prices given do not fit an order of type {request.ord_type}")
    if limit is not None and not (limit.is_finite() and instrument.is_on_grid(limit)):
        return Refusal(
            rule=RULE,
            text="the price is not on the combination's grid",
            limit=str(instrument.min_tick),
            asked=str(limit),
        )
    return None


def _price_flaw(
    gate: RiskGate, request: OrderRequest, instrument: Instrument, references: References
) -> Refusal | None:
    pct, limit = gate.limits.of(request.strategy).collar_pct, request.limit_px
    known = [each.px for each in references if each is not None]
    if limit is None or pct is None or len(known) < len(references):
        return None  # a leg without a price is refused by itself, unless all the order does is reduce
    market = sum((leg.ratio * px for leg, px in zip(instrument.legs, known, strict=True)), _ZERO)
    # A spread may be worth nothing at all: the share is then one of its cheapest leg.
    share = max(abs(market), min(abs(leg.ratio * px) for leg, px in zip(instrument.legs, known, strict=True)))
    if (limit - market) * request.side.sign <= share * pct / _HUNDRED:
        return None
    return Refusal(
        rule="collar",
        text=f"the price is more than {pct} % through what the legs cost now, {market}",
        limit=f"{pct} %",
        asked=str(limit),
    )


def _refusal(text: str) -> Refusal:
    return Refusal(rule=RULE, text=text)
