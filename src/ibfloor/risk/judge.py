"""Judging one order: its context is filled in, every rule asked, and what it uses up is taken once it passes.

The gate judges plain orders so; combinations and crosses, of which several parts pass together or none does,
judge part by part. Owned and locked like the gate that holds it.
"""

from __future__ import annotations

from decimal import Decimal

from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Instrument
from ibfloor.model.order import OrderRequest, Refusal, Side
from ibfloor.model.risk_fact import Restraint, TradingRestricted
from ibfloor.risk.confirmations import Confirmations
from ibfloor.risk.context import Desk, PriceReference, RuleContext
from ibfloor.risk.figures import MarketFigures
from ibfloor.risk.intents import UsedIntents
from ibfloor.risk.limits import RiskLimits
from ibfloor.risk.rules import DISABLING, FAULTS, fat_finger
from ibfloor.risk.seats import Seat, Seats
from ibfloor.risk.usage import Tally


class Judge:
    """Asks the rules, and keeps what they ask for beside positions and claims."""

    def __init__(self, limits: RiskLimits, desk: Desk) -> None:
        self.seats = Seats(limits, desk)
        self.confirmations = Confirmations()
        self.figures: dict[InstrumentId, MarketFigures] = {}
        """Each instrument's usual day, as far as history told it."""
        self.intents = UsedIntents()
        self.tally = Tally()
        self.trips: list[TradingRestricted] = []
        """Facts of what a rule did to a strategy, for whoever journals them; taken and cleared by them."""
        self.exposures, self.permissions = desk.exposures, desk.permissions
        self.reservations, self.previews = desk.reservations, desk.previews

    def ask(self, seat: Seat, request: OrderRequest, context: RuleContext) -> Refusal | None:
        """Ask every rule of a seat in its order; a refusal is counted, and may disable the strategy."""
        for check in seat.checks:
            refusal = check(request, context)
            if refusal is not None:
                self._after_refusal(seat, request, context, refusal)
                return self.tally.refused(refusal)
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

    def note_refused(self, request: OrderRequest, refusal: Refusal, now_ns: int) -> None:
        """Remember a new order that only wants a person's word."""
        if refusal.rule == fat_finger.RULE:
            self.confirmations.note(request, now_ns)

    def open(self, request: OrderRequest) -> None:
        """Claim a new order's worst case."""
        self.reservations.open(request)
        self.seats.activity(request.strategy).open_orders.add(request.cl_ord_id)

    def take(self, seat: Seat, request: OrderRequest, context: RuleContext) -> None:
        """Use up what an order that passes takes of its guards."""
        now_ns = context.now_ns
        for bucket in context.buckets:
            if bucket is not None:
                bucket.take(now_ns)
        if not (context.is_change or context.is_reduction):
            if seat.limits.repeat_entries_max is not None and not request.asks.bracket:
                seat.activity.entries.append(now_ns)
            if seat.limits.duplicate_window_s is not None:
                seat.habits.note_sent(request, now_ns)
        self.note(seat, request, context)

    def note(self, seat: Seat, request: OrderRequest, context: RuleContext) -> None:
        """Note an order that passes, or a part of one."""
        self.tally.approved(request, context)
        is_entry = not (context.is_change or context.is_reduction)
        if context.is_confirmed and is_entry and fat_finger.is_on(seat.limits, context.account):
            self.confirmations.use(request)
        self.permissions.name(context.instrument)
        if context.unit_px is not None:
            unit_margin = context.unit_margin if seat.wants.margin else None
            self.exposures.price(request.instrument_id, context.unit_px, context.instrument.currency, unit_margin)

    def context(
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
        """Return a seat's context, filled in for one order of which ``added_qty`` more than now may fill."""
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
