"""One order and what is remembered beside it; ``step`` is the order's whole life as a pure function."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec.structs import replace

from ibfloor.execution.transitions import TRANSITIONS, Report
from ibfloor.model.fact import (
    CancelRequested,
    Fact,
    OrderDoubted,
    OrderForked,
    OrderHanded,
    OrderRejected,
    OrderReported,
    OrderWarned,
    ReplaceRequested,
)
from ibfloor.model.ids import InstrumentId
from ibfloor.model.order import Order, OrderRequest, OrdStatus
from ibfloor.model.terms import Combo

_ZERO = Decimal(0)


class Traded(msgspec.Struct, frozen=True):
    """Executions of one contract: quantity, and quantity times price."""

    instrument_id: InstrumentId
    qty: Decimal
    notional: Decimal


class Tracked(msgspec.Struct, frozen=True, gc=False):
    """An order with what its value alone does not tell."""

    order: Order
    notional: Decimal = _ZERO
    """Sum of quantity times price over the executions: keeps the average exact."""
    change: OrderRequest | None = None
    """The change asked for and not yet answered; the order's request stays the old one until then."""
    due: tuple[Report, Decimal] | None = None
    """The end the broker reported, and the filled quantity that the executions must reach first."""
    legs: tuple[Traded, ...] = ()
    """Of a combination: what each leg has traded, in the order of its legs."""


_REPORTED = {
    OrdStatus.PENDING_NEW: Report.PENDING_NEW,
    OrdStatus.NEW: Report.WORKING,
    OrdStatus.PARTIALLY_FILLED: Report.WORKING,
    OrdStatus.PENDING_CANCEL: Report.PENDING_CANCEL,
    OrdStatus.PENDING_REPLACE: Report.PENDING_REPLACE,
    OrdStatus.FILLED: Report.COMPLETE,
    OrdStatus.CANCELED: Report.CANCELED,
    OrdStatus.REJECTED: Report.REJECTED,
    OrdStatus.UNKNOWN: Report.DOUBTED,
}
_DUE = {Report.COMPLETE: Report.FILLS_DUE, Report.CANCELED: Report.CANCELED_FILLS_DUE}


def step(tracked: Tracked, fact: Fact) -> Tracked:
    """Return what is known after a fact that is no execution; the same object when nothing changed."""
    match fact:
        case OrderReported():
            return _reported(tracked, fact)
        case OrderRejected():
            # A refusal after a change was asked for is of the change: the order itself was taken before.
            refused = Report.REJECTED if tracked.change is None else Report.CHANGE_REFUSED
            return _moved(tracked, refused, fact, text=fact.text)
        case OrderWarned():
            return _noted(tracked, fact, fact.text)
        case OrderForked():
            return _forked(tracked, fact)
        case OrderHanded():
            return _handed(tracked, fact)
        case OrderDoubted():
            return _moved(tracked, Report.DOUBTED, fact, text=fact.reason)
        case CancelRequested():
            return _cancel_asked(tracked, _moved(tracked, Report.CANCEL_REQUESTED, fact, text=fact.reason))
        case ReplaceRequested():
            return _replacing(tracked, fact)
        case _:
            return tracked


def executed(tracked: Tracked, traded: Traded, fact: Fact) -> Tracked:
    """Return what is known after executions changed by a quantity and its worth (negative: taken back).

    An order for a combination has filled as far as all its legs have.
    """
    order, legs = tracked.order, tracked.legs
    if order.request.terms is not None and order.request.terms.combo is not None:
        legs = _with_leg(order.request.terms.combo, legs, traded)
        cum_qty, total = _of_legs(order.request.terms.combo, legs)
        qty = cum_qty - order.cum_qty
    else:
        qty = traded.qty
        cum_qty = order.cum_qty + qty if order.cum_qty else qty  # most have one fill: it keeps its number
        total = tracked.notional + traded.notional
    avg_px = total / cum_qty if cum_qty else _ZERO
    status = TRANSITIONS[order.status][_executions_say(tracked, cum_qty, qty)].to
    due = tracked.due
    if due is not None and cum_qty >= due[1] and not status.is_done:
        status, due = TRANSITIONS[status][due[0]].to, None
    request = order.request
    if tracked.change is not None and cum_qty > request.order_qty:
        request = tracked.change  # it filled more than it asked for before: the change has arrived
    status = _by_quantity(status, cum_qty, request)
    changed = replace(
        order,
        request=request,
        status=status,
        cum_qty=cum_qty,
        avg_px=avg_px,
        told_qty=order.told_qty if cum_qty < order.told_qty else _ZERO,
        ts_updated_ns=fact.ts_init_ns,
    )
    return Tracked(changed, total, None if status.is_done else tracked.change, due, legs)


def _with_leg(combo: Combo, legs: tuple[Traded, ...], traded: Traded) -> tuple[Traded, ...]:
    known = legs or tuple(Traded(leg.instrument_id, _ZERO, _ZERO) for leg in combo.legs)
    return tuple(
        Traded(each.instrument_id, each.qty + traded.qty, each.notional + traded.notional)
        if each.instrument_id == traded.instrument_id
        else each
        for each in known
    )


def _of_legs(combo: Combo, legs: tuple[Traded, ...]) -> tuple[Decimal, Decimal]:
    # Whole combinations only: a leg that is ahead of the others has traded nothing of one yet.
    qty = min(traded.qty // abs(leg.ratio) for leg, traded in zip(combo.legs, legs, strict=True))
    if qty <= 0:
        return _ZERO, _ZERO
    px = sum((leg.ratio * traded.notional / traded.qty for leg, traded in zip(combo.legs, legs, strict=True)), _ZERO)
    return qty, qty * px


def _cancel_asked(before: Tracked, after: Tracked) -> Tracked:
    if before.order.is_cancel_asked or after is before:
        return after
    return Tracked(replace(after.order, is_cancel_asked=True), after.notional, after.change, after.due, after.legs)


def adopted(tracked: Tracked, fact: Fact, text: str) -> Tracked:
    """Return what is known once the broker's own list shows the order working."""
    return _moved(tracked, Report.ADOPTED, fact, text=text)


def _executions_say(tracked: Tracked, cum_qty: Decimal, qty: Decimal) -> Report:
    wanted = tracked.order.request.order_qty
    if tracked.change is not None:  # a larger quantity may be at the broker already
        wanted = max(wanted, tracked.change.order_qty)
    if cum_qty >= wanted:
        return Report.FILLED_IN_FULL
    return Report.FILLED_IN_PART if qty >= 0 else Report.CORRECTED


def _by_quantity(status: OrdStatus, cum_qty: Decimal, request: OrderRequest) -> OrdStatus:
    if status is not OrdStatus.NEW and status is not OrdStatus.PARTIALLY_FILLED:
        return status
    if cum_qty >= request.order_qty:
        return OrdStatus.FILLED
    return OrdStatus.PARTIALLY_FILLED if cum_qty else OrdStatus.NEW


def _reported(tracked: Tracked, fact: OrderReported) -> Tracked:
    order = tracked.order
    report = _REPORTED[fact.status]
    due = None
    if report in _DUE and not order.status.is_done:
        # A filled order without a quantity would be nonsense: all of it is meant.
        told = fact.cum_qty or (order.request.order_qty if report is Report.COMPLETE else _ZERO)
        if told > order.cum_qty:
            due = (report, told)
            report = _DUE[report]
    return _moved(tracked, report, fact, text=fact.text, perm_id=fact.perm_id, due=due, order_qty=fact.order_qty)


def _moved(
    tracked: Tracked,
    report: Report,
    fact: Fact,
    *,
    text: str = "",
    perm_id: int = 0,
    due: tuple[Report, Decimal] | None = None,
    order_qty: Decimal | None = None,
) -> Tracked:
    order = tracked.order
    to = TRANSITIONS[order.status][report].to
    request, change = _change_answered(tracked, report, to, order_qty)
    if change is None and order_qty is not None and report is Report.WORKING and not to.is_done:
        request = _resized(request, order_qty, order.cum_qty)
    status = _by_quantity(to, order.cum_qty, request)
    due = due or tracked.due
    is_new_id = perm_id > 0 and perm_id not in order.perm_ids
    is_new_text = bool(text) and text != order.text and not (order.status.is_done and status is order.status)
    is_same = status is order.status and change is tracked.change and due == tracked.due and request is order.request
    if is_same and not is_new_id and not is_new_text:
        return tracked
    changed = replace(
        order,
        request=request,
        status=status,
        perm_ids=(*order.perm_ids, perm_id) if is_new_id else order.perm_ids,
        told_qty=order.told_qty if due is None else max(order.told_qty, due[1]),
        text=text or order.text,
        ts_updated_ns=fact.ts_init_ns,
    )
    return Tracked(changed, tracked.notional, change, None if status.is_done else due, tracked.legs)


def _resized(request: OrderRequest, order_qty: Decimal, cum_qty: Decimal) -> OrderRequest:
    # The broker makes an exit smaller as another of its group fills. What it fills or ends, it says otherwise.
    return request if order_qty in (request.order_qty, cum_qty) else replace(request, order_qty=order_qty)


def _change_answered(
    tracked: Tracked, report: Report, status: OrdStatus, order_qty: Decimal | None
) -> tuple[OrderRequest, OrderRequest | None]:
    request, change = tracked.order.request, tracked.change
    is_open = status is OrdStatus.PENDING_REPLACE or status is OrdStatus.UNKNOWN
    if change is not None and report is Report.WORKING and tracked.order.status is OrdStatus.UNKNOWN:
        # It works, but whether as it was or as changed is not said: assume the larger, and ask.
        if order_qty is not None and request.order_qty != change.order_qty:
            return (change if order_qty == change.order_qty else request), None
        return max(request, change, key=lambda each: each.order_qty), None
    if change is None or (is_open and report is not Report.CHANGE_REFUSED):
        return request, change
    return (change if report is Report.WORKING else request), None


def _noted(tracked: Tracked, fact: OrderWarned, text: str) -> Tracked:
    if text == tracked.order.text:
        return tracked
    order = replace(tracked.order, text=text, ts_updated_ns=fact.ts_init_ns)
    return Tracked(order, tracked.notional, tracked.change, tracked.due, tracked.legs)


def _forked(tracked: Tracked, fact: OrderForked) -> Tracked:
    order = tracked.order
    listed = ", ".join(str(perm_id) for perm_id in fact.perm_ids)
    text = f"works at the broker under {listed}: canceling until none is left"
    new = tuple(perm_id for perm_id in fact.perm_ids if perm_id not in order.perm_ids)
    if not new and text == order.text:
        return tracked
    order = replace(order, perm_ids=(*order.perm_ids, *new), text=text, ts_updated_ns=fact.ts_init_ns)
    return Tracked(order, tracked.notional, tracked.change, tracked.due, tracked.legs)


def _handed(tracked: Tracked, fact: OrderHanded) -> Tracked:
    order, change = tracked.order, tracked.change
    if order.status.is_done or order.request.strategy == fact.strategy:
        return tracked
    order = replace(order, request=replace(order.request, strategy=fact.strategy), ts_updated_ns=fact.ts_init_ns)
    change = None if change is None else replace(change, strategy=fact.strategy)
    return Tracked(order, tracked.notional, change, tracked.due)


def _replacing(tracked: Tracked, fact: ReplaceRequested) -> Tracked:
    order = tracked.order
    status = TRANSITIONS[order.status][Report.REPLACE_REQUESTED].to
    if status.is_done or status is OrdStatus.PENDING_CANCEL or tracked.change == fact.request:
        return tracked
    if order.status is OrdStatus.UNKNOWN:
        return tracked  # nobody may change what nobody knows
    order = replace(order, status=status, ts_updated_ns=fact.ts_init_ns)
    return Tracked(order, tracked.notional, fact.request, tracked.due, tracked.legs)
