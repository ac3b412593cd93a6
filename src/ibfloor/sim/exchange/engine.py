"""The exchange: pure matching of our orders against a market that others make.

Rules, all deterministic; the caller brings the time and every tick:

- A marketable order trades at the touch, up to the size displayed there. Size taken stays taken
  until the next ``BookTop`` of the instrument. The rest of a market order trades on the following
  ticks; the rest of a limit stays in the book; the rest of an IOC is canceled.
- A resting limit trades at its own price when the opposite quote reaches it (bounded by that
  quote's size), or when a print goes through it, or at it once the size displayed at that price
  when the order joined has traded (bounded by the print's size). A shrinking display shortens
  that queue; an order better than the display, or placed away from it, has nothing ahead.
- A limit that came in marketable trades at the touch, not at its limit, as long as it stays so.
- Priority is market before limit, then price, then time. A change of price or a larger quantity
  loses the place in the queue; a smaller quantity keeps it.
- A stop triggers when the last print reaches it; where nothing was ever printed (currencies),
  when the bid reaches a buy stop or the ask a sell stop. Then it is a market order.
- Our own orders never trade with each other: crossing ones rest side by side, and each trades
  with the market alone. One print serves our buys first, then our sells, from the same size.
- Outside regular hours only orders with ``outside_hours`` trade or trigger; the others wait.
- Nothing trades against an absent side.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from decimal import Decimal

import msgspec

from ibfloor.model.ids import InstrumentId
from ibfloor.model.order import OrdType, Side, TimeInForce
from ibfloor.sim.exchange.book import Book, LiveOrder
from ibfloor.sim.exchange.values import (
    BookTop,
    ExchangeEvent,
    ExchangeOrder,
    Filled,
    Gone,
    MarketTick,
    TapePrint,
    Triggered,
    Working,
)

CANCELED = "canceled"
EXPIRED = "expired"
IOC_REST = "immediate-or-cancel remainder"
REFUSED = "refused: "

IsRegular = Callable[[InstrumentId, int], bool]
"""Tells whether an instrument is in its regular hours at a market time."""


def always_regular(_instrument_id: InstrumentId, _ts_ns: int) -> bool:
    """Treat every hour as regular."""
    return True


class Exchange:
    """Matches orders; no clock, no randomness, no input and output. Owner: the caller's one thread."""

    def __init__(self, is_regular: IsRegular = always_regular) -> None:
        self._is_regular = is_regular
        self._books: dict[InstrumentId, Book] = {}
        self._live: dict[int, LiveOrder] = {}
        self._seq = 0

    def live_keys(self) -> list[int]:
        """Return the keys of all live orders, oldest first."""
        return list(self._live)

    def submit(self, order: ExchangeOrder, now_ns: int) -> list[ExchangeEvent]:
        """Take an order; return ``Working`` and what followed, or ``Gone`` when it makes no sense.

        Raises ``ValueError`` when the key is live already.
        """
        if order.key in self._live:
            raise ValueError(f"order key {order.key} is live already")
        flaw = _flaw(order.ord_type, order.qty, order.limit_px, order.stop_px)
        if flaw:
            return [Gone(key=order.key, ts_ns=now_ns, reason=REFUSED + flaw)]
        live = LiveOrder(order, self._next_seq())
        self._live[order.key] = live
        return [Working(key=order.key, ts_ns=now_ns), *self._enter(live, now_ns)]

    def cancel(self, key: int, now_ns: int) -> list[ExchangeEvent]:
        """Take an order out of the book; empty when it is not live."""
        live = self._live.get(key)
        return [self._drop(live, now_ns, CANCELED)] if live else []

    def replace(
        self, key: int, qty: Decimal, limit_px: Decimal | None, stop_px: Decimal | None, now_ns: int
    ) -> list[ExchangeEvent]:
        """Change an order's total quantity and prices; empty when it is not live.

        A total at or below what has traded ends the order. A change that makes no sense leaves the
        order as it was and returns nothing but ``Working``.
        """
        live = self._live.get(key)
        if live is None:
            return []
        old = live.order
        if _flaw(old.ord_type, qty, limit_px, stop_px):
            return [Working(key=key, ts_ns=now_ns)]
        if qty <= live.cum:
            return [self._drop(live, now_ns, CANCELED)]
        keeps_place = qty <= old.qty and limit_px == old.limit_px and (live.is_triggered or stop_px == old.stop_px)
        if not keeps_place:
            self._book(old.instrument_id).ladder(live).remove(live)
        live.order = msgspec.structs.replace(old, qty=qty, limit_px=limit_px, stop_px=stop_px)
        live.leaves = qty - live.cum
        events: list[ExchangeEvent] = [Working(key=key, ts_ns=now_ns)]
        if not keeps_place:
            live.rerank(self._next_seq())
            events += self._enter(live, now_ns)
        return events

    def expire(self, now_ns: int, instrument_ids: Collection[InstrumentId] | None = None) -> list[ExchangeEvent]:
        """End all DAY orders, or those of some instruments: the caller knows when a day is over."""
        due = [
            live
            for live in self._live.values()
            if live.order.time_in_force is TimeInForce.DAY
            and (instrument_ids is None or live.order.instrument_id in instrument_ids)
        ]
        return [self._drop(live, now_ns, EXPIRED) for live in due]

    def on_tick(self, tick: MarketTick) -> list[ExchangeEvent]:
        """Let the market move; return what happened to our orders, in order."""
        book = self._books.get(tick.instrument_id)
        if book is None:
            book = self._book(tick.instrument_id)
        if isinstance(tick, BookTop):
            return self._on_top(book, tick)
        return self._on_print(book, tick)

    def _on_top(self, book: Book, top: BookTop) -> list[ExchangeEvent]:
        book.show(top)
        events: list[ExchangeEvent] = []
        if book.last_px is None:
            events += self._trigger(book, top.instrument_id, top.bid_px, top.ask_px, top.ts_ns)
        for side, ladder in book.orders.items():
            if not ladder:
                continue
            px, _ = book.opposite(side)
            if px is not None and ladder.first.accepts(px):
                events += self._take(book, side, top.instrument_id, top.ts_ns)
            book.advance_queues(side)
        return events

    def _on_print(self, book: Book, tape: TapePrint) -> list[ExchangeEvent]:
        book.last_px = tape.px
        events = self._serve(book, tape)
        return events + self._trigger(book, tape.instrument_id, tape.px, tape.px, tape.ts_ns)

    def _enter(self, live: LiveOrder, now_ns: int) -> list[ExchangeEvent]:
        order = live.order
        book = self._book(order.instrument_id)
        if not live.is_triggered:
            book.stops[order.side].add(live)
            low, high = (book.bid_px, book.ask_px) if book.last_px is None else (book.last_px, book.last_px)
            return self._trigger(book, order.instrument_id, low, high, now_ns)
        px, _ = book.opposite(order.side)
        live.is_taking = px is not None and live.accepts(px)
        if live.is_taking:
            book.takers.append(live)
        if order.limit_px is not None:
            live.ahead = book.displayed(order.side, order.limit_px)
        book.orders[order.side].add(live)
        events = self._take(book, order.side, order.instrument_id, now_ns) if live.is_taking else []
        if order.time_in_force is TimeInForce.IOC and order.key in self._live:
            events.append(self._drop(live, now_ns, IOC_REST))
        return events

    def _take(self, book: Book, side: Side, instrument_id: InstrumentId, ts_ns: int) -> list[ExchangeEvent]:
        px, left = book.opposite(side)
        if px is None or left <= 0:
            return []
        is_regular = self._is_regular(instrument_id, ts_ns)
        events: list[ExchangeEvent] = []
        for live in list(book.orders[side]):
            if left <= 0 or not live.accepts(px):
                break
            if not (is_regular or live.order.outside_hours):
                continue
            qty = min(left, live.leaves)
            left -= qty
            book.consume(side, qty)
            limit = live.limit_px
            events.append(self._fill(live, qty, px if limit is None or live.is_taking else limit, ts_ns))
        return events

    def _serve(self, book: Book, tape: TapePrint) -> list[ExchangeEvent]:
        left = tape.qty
        events: list[ExchangeEvent] = []
        is_regular: bool | None = None
        for side in Side:
            is_blocked = False  # an older order of this side waits at the print's price
            for live in _reached(book, side, tape.px):
                if is_regular is None:
                    is_regular = self._is_regular(tape.instrument_id, tape.ts_ns)
                if not (is_regular or live.order.outside_hours):
                    continue
                available = left
                if live.limit_px == tape.px:
                    available = min(left, tape.qty - book.pass_queue(live, tape.qty))
                if available > 0 and not is_blocked:
                    qty = min(available, live.leaves)
                    left -= qty
                    assert live.limit_px is not None
                    events.append(self._fill(live, qty, live.limit_px, tape.ts_ns))
                is_blocked = is_blocked or live.leaves > 0
        return events

    def _trigger(
        self, book: Book, instrument_id: InstrumentId, rise: Decimal | None, fall: Decimal | None, ts_ns: int
    ) -> list[ExchangeEvent]:
        due = [*_stops_reached(book, Side.BUY, rise), *_stops_reached(book, Side.SELL, fall)]
        if not due:
            return []
        is_regular = self._is_regular(instrument_id, ts_ns)
        events: list[ExchangeEvent] = []
        for live in due:
            if not (is_regular or live.order.outside_hours):
                continue
            book.stops[live.order.side].remove(live)
            live.is_triggered = True
            live.rerank(self._next_seq())
            events.append(Triggered(key=live.order.key, ts_ns=ts_ns))
            events += self._enter(live, ts_ns)
        return events

    def _fill(self, live: LiveOrder, qty: Decimal, px: Decimal, ts_ns: int) -> Filled:
        live.leaves -= qty
        live.cum += qty
        if live.leaves == 0:
            self._forget(live)
        return Filled(key=live.order.key, ts_ns=ts_ns, qty=qty, px=px, leaves_qty=live.leaves)

    def _drop(self, live: LiveOrder, now_ns: int, reason: str) -> Gone:
        self._forget(live)
        return Gone(key=live.order.key, ts_ns=now_ns, reason=reason)

    def _forget(self, live: LiveOrder) -> None:
        self._book(live.order.instrument_id).ladder(live).remove(live)
        del self._live[live.order.key]

    def _book(self, instrument_id: InstrumentId) -> Book:
        book = self._books.get(instrument_id)
        if book is None:
            book = self._books[instrument_id] = Book()
        return book

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq


def _flaw(ord_type: OrdType, qty: Decimal, limit_px: Decimal | None, stop_px: Decimal | None) -> str:
    if qty <= 0:
        return f"quantity {qty} is not above zero"
    if ord_type is OrdType.LIMIT and limit_px is None:
        return "a limit order needs a limit price"
    if ord_type is OrdType.STOP and stop_px is None:
        return "a stop order needs a stop price"
    return ""


def _reached(book: Book, side: Side, px: Decimal) -> list[LiveOrder]:
    reached: list[LiveOrder] = []
    for live in book.orders[side]:
        if not live.accepts(px):
            break
        if live.limit_px is not None:  # a market order waits for displayed size
            reached.append(live)
    return reached


def _stops_reached(book: Book, side: Side, px: Decimal | None) -> list[LiveOrder]:
    if px is None or not book.stops[side]:
        return []
    reached = px if side is Side.BUY else -px
    due: list[LiveOrder] = []
    for live in book.stops[side]:
        if live.rank[0] > reached:
            break
        due.append(live)
    return due
