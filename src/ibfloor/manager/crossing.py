"""Crossing: offers of strategies wait here, and two that meet are booked against each other. Owner: the queue's thread.

An offer is no order: it never leaves the floor, nothing is journaled of it, and a restart forgets it. Only where
two meet there is a fact, one book entry with both sides: a crash leaves all of it or nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from decimal import Decimal
from itertools import combinations, count
from math import isfinite

import msgspec
import structlog

from ibfloor.config import CrossingSection
from ibfloor.execution.ticket import OrderTicket
from ibfloor.manager.floor_state import Applied, FloorState
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.model.entry import BookEntry, CrossedQuote
from ibfloor.model.errors import LedgerError
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.market import Quote
from ibfloor.model.moment import NS_PER_S, Clock
from ibfloor.model.order import OrderRequest, OrdType, Refusal, Refused, Side
from ibfloor.portfolio.crossing import can_cross, cross
from ibfloor.portfolio.entry_check import check_entry
from ibfloor.risk.crossing import RULE
from ibfloor.strategy.values import Offer

LOOK_S = 0.25
OFFERS_MAX = 20
"""How many of a strategy may wait: a runaway strategy must not keep the queue busy."""

Tell = Callable[[Offer], object]

log = structlog.get_logger("crossing")


class _Standing:
    """An offer that waits."""

    __slots__ = ("instrument", "offer", "strategy", "tell", "until_ns")

    def __init__(self, strategy: StrategyId, instrument: Instrument, offer: Offer, until_ns: int, tell: Tell) -> None:
        self.strategy = strategy
        self.instrument = instrument
        self.offer = offer
        self.until_ns = until_ns
        self.tell = tell

    def accepts(self, px: Decimal) -> bool:
        limit = self.offer.limit
        return limit is None or (limit - px) * self.offer.side.sign >= 0

    def meets(self, other: _Standing) -> bool:
        return self.strategy != other.strategy and self.offer.side is other.offer.side.opposite

    def intent(self, qty: Decimal) -> OrderRequest:
        return OrderRequest(
            cl_ord_id=self.offer.offer_id,
            strategy=self.strategy,
            instrument_id=self.instrument.instrument_id,
            side=self.offer.side,
            order_qty=qty,
            ord_type=OrdType.MARKET,
        )


class _Match(msgspec.Struct, frozen=True):
    entry_id: str
    pair: tuple[_Standing, _Standing]
    intents: tuple[OrderRequest, OrderRequest]
    qty: Decimal
    px: Decimal


class Crossing:
    """Takes offers from any thread; matches them on the queue's. Built before the queue starts."""

    def __init__(
        self,
        settings: CrossingSection,
        queue: MessageQueue,
        gate: SharedGate,
        quote: Callable[[InstrumentId], Quote | None],
        clock: Clock,
    ) -> None:
        self._is_on = settings.enabled
        self._quote_age_max_ns = int(settings.quote_age_max_s * NS_PER_S)
        self._queue = queue
        self._gate = gate
        self._quote = quote
        self._clock = clock
        self._offers: dict[ClientOrderId, _Standing] = {}
        self._match: _Match | None = None
        self._numbers = count(1)
        if self._is_on:
            queue.observe(self._booked)  # after all others: who hears of a cross has its book already

    def offer(self, strategy: StrategyId, ticket: OrderTicket, for_s: float, tell: Tell) -> Offer | Refused:
        """Let an offer stand for some market seconds; ``tell`` hears on the queue's thread what becomes of it."""
        offer_id = ClientOrderId(f"{strategy}:offer-{next(self._numbers)}")
        flaw = self._flaw(ticket, for_s)
        if flaw:
            return Refused(offer_id, Refusal(rule=RULE, text=flaw))
        offer = Offer(
            offer_id=offer_id,
            contract=ticket.instrument.contract,
            side=ticket.side,
            qty=ticket.order_qty,
            limit=ticket.limit_px,
        )
        until_ns = self._clock.now_ns() + int(for_s * NS_PER_S)
        standing = _Standing(strategy, ticket.instrument, offer, until_ns, tell)
        self._queue.ask(lambda _: self._add(standing))
        self._queue.decide(self._decide)
        return offer

    def withdraw(self, strategy: StrategyId, offer_id: ClientOrderId) -> None:
        """Take an offer back; it may have crossed before that is done."""

        def on_queue(_: FloorState) -> None:
            standing = self._offers.get(offer_id)
            if standing is not None and standing.strategy == strategy:
                self._end(standing, "withdrawn")

        self._queue.ask(on_queue)

    def leave(self, strategy: StrategyId) -> Future[None]:
        """Take back all offers of a strategy that ends, and tell it nothing any more."""

        def on_queue(_: FloorState) -> None:
            for standing in self._of(strategy):
                del self._offers[standing.offer.offer_id]

        if self._is_on:
            return self._queue.ask(on_queue)
        nothing: Future[None] = Future()
        nothing.set_result(None)
        return nothing

    async def keep(self) -> None:
        """Look again and again whether offers that wait can cross, or are over; until cancelled."""
        while self._is_on:
            await asyncio.sleep(LOOK_S)
            if not self._offers:
                continue
            await asyncio.wrap_future(self._queue.ask(self._expire))
            try:
                while await asyncio.wrap_future(self._queue.decide(self._decide)):
                    pass
            except LedgerError:
                continue  # nothing is booked until the journal can be written; offers wait

    def _flaw(self, ticket: OrderTicket, for_s: float) -> str:
        if not self._is_on:
            return "crossing is off: write [crossing] enabled = true in floor.toml, or send an order"
        if not can_cross(ticket.instrument):
            return f"{ticket.instrument.contract} does not cross: only stocks, options and bonds do"
        if not (isfinite(for_s) and for_s > 0):
            return "an offer stands for some seconds above zero"
        if ticket.order_qty <= 0:
            return "the quantity must be above zero"
        return ""

    def _expire(self, _: FloorState) -> None:
        now_ns = self._clock.now_ns()
        for standing in list(self._offers.values()):
            if standing.until_ns <= now_ns:
                self._end(standing, "its time is over")

    def _add(self, standing: _Standing) -> None:
        is_one_too_many = len(self._of(standing.strategy)) >= OFFERS_MAX
        self._offers[standing.offer.offer_id] = standing
        if is_one_too_many:
            self._end(standing, f"{OFFERS_MAX} offers of {standing.strategy} wait already: withdraw one")

    def _of(self, strategy: StrategyId) -> list[_Standing]:
        return [each for each in self._offers.values() if each.strategy == strategy]

    def _decide(self, state: FloorState) -> tuple[bool, BookEntry | None]:
        self._expire(state)
        for instrument in {each.instrument.instrument_id: each.instrument for each in self._offers.values()}.values():
            entry = self._cross_in(state, instrument)
            if entry is not None:
                return True, entry
        return False, None

    def _cross_in(self, state: FloorState, instrument: Instrument) -> BookEntry | None:
        now_ns = self._clock.now_ns()
        quote = self._quote_of(instrument.instrument_id, now_ns)
        if quote is None or self._gate.crossing.lock_of(instrument):
            return None
        willing = [
            each
            for each in self._offers.values()
            if each.instrument.instrument_id == instrument.instrument_id and each.accepts(quote.mid_px)
        ]
        if len({each.offer.side for each in willing}) < len(Side):
            return None
        for older, newer in combinations(willing, 2):
            if older.meets(newer) and not (older.offer.is_over or newer.offer.is_over):
                entry = self._judge(state, older, newer, quote, now_ns)
                if entry is not None:
                    return entry
        return None

    def _judge(
        self, state: FloorState, older: _Standing, newer: _Standing, quote: CrossedQuote, now_ns: int
    ) -> BookEntry | None:
        instrument = older.instrument
        qty = min(older.offer.left, newer.offer.left)
        intents = (older.intent(qty), newer.intent(qty))
        refused = self._gate.crossing.check_and_reserve(intents, instrument)
        if refused is not None:
            self._end(older if refused[0] is intents[0] else newer, str(refused[1]))
            return None
        buyer, seller = (older, newer) if older.offer.side is Side.BUY else (newer, older)
        entry = cross(
            instrument,
            qty,
            quote,
            buyer=buyer.strategy,
            seller=seller.strategy,
            entry_id=f"cross-{now_ns}-{next(self._numbers)}",
            now_ns=now_ns,
        )
        flaw = check_entry(entry, state.books) or next(filter(None, map(self._gate.recheck, intents)), None)
        if flaw is not None:
            self._gate.crossing.release(intents)
            for each in (older, newer):
                self._end(each, str(flaw))
            return None
        self._match = _Match(entry.entry_id, (older, newer), intents, qty, quote.mid_px)
        return entry

    def _quote_of(self, instrument_id: InstrumentId, now_ns: int) -> CrossedQuote | None:
        quote = self._quote(instrument_id)
        if quote is None or now_ns - quote.ts_event_ns > self._quote_age_max_ns or self._gate.doubt(instrument_id):
            return None
        bid, ask = quote.bid_px, quote.ask_px
        if not (isfinite(bid) and isfinite(ask) and 0 < bid < ask):
            return None
        return CrossedQuote(bid_px=Decimal(repr(bid)), ask_px=Decimal(repr(ask)), ts_event_ns=quote.ts_event_ns)

    def _booked(self, applied: Applied) -> None:
        match = self._match
        if match is None or not isinstance(applied.fact, BookEntry) or applied.fact.entry_id != match.entry_id:
            return
        self._match = None
        self._gate.crossing.release(match.intents)
        log.info("crossed", entry=applied.fact.entry_id, reason=applied.fact.reason)
        for standing in match.pair:
            offer = standing.offer
            standing.offer = msgspec.structs.replace(offer, crossed_qty=offer.crossed_qty + match.qty, last_px=match.px)
            if standing.offer.left:
                standing.tell(standing.offer)
            else:
                self._end(standing, "crossed")

    def _end(self, standing: _Standing, text: str) -> None:
        self._offers.pop(standing.offer.offer_id, None)
        standing.offer = msgspec.structs.replace(standing.offer, is_over=True, text=text)
        standing.tell(standing.offer)
