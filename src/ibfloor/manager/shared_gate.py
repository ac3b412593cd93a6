"""The risk gate behind a lock: the one object that strategy threads and the queue's thread share.

``RiskGate`` itself is pure. Check-and-reserve must be atomic over all strategies, so every entry
holds one lock for a few microseconds; no call under it blocks or waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from math import isfinite

from ibfloor.manager.entry_holds import EntryHolds
from ibfloor.manager.gate_crossing import GateCrossing
from ibfloor.manager.gate_limits import GateLimits
from ibfloor.manager.gate_lock import GateLock
from ibfloor.manager.gate_sizes import GateSizes
from ibfloor.model.combo import leg_side
from ibfloor.model.fact import AnyFact
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.kill import KillPlace
from ibfloor.model.market import Quote
from ibfloor.model.moment import Clock
from ibfloor.model.money import Currency
from ibfloor.model.order import Order, OrderRequest, Refusal, Refused, Side
from ibfloor.portfolio.valuation import Mark, Rates
from ibfloor.risk.brackets import check_and_reserve_all
from ibfloor.risk.combos import check_and_reserve_combo, check_replace_combo
from ibfloor.risk.gate import PriceReference, RiskGate
from ibfloor.risk.kill import KillState
from ibfloor.risk.usage import RiskUsage

KILL = "kill"


class SharedGate:
    """``RiskGate`` for many threads; prices it judges by come from the newest quote."""

    def __init__(
        self,
        gate: RiskGate,
        quote: Callable[[InstrumentId], Quote | None],
        clock: Clock,
        sink: Callable[[AnyFact], None] = lambda fact: None,
    ) -> None:
        self._gate = gate
        self._quote = quote
        self.doubt: Callable[[InstrumentId], str] = lambda _: ""
        """Why the newest quote of an instrument is not to be traded on; empty where it is. Set before the start."""
        self._clock = clock
        self._sink = sink
        self._lock = GateLock()
        self.limits = GateLimits(gate, self._lock, clock)
        self.sizes = GateSizes(gate, self._lock, quote, clock)
        self.crossing = GateCrossing(gate, self._lock, self._price, clock, self._tell_trips)
        self.previews = gate.previews
        """What the broker said of orders before they are sent; safe from any thread."""
        self._strategy_holds: dict[StrategyId, dict[str, str]] = {}
        self._entry_holds = EntryHolds(gate.permissions)

    def check_and_reserve(self, request: OrderRequest, instrument: Instrument) -> Refusal | None:
        """Reserve the order's worst case, or say why not."""
        if instrument.legs:
            references = self._references(request, instrument)
            with self._lock:
                refusal = check_and_reserve_combo(self._gate, request, instrument, references, self._clock.now_ns())
            self._tell_trips()
            return refusal
        reference = self._reference(request)
        with self._lock:
            verdict = self._gate.check_and_reserve(request, instrument, reference, self._clock.now_ns())
        self._tell_trips()
        return verdict.reason if isinstance(verdict, Refused) else None

    def check_and_reserve_all(self, orders: Sequence[tuple[OrderRequest, Instrument]]) -> Refusal | None:
        """Reserve the worst case of orders that belong together, or of none of them and say why."""
        judged = [(request, instrument, self._reference(request)) for request, instrument in orders]
        with self._lock:
            refusal = check_and_reserve_all(self._gate, judged, self._clock.now_ns())
        self._tell_trips()
        return refusal

    def check_replace(self, request: OrderRequest, instrument: Instrument) -> Refusal | None:
        """Reserve a working order's new worst case, or say why not."""
        if instrument.legs:
            references = self._references(request, instrument)
            with self._lock:
                refusal = check_replace_combo(self._gate, request, instrument, references, self._clock.now_ns())
            self._tell_trips()
            return refusal
        reference = self._reference(request)
        with self._lock:
            verdict = self._gate.check_replace(request, instrument, reference, self._clock.now_ns())
        self._tell_trips()
        return verdict.reason if isinstance(verdict, Refused) else None

    def recheck(self, request: OrderRequest) -> Refusal | None:
        """Say why a reserved order must not go out after all: the gate was shut meanwhile."""
        with self._lock:
            return self._gate.recheck(request)

    @property
    def open_reservations(self) -> int:
        """Return how many orders are reserved, those on their way to the wire included."""
        with self._lock:
            return len(self._gate.reservations)

    def release(self, cl_ord_id: ClientOrderId) -> None:
        """Give back the reservation of an order that was certainly not sent."""
        with self._lock:
            self._gate.release(cl_ord_id)

    def release_replace(self, cl_ord_id: ClientOrderId) -> None:
        """Give back the reservation of a change that was certainly not sent."""
        with self._lock:
            self._gate.release_replace(cl_ord_id)

    def apply(
        self, fact: AnyFact, order: Order | None, held: Iterable[tuple[StrategyId, InstrumentId, Decimal]] = ()
    ) -> None:
        """Take an applied fact: reservations follow orders, positions follow fills, and the books (``held``)."""
        with self._lock:
            self._gate.apply(fact, order)
            self._entry_holds.renew()
            for strategy, instrument_id, qty in held:
                self._gate.exposures.hold_at(strategy, instrument_id, qty)

    def revalue(
        self, instruments: Mapping[InstrumentId, Instrument], marks: Mapping[InstrumentId, Mark], rates: Rates
    ) -> None:
        """Take newer prices and exchange rates for the exposures."""
        with self._lock:
            self._gate.set_rates(rates.to_base)
            for instrument_id, mark in marks.items():
                if instrument_id in instruments:
                    self._gate.mark(instruments[instrument_id], mark.px)

    def set_base(self, base: Currency) -> None:
        """Value everything in the account's own currency from now on."""
        with self._lock:
            self._gate.exposures.set_base(base)

    def hold(self, name: str, text: str, strategy: StrategyId | None = None, *, is_for_entries: bool = False) -> None:
        """Let nothing of the floor, or of one strategy, pass until the hold of this name is lifted.

        ``is_for_entries``: what only reduces a position passes all the same.
        """
        with self._lock:
            if is_for_entries and strategy is not None:
                self._entry_holds.hold(name, text, strategy)
            elif is_for_entries:
                self._gate.permissions.reducing[name] = text
            elif strategy is None:
                self._gate.block(name, text)
            else:
                self._strategy_holds.setdefault(strategy, {})[name] = text
                self._gate.pause(strategy, "; ".join(self._strategy_holds[strategy].values()))

    def lift(self, name: str, strategy: StrategyId | None = None) -> None:
        """Take a hold away; others stay."""
        with self._lock:
            if strategy is None:
                self._gate.unblock(name)
                self._gate.permissions.reducing.pop(name, None)
                return
            self._entry_holds.lift(name, strategy)
            holds = self._strategy_holds.get(strategy, {})
            holds.pop(name, None)
            if holds:
                self._gate.pause(strategy, "; ".join(holds.values()))
            else:
                self._gate.resume(strategy)

    @contextmanager
    def way_out(self, strategy: StrategyId) -> Iterator[None]:
        """Let a strategy that is being flattened only reduce, whatever it used up of its order rate."""
        with self._lock:
            self._gate.permissions.leaving.add(strategy)
        try:
            yield
        finally:
            with self._lock:
                self._gate.permissions.leaving.discard(strategy)

    def kill(self, place: KillPlace, actor: str, reason: str, ts_ns: int) -> None:
        """Let nothing in reach of a kill switch pass, from this moment on: its fact follows."""
        with self._lock:
            self._gate.permissions.kills.setdefault(place, KillState(True, actor, reason, ts_ns))

    @contextmanager
    def closing(self, place: KillPlace) -> Iterator[None]:
        """Let orders that only take off a position pass a latched kill switch."""
        with self._lock:
            self._gate.permissions.closing.add(place)
        try:
            yield
        finally:
            with self._lock:
                self._gate.permissions.closing.discard(place)

    @property
    def shut_reason(self) -> str | None:
        """Return why nothing new passes now; ``None`` when the gate is open."""
        return self._gate.permissions.shut_reason

    def usage(self) -> tuple[RiskUsage, ...]:
        """Return every rule with its limit and its use."""
        with self._lock:
            return self._gate.usage(self._clock.now_ns())

    def _references(self, request: OrderRequest, instrument: Instrument) -> list[PriceReference | None]:
        return [self._price(leg.instrument.instrument_id, leg_side(request.side, leg.ratio)) for leg in instrument.legs]

    def _tell_trips(self) -> None:
        if not self._gate.trips:
            return
        with self._lock:
            trips = tuple(self._gate.trips)
            self._gate.trips.clear()
        for fact in trips:
            self._sink(fact)

    def _reference(self, request: OrderRequest) -> PriceReference | None:
        return self._price(request.instrument_id, request.side)

    def _price(self, instrument_id: InstrumentId, side: Side) -> PriceReference | None:
        quote = self._quote(instrument_id)
        if quote is None:
            return None
        px = quote.ask_px if side is Side.BUY else quote.bid_px
        if not isfinite(px):
            return None
        return PriceReference(Decimal(repr(px)), quote.ts_event_ns, doubt=self.doubt(instrument_id))
