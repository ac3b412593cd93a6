"""The risk gate: checks an order against every rule and reserves its worst case in one go.

Worst case = what is held, plus all that may still fill on the worse side, orders of unknown fate
included. A reservation is taken before the order is sent and given back only as the order's fills
arrive or its end is proven. Pure and single-threaded: whoever shares it holds a lock around each call.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from ibfloor.model.entry import BookEntry, PositionLeg, SplitLeg
from ibfloor.model.fact import BreakCleared, BreakFound, Fact, OrderFilled, OrderRefused, OrderSubmitted, PositionMoved
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId, exec_root
from ibfloor.model.instrument import Instrument
from ibfloor.model.money import Currency
from ibfloor.model.order import Order, OrderRequest, Refusal, Refused
from ibfloor.risk import kill
from ibfloor.risk.bucket import TokenBucket
from ibfloor.risk.context import PriceReference, RuleContext
from ibfloor.risk.exposure import Exposures
from ibfloor.risk.intents import UsedIntents
from ibfloor.risk.limits import RiskLimits
from ibfloor.risk.permission import Permissions
from ibfloor.risk.previews import Previews
from ibfloor.risk.reservations import Reservations, parts_of
from ibfloor.risk.rules import RULES
from ibfloor.risk.usage import RiskUsage, Tally

__all__ = ["Approved", "PriceReference", "RiskGate"]

_ZERO = Decimal(0)
_POSITION_KEY = "position:"


class Approved(msgspec.Struct, frozen=True):
    """The order may be sent; its worst case is reserved."""

    request: OrderRequest
    limits_version: int


class RiskGate:
    """Every order's one way out. ``permissions`` holds what is shut, paused, locked or killed."""

    def __init__(self, limits: RiskLimits) -> None:
        self.limits = limits
        """In force; every approval records their version."""
        self.permissions = Permissions()
        self.exposures = Exposures(limits.base_currency)
        self.reservations = Reservations(self.exposures)
        self.previews = Previews()
        """What the broker said of orders that were not sent yet."""
        self._intents = UsedIntents()
        self._executions: dict[str, tuple[int, StrategyId, InstrumentId, Decimal]] = {}
        self._buckets: dict[StrategyId, TokenBucket | None] = {}
        self._exits: dict[StrategyId, TokenBucket | None] = {}
        self._account_bucket = _bucket(limits.account.order_rate_per_s, limits.account.order_burst)
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
        is_repeated = self._intents.has(request.strategy, request.cl_ord_id)
        added = request.order_qty if request.terms is None else self.reservations.added_by(request)
        context = self._context(request, instrument, reference, now_ns, added, is_repeated=is_repeated)
        refusal = self._ask(request, context)
        if refusal is not None:
            return Refused(request.cl_ord_id, refusal)
        self._intents.add(request.strategy, request.cl_ord_id)
        self._take(request, context)
        self.reservations.open(request)
        return Approved(request, self.limits.version)

    def check_replace(
        self, request: OrderRequest, instrument: Instrument, reference: PriceReference | None, now_ns: int
    ) -> Approved | Refused:
        """Reserve the larger of a working order's old and new worst case; every rule is asked again."""
        reservation = self.reservations.get(request.cl_ord_id)
        if reservation is None or not _is_same_order(request, reservation.request):
            text = f"{request.cl_ord_id} is no working order with this instrument and side"
            return Refused(request.cl_ord_id, self._tally.refused(Refusal(rule="replace", text=text)))
        added = max(request.order_qty - reservation.cum_qty - reservation.outstanding, _ZERO)
        context = self._context(request, instrument, reference, now_ns, added, is_repeated=False)
        refusal = self._ask(request, context)
        if refusal is not None:
            return Refused(request.cl_ord_id, refusal)
        self._take(request, context)
        self.reservations.change(request)
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
        self.reservations.close(cl_ord_id)

    def release_replace(self, cl_ord_id: ClientOrderId) -> None:
        """Give back the reservation of a change that was certainly not sent."""
        self.reservations.drop_change(cl_ord_id)

    def apply(self, fact: Fact, order: Order | None = None) -> None:
        """Take a fact that is news, with the order as it is after it (from the order table)."""
        match fact:
            case OrderFilled():
                self._apply_execution(fact)
            case PositionMoved():
                self._apply_position(fact.strategy, fact.instrument_id, fact.qty)
                self.exposures.price(fact.instrument_id, abs(fact.px) * fact.multiplier, fact.currency)
            case BookEntry():
                self._apply_entry(fact)
            case OrderSubmitted() | OrderRefused():
                self._intents.add(fact.request.strategy, fact.request.cl_ord_id)
            case BreakFound() if fact.key.startswith(_POSITION_KEY):
                self.lock(InstrumentId(int(fact.key.removeprefix(_POSITION_KEY))), fact.text)
            case BreakCleared() if fact.key.startswith(_POSITION_KEY):
                self.unlock(InstrumentId(int(fact.key.removeprefix(_POSITION_KEY))))
            case _:
                kill.all_after(self.permissions.kills, fact)
        if order is not None:
            self.reservations.follow(order, fact)

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
        buckets = [(name, bucket) for name, bucket in self._buckets.items() if bucket is not None]
        return self._tally.usage(self.limits, self.exposures, self.permissions, buckets, now_ns)

    def _kill_text(self, request: OrderRequest) -> str | None:
        texts = (self.permissions.kill_text(request.strategy, key) for key, _, _ in parts_of(request))
        return next((text for text in texts if text), None)

    def _ask(self, request: OrderRequest, context: RuleContext) -> Refusal | None:
        for _, rule in RULES:
            refusal = rule(request, context)
            if refusal is not None:
                return self._tally.refused(refusal)
        return None

    def _take(self, request: OrderRequest, context: RuleContext) -> None:
        for bucket in (context.bucket, context.account_bucket):
            if bucket is not None:
                bucket.take(context.now_ns)
        self._note(request, context)

    def _note(self, request: OrderRequest, context: RuleContext) -> None:
        self._tally.approved(request, context)
        self.permissions.name(context.instrument)
        if context.worst_px is not None:
            unit_px = abs(context.worst_px) * context.instrument.multiplier
            self.exposures.price(request.instrument_id, unit_px, context.instrument.currency)

    def _context(
        self,
        request: OrderRequest,
        instrument: Instrument,
        reference: PriceReference | None,
        now_ns: int,
        added_qty: Decimal,
        *,
        is_repeated: bool,
    ) -> RuleContext:
        return RuleContext(
            limits=self.limits.of(request.strategy),
            account=self.limits.account,
            instrument=instrument,
            reference=reference,
            now_ns=now_ns,
            worst_px=None if reference is None else _worst_px(request, reference.px),
            rate=self.exposures.rate(instrument.currency),
            added_qty=added_qty,
            slot=self.exposures.slot(request.strategy, request.instrument_id),
            account_slot=self.exposures.account_slot(request.instrument_id),
            exposures=self.exposures,
            permissions=self.permissions,
            bucket=self._bucket_of(request.strategy),
            account_bucket=None if request.strategy in self.permissions.leaving else self._account_bucket,
            is_repeated=is_repeated,
        )

    def _bucket_of(self, strategy: StrategyId) -> TokenBucket | None:
        # On its way out it has a bucket of its own: what it used up before must not keep it in.
        buckets = self._exits if strategy in self.permissions.leaving else self._buckets
        if strategy not in buckets:
            limits = self.limits.of(strategy)
            buckets[strategy] = _bucket(limits.order_rate_per_s, limits.order_burst)
        return buckets[strategy]

    def _apply_execution(self, fact: OrderFilled) -> None:
        root, revision = exec_root(fact.exec_id)
        before = self._executions.get(root)
        if before is not None:
            if revision <= before[0]:
                return
            self._apply_position(before[1], before[2], -before[3])
        qty = fact.last_qty * fact.side.sign
        self._executions[root] = (revision, fact.strategy, fact.instrument_id, qty)
        self._apply_position(fact.strategy, fact.instrument_id, qty)
        if self.exposures.account_slot(fact.instrument_id).unit_px is None:
            self.exposures.price(fact.instrument_id, abs(fact.last_px) * fact.multiplier, fact.currency)

    def _apply_entry(self, entry: BookEntry) -> None:
        split: dict[InstrumentId, SplitLeg] = {}
        for leg in entry.legs:
            if isinstance(leg, PositionLeg):
                self._apply_position(leg.strategy, leg.instrument_id, leg.qty)
                if leg.px and self.exposures.account_slot(leg.instrument_id).unit_px is None:
                    self.exposures.price(leg.instrument_id, abs(leg.px) * leg.multiplier, leg.currency)
            elif isinstance(leg, SplitLeg):
                split[leg.instrument_id] = leg
                qty = self.exposures.slot(leg.strategy, leg.instrument_id).qty
                self._apply_position(leg.strategy, leg.instrument_id, qty * leg.new / leg.old - qty)
        for key, leg in split.items():
            slot = self.exposures.account_slot(key)
            if slot.unit_px is not None:
                self.exposures.price(key, slot.unit_px * leg.old / leg.new, slot.currency)

    def _apply_position(self, strategy: StrategyId, instrument_id: InstrumentId, change: Decimal) -> None:
        self.exposures.hold(strategy, instrument_id, change)


def _bucket(rate_per_s: Decimal | None, burst: int) -> TokenBucket | None:
    return None if rate_per_s is None else TokenBucket(rate_per_s, burst)


def _worst_px(request: OrderRequest, market_px: Decimal) -> Decimal:
    own_px = request.limit_px if request.limit_px is not None else request.stop_px
    return market_px if own_px is None else max(market_px, own_px)


def _is_same_order(request: OrderRequest, known: OrderRequest) -> bool:
    return (request.strategy, request.instrument_id, request.side) == (
        known.strategy,
        known.instrument_id,
        known.side,
    )
