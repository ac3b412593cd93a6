"""The risk gate: checks an order against every rule and reserves its worst case in one go.

Worst case = what is held, plus all that may still fill on the worse side, orders of unknown fate
included. A reservation is taken before the order is sent and given back only as the order's fills
arrive or its end is proven. Pure and single-threaded: whoever shares it holds a lock around each call.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

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
from ibfloor.model.order import Order, OrderRequest, OrdStatus, Refusal, Refused, Side
from ibfloor.model.risk_fact import LimitsChanged, Restraint, RestrictionLifted, TradingRestricted
from ibfloor.risk import kill
from ibfloor.risk.confirmations import Confirmations
from ibfloor.risk.context import Desk, PriceReference, RuleContext
from ibfloor.risk.exposure import Exposures
from ibfloor.risk.figures import MarketFigures
from ibfloor.risk.holdings import Holdings
from ibfloor.risk.intents import UsedIntents
from ibfloor.risk.limits import RiskLimits
from ibfloor.risk.limits_in_force import LimitsInForce
from ibfloor.risk.losses import Losses
from ibfloor.risk.margin import MarginBook
from ibfloor.risk.permission import Permissions
from ibfloor.risk.previews import Previews
from ibfloor.risk.reservations import Reservations
from ibfloor.risk.rules import DISABLING, FAULTS, fat_finger, shape
from ibfloor.risk.seats import Seat, Seats
from ibfloor.risk.usage import RiskUsage, Tally
from ibfloor.risk.working import WorkingBook

__all__ = ["Approved", "PriceReference", "RiskGate"]

_ZERO = Decimal(0)
_POSITION_KEY = "position:"
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
        self.figures: dict[InstrumentId, MarketFigures] = {}
        """Each instrument's usual day, as far as history told it."""
        self.confirmations = Confirmations()
        self.trips: list[TradingRestricted] = []
        """Facts of what a rule did to a strategy, for whoever journals them; taken and cleared by them."""
        self.losses: dict[StrategyId, Losses] = {}
        """What each strategy has lost today, and fallen from its best, as last valued."""
        self._working = WorkingBook()
        self._desk = Desk(
            exposures=self.exposures,
            permissions=self.permissions,
            working=self._working,
            margin=self.margin,
            previews=self.previews,
            reservations=self.reservations,
            is_live=is_live,
        )
        self.seats = Seats(limits, self._desk)
        self._holdings = Holdings(self.exposures, self.margin)
        self._intents = UsedIntents()
        self._tally = Tally()

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
            return Refused(request.cl_ord_id, self._tally.refused(flaw))
        number = intent_number(request.cl_ord_id)
        is_repeated = self._intents.has_number(request.strategy, number)
        added = request.order_qty if request.terms is None else self.reservations.added_by(request)
        seat = self.seats.seat(request.strategy, instrument)
        context = self._context(seat, request, instrument, reference, now_ns, added, is_repeated=is_repeated)
        refusal = self._ask(seat, request, context)
        if refusal is not None:
            self._note_refused(request, refusal, now_ns)
            return Refused(request.cl_ord_id, refusal)
        self._intents.add_number(request.strategy, number)
        self._take(seat, request, context)
        self._open(request)
        self._working.put(request)
        return Approved(request, self.limits.version)

    def check_replace(
        self, request: OrderRequest, instrument: Instrument, reference: PriceReference | None, now_ns: int
    ) -> Approved | Refused:
        """Reserve the larger of a working order's old and new worst case; every rule is asked again."""
        if (flaw := shape.check_basics(request, instrument)) is not None:
            return Refused(request.cl_ord_id, self._tally.refused(flaw))
        reservation = self.reservations.get(request.cl_ord_id)
        if reservation is None or not _is_same_order(request, reservation.request):
            text = f"{request.cl_ord_id} is no working order with this instrument and side"
            return Refused(request.cl_ord_id, self._tally.refused(Refusal(rule="replace", text=text)))
        added = max(request.order_qty - reservation.cum_qty - reservation.outstanding, _ZERO)
        seat = self.seats.seat(request.strategy, instrument)
        context = self._context(seat, request, instrument, reference, now_ns, added, is_change=True)
        refusal = self._ask(seat, request, context)
        if refusal is not None:
            return Refused(request.cl_ord_id, refusal)
        self._take(seat, request, context)
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
        return self._tally.refused(Refusal(rule="permission", text=text))

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
                self._intents.add(fact.request.strategy, fact.request.cl_ord_id)
                self.seats.habits(fact.request.strategy, fact.request.instrument_id).note_size(fact.request.order_qty)
            case OrderRefused():
                self._intents.add(fact.request.strategy, fact.request.cl_ord_id)
            case BreakFound() if fact.key.startswith(_POSITION_KEY):
                self.lock(InstrumentId(int(fact.key.removeprefix(_POSITION_KEY))), fact.text)
            case BreakCleared() if fact.key.startswith(_POSITION_KEY):
                self.unlock(InstrumentId(int(fact.key.removeprefix(_POSITION_KEY))))
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
        return self._tally.usage(self.limits, self._desk, self.seats, now_ns)

    def _kill_text(self, request: OrderRequest) -> str | None:
        texts = (self.permissions.kill_text(request.strategy, key) for key in request.contracts)
        return next((text for text in texts if text), None)

    def _ask(self, seat: Seat, request: OrderRequest, context: RuleContext) -> Refusal | None:
        for check in seat.checks:
            refusal = check(request, context)
            if refusal is not None:
                self._after_refusal(seat, request, context, refusal)
                return self._tally.refused(refusal)
        return None

    def _after_refusal(self, seat: Seat, request: OrderRequest, context: RuleContext, refusal: Refusal) -> None:
        if refusal.rule in DISABLING:
            fact = TradingRestricted(
                ts_event_ns=context.now_ns,
                ts_init_ns=context.now_ns,
                strategy=request.strategy,
                restraint=Restraint.DISABLED,
                rule=refusal.rule,
                reason=refusal.text.partition(";")[0],
            )
            self.permissions.restrain(fact)
            self.trips.append(fact)
        elif refusal.rule in FAULTS:
            seat.activity.rejects += 1

    def _note_refused(self, request: OrderRequest, refusal: Refusal, now_ns: int) -> None:
        if refusal.rule == fat_finger.RULE:
            self.confirmations.note(request, now_ns)

    def _open(self, request: OrderRequest) -> None:
        self.reservations.open(request)
        self.seats.activity(request.strategy).open_orders.add(request.cl_ord_id)

    def _take(self, seat: Seat, request: OrderRequest, context: RuleContext) -> None:
        now_ns = context.now_ns
        for bucket in context.buckets:
            if bucket is not None:
                bucket.take(now_ns)
        if not (context.is_change or context.is_reduction):
            if seat.limits.repeat_entries_max is not None:
                seat.activity.entries.append(now_ns)
            if seat.limits.duplicate_window_s is not None:
                seat.habits.note_sent(request, now_ns)
        self._note(seat, request, context)

    def _note(self, seat: Seat, request: OrderRequest, context: RuleContext) -> None:
        self._tally.approved(request, context)
        is_entry = not (context.is_change or context.is_reduction)
        if context.is_confirmed and is_entry and fat_finger.is_on(seat.limits, context.account):
            self.confirmations.use(request)
        self.permissions.name(context.instrument)
        slot, unit_px = context.account_slot, context.unit_px
        if unit_px is not None and (slot.unit_px != unit_px or slot.currency != context.instrument.currency):
            self.exposures.price(request.instrument_id, unit_px, context.instrument.currency)
        if seat.wants.margin and context.unit_margin is not None and slot.unit_margin != context.unit_margin:
            self.exposures.margin(request.instrument_id, context.unit_margin)

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

    def _context(
        self,
        seat: Seat,
        request: OrderRequest,
        instrument: Instrument,
        reference: PriceReference | None,
        now_ns: int,
        added_qty: Decimal,
        *,
        is_change: bool = False,
        is_repeated: bool = False,
    ) -> RuleContext:
        context, side = seat.context, request.side
        context.instrument, context.reference, context.now_ns = instrument, reference, now_ns
        context.worst_px = worst_px = None if reference is None else _worst_px(request, reference.px)
        context.rate = rate = self.exposures.rate(instrument.currency)
        context.unit_px = unit_px = None if worst_px is None else abs(worst_px) * instrument.multiplier
        context.unit_value = unit = None if unit_px is None or rate is None else unit_px * rate
        slot, account = context.slot, context.account_slot
        context.added_qty = added_qty
        if side is Side.BUY:
            context.worst_on = slot.qty + slot.buys + added_qty
            context.account_worst_on = account.qty + account.buys + added_qty
            other = account.qty - account.sells
        else:
            context.worst_on = slot.qty - slot.sells - added_qty
            context.account_worst_on = account.qty - account.sells - added_qty
            other = account.qty + account.buys
        context.account_worst = max(abs(context.account_worst_on), abs(other))
        held = slot.qty
        context.is_reduction = (
            (context.worst_on >= 0 if side is Side.SELL else False)
            if held > 0
            else (side is Side.BUY and held < 0 and context.worst_on <= 0)
        )
        context.is_change, context.is_repeated = is_change, is_repeated
        if seat.wants.gross:
            context.gross = (
                None if unit is None else self.exposures.gross_with(request.instrument_id, context.account_worst * unit)
            )
        if seat.wants.preview:
            self._fill_margin(seat, request, context)
        context.figures = self.figures.get(request.instrument_id) if self.figures else None
        leaving = self.permissions.leaving
        context.buckets = seat.leaving if leaving and request.strategy in leaving else seat.entering
        context.is_confirmed = bool(self.confirmations) and self.confirmations.has(request, now_ns)
        return context

    def _fill_margin(self, seat: Seat, request: OrderRequest, context: RuleContext) -> None:
        impact = self.previews.latest(request.strategy, request.instrument_id, request.side)
        is_fresh = impact is not None and context.now_ns - impact.ts_ns <= context.windows.preview_age_ns
        context.preview = impact = impact if is_fresh else None
        if not seat.wants.margin:
            return
        each = None if impact is None else impact.initial.change / impact.order_qty
        if each is not None and each > 0:
            context.unit_margin = each
        else:
            context.unit_margin = None if context.unit_value is None else context.unit_value * seat.margin_share


def _worst_px(request: OrderRequest, market_px: Decimal) -> Decimal:
    own_px = request.limit_px if request.limit_px is not None else request.stop_px
    return market_px if own_px is None else max(market_px, own_px)


def _is_same_order(request: OrderRequest, known: OrderRequest) -> bool:
    return (request.strategy, request.instrument_id, request.side) == (
        known.strategy,
        known.instrument_id,
        known.side,
    )
