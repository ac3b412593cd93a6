"""The risk gate: checks an order against every rule and reserves its worst case in one go.

Worst case = what is held, plus all that may still fill on the worse side, orders of unknown fate
included. A reservation is taken before the order is sent and given back only as the order's fills
arrive or its end is proven. Pure and single-threaded: whoever shares it holds a lock around each call.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from ibfloor.model.booking import instrument_in
from ibfloor.model.entry import BookEntry
from ibfloor.model.fact import (
    BreakCleared,
    BreakFound,
    Fact,
    OrderFilled,
    OrderRefused,
    OrderRejected,
    OrderReported,
    OrderSubmitted,
    PositionMoved,
)
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId, intent_number
from ibfloor.model.instrument import Instrument
from ibfloor.model.money import Currency
from ibfloor.model.order import Order, OrderRequest, OrdStatus, Refusal, Refused
from ibfloor.model.risk_fact import LimitsChanged, RestrictionLifted, TradingRestricted
from ibfloor.risk import kill
from ibfloor.risk.context import Desk, PriceReference
from ibfloor.risk.exposure import Exposures
from ibfloor.risk.holdings import Holdings
from ibfloor.risk.judge import Judge
from ibfloor.risk.limits import RiskLimits
from ibfloor.risk.limits_in_force import LimitsInForce
from ibfloor.risk.losses import Losses
from ibfloor.risk.margin import MarginBook
from ibfloor.risk.permission import Permissions
from ibfloor.risk.previews import Previews
from ibfloor.risk.reservations import Reservations
from ibfloor.risk.rules import shape
from ibfloor.risk.usage import RiskUsage
from ibfloor.risk.working import WorkingBook

__all__ = ["Approved", "PriceReference", "RiskGate"]

_ZERO = Decimal(0)
_TAKEN = frozenset({OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED, OrdStatus.FILLED})


class Approved(msgspec.Struct, frozen=True):
    """The order may be sent; its worst case is reserved."""

    request: OrderRequest
    limits_version: int


class RiskGate:
    """Every order's one way out. ``permissions`` holds what is shut, paused, locked or killed."""

    def __init__(self, limits: RiskLimits, *, is_live: bool = False) -> None:
        self.limits = limits
        """In force; every approval records their version."""
        self.in_force = LimitsInForce(limits)
        self.permissions = Permissions()
        self.exposures = Exposures(limits.base_currency)
        self.reservations = Reservations(self.exposures)
        self.previews = Previews()
        """What the broker said of orders that were not sent yet."""
        self.margin = MarginBook()
        self.losses: dict[StrategyId, Losses] = {}
        """What each strategy has lost today, and fallen from its best, as last valued."""
        self._working = WorkingBook()
        self._desk = desk = Desk(
            exposures=self.exposures,
            permissions=self.permissions,
            working=self._working,
            margin=self.margin,
            previews=self.previews,
            reservations=self.reservations,
            is_live=is_live,
        )
        self.judge = judge = Judge(limits, desk)
        self.seats, self.confirmations = judge.seats, judge.confirmations
        self.figures, self.trips = judge.figures, judge.trips
        self._holdings = Holdings(self.exposures, self.margin)

    def set_rates(self, to_base: Mapping[Currency, Decimal]) -> None:
        """Take new exchange rates: what one unit of each currency is worth in the base currency."""
        self.exposures.set_rates(dict(to_base))

    def mark(self, instrument: Instrument, px: Decimal) -> None:
        """Take a newer price of an instrument, for exposures."""
        self.exposures.price(instrument.instrument_id, abs(px) * instrument.multiplier, instrument.currency)

    def check_and_reserve(
        self, request: OrderRequest, instrument: Instrument, reference: PriceReference | None, now_ns: int
    ) -> Approved | Refused:
        """Reserve a new order's worst case, or say which rule refuses it; market time in ns."""
        if (flaw := shape.check_basics(request, instrument)) is not None:
            return Refused(request.cl_ord_id, self.judge.tally.refused(flaw))
        number = intent_number(request.cl_ord_id)
        is_repeated = self.judge.intents.has_number(request.strategy, number)
        added = request.order_qty if request.terms is None else self.reservations.added_by(request)
        seat = self.seats.seat(request.strategy, instrument)
        context = self.judge.context(seat, request, instrument, reference, now_ns, added, is_repeated=is_repeated)
        refusal = self.judge.ask(seat, request, context)
        if refusal is not None:
            self.judge.note_refused(request, refusal, now_ns)
            return Refused(request.cl_ord_id, refusal)
        self.judge.intents.add_number(request.strategy, number)
        self.judge.take(seat, request, context)
        self.judge.open(request)
        self._working.put(request)
        return Approved(request, self.limits.version)

    def check_replace(
        self, request: OrderRequest, instrument: Instrument, reference: PriceReference | None, now_ns: int
    ) -> Approved | Refused:
        """Reserve the larger of a working order's old and new worst case; every rule is asked again."""
        if (flaw := shape.check_basics(request, instrument)) is not None:
            return Refused(request.cl_ord_id, self.judge.tally.refused(flaw))
        reservation = self.reservations.get(request.cl_ord_id)
        if reservation is None or not _is_same_order(request, reservation.request):
            text = f"{request.cl_ord_id} is no working order with this instrument and side"
            return Refused(request.cl_ord_id, self.judge.tally.refused(Refusal(rule="replace", text=text)))
        added = max(request.order_qty - reservation.cum_qty - reservation.outstanding, _ZERO)
        seat = self.seats.seat(request.strategy, instrument)
        context = self.judge.context(seat, request, instrument, reference, now_ns, added, is_change=True)
        refusal = self.judge.ask(seat, request, context)
        if refusal is not None:
            return Refused(request.cl_ord_id, refusal)
        self.judge.take(seat, request, context)
        self.reservations.change(request)
        self._working.put_nearer(request)
        return Approved(request, self.limits.version)

    def recheck(self, request: OrderRequest) -> Refusal | None:
        """Say why a reserved order must not go out after all: nothing passes any more."""
        allowed = self.permissions
        if allowed.holds:
            why = allowed.shut_reason
        elif allowed.kills and (text := self._kill_text(request)):
            why = text
        elif request.strategy in allowed.paused and not allowed.kill.is_latched:
            why = f"{request.strategy} is paused: {allowed.paused[request.strategy]}"
        else:
            return None
        text = f"the gate was shut while the order was on its way out: {why}"
        return self.judge.tally.refused(Refusal(rule="permission", text=text))

    def release(self, cl_ord_id: ClientOrderId) -> None:
        """Give back the reservation of an order that was certainly not sent."""
        reservation = self.reservations.get(cl_ord_id)
        if reservation is not None:
            self.seats.activity(reservation.request.strategy).open_orders.discard(cl_ord_id)
        self._working.remove(cl_ord_id)
        self.reservations.close(cl_ord_id)

    def release_replace(self, cl_ord_id: ClientOrderId) -> None:
        """Give back the reservation of a change that was certainly not sent."""
        self.reservations.drop_change(cl_ord_id)
        reservation = self.reservations.get(cl_ord_id)
        if reservation is not None:
            self._working.put(reservation.request)

    def apply(self, fact: Fact, order: Order | None = None) -> None:
        """Take a fact that is news, with the order as it is after it (from the order table)."""
        match fact:
            case OrderFilled():
                self._holdings.fill(fact)
            case PositionMoved():
                self._holdings.move(fact)
            case BookEntry():
                self._holdings.enter(fact)
            case OrderSubmitted():
                self.judge.intents.add(fact.request.strategy, fact.request.cl_ord_id)
                self.seats.habits(fact.request.strategy, fact.request.instrument_id).note_size(fact.request.order_qty)
            case OrderRefused():
                self.judge.intents.add(fact.request.strategy, fact.request.cl_ord_id)
            case BreakFound() if (broken := instrument_in(fact.key)) is not None:
                self.lock(broken, fact.text)
            case BreakCleared() if (mended := instrument_in(fact.key)) is not None:
                self.unlock(mended)
            case LimitsChanged():
                if self.in_force.apply(fact):
                    self.limits = self.in_force.now
                    self.seats.change(self.limits)
            case TradingRestricted():
                self.permissions.restrain(fact)
            case RestrictionLifted():
                self.permissions.lift(fact.strategy)
                activity = self.seats.activity(fact.strategy)
                activity.rejects = 0
                activity.entries.clear()
            case _:
                kill.all_after(self.permissions.kills, fact)
        if order is not None:
            self._follow(order, fact)

    def block(self, name: str, reason: str) -> None:
        """Let nothing pass until the hold of this name is lifted."""
        self.permissions.holds[name] = reason

    def unblock(self, name: str) -> None:
        """Lift a hold; others stay."""
        self.permissions.holds.pop(name, None)

    def pause(self, strategy: StrategyId, reason: str = "paused") -> None:
        """Refuse a strategy's new orders."""
        self.permissions.paused[strategy] = reason

    def resume(self, strategy: StrategyId) -> None:
        """Let a strategy's orders pass again."""
        self.permissions.paused.pop(strategy, None)

    def lock(self, instrument_id: InstrumentId, reason: str) -> None:
        """Refuse entries in an instrument; orders that reduce still pass."""
        self.permissions.locks[instrument_id] = reason

    def unlock(self, instrument_id: InstrumentId) -> None:
        """Allow entries in an instrument again."""
        self.permissions.locks.pop(instrument_id, None)

    def usage(self, now_ns: int) -> tuple[RiskUsage, ...]:
        """Return every rule with its limit and how much of it is used, for the screen."""
        return self.judge.tally.usage(self.limits, self._desk, self.seats, now_ns)

    def _kill_text(self, request: OrderRequest) -> str | None:
        texts = (self.permissions.kill_text(request.strategy, key) for key in request.contracts)
        return next((text for text in texts if text), None)

    def _follow(self, order: Order, fact: Fact) -> None:
        before = self.reservations.get(order.cl_ord_id)
        self.reservations.follow(order, fact)
        self.permissions.follow(order)
        request = order.request
        if before is not None and before.request.strategy != request.strategy:
            self.seats.activity(before.request.strategy).open_orders.discard(order.cl_ord_id)
            self._working.hand(order.cl_ord_id, request.strategy)
        activity = self.seats.activity(request.strategy)
        reservation = self.reservations.get(order.cl_ord_id)
        if reservation is None:
            self._working.remove(order.cl_ord_id)
            activity.open_orders.discard(order.cl_ord_id)
        else:
            activity.open_orders.add(order.cl_ord_id)
            if reservation.changed_qty is None and request.asks.combo is None:
                self._working.put(request)
        if isinstance(fact, OrderRejected) and fact.code and order.status is OrdStatus.REJECTED:
            activity.rejects += 1
        elif isinstance(fact, OrderFilled) or (isinstance(fact, OrderReported) and fact.status in _TAKEN):
            activity.rejects = 0


def _is_same_order(request: OrderRequest, known: OrderRequest) -> bool:
    return (request.strategy, request.instrument_id, request.side) == (
        known.strategy,
        known.instrument_id,
        known.side,
    )
