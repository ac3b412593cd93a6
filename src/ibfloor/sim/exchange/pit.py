"""The pit: how an order gets from its holds over its trigger into the book, and out of it again.

``Exchange`` is the door; this is what happens behind it. Everything that a fill sets off in other
orders and that may trade itself waits in ``later`` until the round of matching is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import partial
from heapq import heappop, heappush
from itertools import chain

import msgspec

from ibfloor.model.ids import InstrumentId
from ibfloor.model.order import Side, TimeInForce
from ibfloor.sim.exchange.book import Book
from ibfloor.sim.exchange.links import Links, released_by
from ibfloor.sim.exchange.live import LiveOrder, Place
from ibfloor.sim.exchange.matching import MayTrade, seeks, takes, triggered
from ibfloor.sim.exchange.pricing import followed_px, trail_px
from ibfloor.sim.exchange.values import (
    ZERO,
    Activated,
    Auction,
    ExchangeEvent,
    ExchangeOrder,
    Filled,
    Gone,
    Hold,
    PegMoves,
    Resized,
    Triggered,
    Working,
)

EXPIRED = "expired"
IOC_REST = "immediate-or-cancel remainder"

_HELD_BACK = frozenset({Hold.PARENT, Hold.TIME, Hold.CONDITION})

IsRegular = Callable[[InstrumentId, int], bool]
"""Tells whether an instrument is in its regular hours at a market time."""


class Pit:
    """All books and live orders of an exchange. Owner: the ``Exchange``."""

    def __init__(self, is_regular: IsRegular) -> None:
        self.is_regular = is_regular
        self.books: dict[InstrumentId, Book] = {}
        self.live: dict[int, LiveOrder] = {}
        self._links = Links(self)
        self._alarms: list[tuple[int, int]] = []
        self._seq = 0
        self._events: list[ExchangeEvent] = []
        self._after: deque[Callable[[], None]] = deque()

    def told(self) -> list[ExchangeEvent]:
        """Let everything that waits happen; return the events since the last call."""
        while self._after:
            self._after.popleft()()
        events, self._events = self._events, []
        return events

    def later(self, action: Callable[[], None]) -> None:
        """Do something after the round of matching."""
        self._after.append(action)

    def book(self, instrument_id: InstrumentId) -> Book:
        """Return an instrument's book."""
        book = self.books.get(instrument_id)
        if book is None:
            book = self.books[instrument_id] = Book()
        return book

    def may_trade(self, instrument_id: InstrumentId, ts_ns: int) -> MayTrade:
        """Return a test whether an order may trade at this hour."""
        known: list[bool] = []  # asked once, and only when an order needs it

        def may(live: LiveOrder) -> bool:
            if live.order.outside_hours:
                return True
            if not known:
                known.append(self.is_regular(instrument_id, ts_ns))
            return known[0]

        return may

    # -- an order's way

    def enter(self, order: ExchangeOrder, now_ns: int) -> None:
        """Take a sound order in."""
        live = LiveOrder(order, self._next_seq())
        self.live[order.key] = live
        self._links.join(live)
        parent = self._parent_of(live)
        live.released = None if parent is None else released_by(live, parent)
        self._set_alarms(order, now_ns)
        self.say_working(live, now_ns)
        if order.good_until_ns and order.good_until_ns <= now_ns:
            self.drop(live, now_ns, EXPIRED)
        else:
            self._advance(live, now_ns)

    def say_working(self, live: LiveOrder, now_ns: int) -> None:
        """Tell that the exchange has an order."""
        self._events.append(Working(key=live.order.key, ts_ns=now_ns, held_by=self._holds(live, now_ns)))

    def _advance(self, live: LiveOrder, now_ns: int) -> None:
        holds = self._holds(live, now_ns)
        if _HELD_BACK.intersection(holds):
            live.place = Place.HELD
            return
        book = self.book(live.order.instrument_id)
        if live.order.slices:
            live.sliced = _released_by(live.order, now_ns)
        if live.trigger is not None:
            self._await_trigger(live, book, now_ns)
        elif live.order.auction is not None:
            live.place = Place.AUCTION
            is_regular = self.is_regular(live.order.instrument_id, now_ns)
            live.is_armed = is_regular is (live.order.auction is Auction.CLOSE)
            book.auctions.append(live)
        else:
            self._rest(live, book, now_ns)

    def _await_trigger(self, live: LiveOrder, book: Book, now_ns: int) -> None:
        assert live.trigger is not None
        live.place = Place.UNPRICED
        if live.trigger_px is not None:
            live.rerank(live.seq)
            live.place = Place.WAITING
            book.waiting[live.rises_to_trigger].add(live)
        if live.trigger.is_trailing:
            book.trails.append(live)
            self._trail(live, book, now_ns)
        self.trigger(book, live.order.instrument_id, now_ns)

    def _rest(self, live: LiveOrder, book: Book, now_ns: int) -> None:
        order = live.order
        if live.follows:
            book.followers.append(live)
            is_priced, live.limit_px = followed_px(live, book, now_ns)
            if not is_priced:
                live.place = Place.UNPRICED
                return
            if order.peg is not None:
                self._events.append(live.moved(now_ns))
                if order.peg.moves is PegMoves.ONCE:
                    book.followers.remove(live)
        live.place = Place.BOOK
        live.rerank(self._next_seq())
        if live.limit_px is not None:
            live.ahead = book.displayed(order.side, live.limit_px)
        book.orders[order.side].add(live)
        self._work(live, book, now_ns)
        if order.discretion and live.is_live:
            book.seekers.append(live)
            self.take(book, order.side, order.instrument_id, now_ns)
        if order.time_in_force is TimeInForce.IOC and live.is_live:
            self.drop(live, now_ns, IOC_REST)

    def _work(self, live: LiveOrder, book: Book, now_ns: int) -> None:
        px, _ = book.opposite(live.order.side)
        if px is not None and live.accepts(px):
            if not live.is_taking:
                live.is_taking = True
                book.takers.append(live)
            self.take(book, live.order.side, live.order.instrument_id, now_ns)
        else:
            live.is_taking = False

    def wake(self, live: LiveOrder, now_ns: int) -> None:
        """Let an order see whether its parent, its time or its schedule lets it go on."""
        order = live.order
        if not live.is_live:
            return
        if order.good_until_ns and order.good_until_ns <= now_ns:
            self.drop(live, now_ns, EXPIRED)
            return
        if live.place is Place.HELD:
            holds = self._holds(live, now_ns)
            if not _HELD_BACK.intersection(holds):
                self._events.append(Activated(key=order.key, ts_ns=now_ns, held_by=holds))
                self._advance(live, now_ns)
            return
        if order.slices:
            live.sliced = _released_by(order, now_ns)
        book = self.book(order.instrument_id)
        if live.follows and live in book.followers:
            self.follow(live, book, now_ns)
        if live.place is Place.BOOK:
            self._work(live, book, now_ns)

    def take_over(self, live: LiveOrder, order: ExchangeOrder, now_ns: int) -> None:
        """Put new terms in the place of an order's old ones."""
        old = live.order
        was_triggered = live.trigger is None
        keeps_place = order.qty <= old.qty and _same_terms(old, order, was_triggered=was_triggered)
        if not keeps_place:
            self.book(old.instrument_id).take_out(live)
        live.order = order
        live.base += order.qty - old.qty
        live.leaves = order.qty - live.cum
        live.due = Fraction(live.leaves)
        self._set_alarms(order, now_ns)
        self.say_working(live, now_ns)
        if not keeps_place:
            live.reset_prices(is_triggered=was_triggered)
            self._advance(live, now_ns)

    def take(self, book: Book, side: Side, instrument_id: InstrumentId, ts_ns: int) -> None:
        """Let the orders of a side trade against the displayed touch."""
        may_trade = self.may_trade(instrument_id, ts_ns)
        for live, qty, px in chain(takes(book, side, may_trade), seeks(book, side, may_trade)):
            self.fill(live, qty, px, ts_ns)

    def trigger(self, book: Book, instrument_id: InstrumentId, ts_ns: int) -> None:
        """Move the trails, then release every order whose trigger is reached."""
        if not (book.trails or book.waiting[True] or book.waiting[False]):
            return
        may_trade = self.may_trade(instrument_id, ts_ns)
        rise, fall = book.reference()
        for live in list(book.trails):
            if may_trade(live):
                self._trail(live, book, ts_ns)
        for live in triggered(book, rise, fall):
            if may_trade(live) and live.place is Place.WAITING:
                book.take_out(live)
                live.trigger = None
                self._events.append(Triggered(key=live.order.key, ts_ns=ts_ns))
                self._rest(live, book, ts_ns)

    def _trail(self, live: LiveOrder, book: Book, ts_ns: int) -> None:
        rise, fall = book.reference()
        market_px = rise if live.rises_to_trigger else fall
        px = None if market_px is None else trail_px(live, market_px)
        if px is None:
            return
        if live.place is Place.WAITING:
            book.waiting[live.rises_to_trigger].remove(live)
        live.trigger_px = px
        live.drag_limit()
        live.rerank(live.seq)
        live.place = Place.WAITING
        book.waiting[live.rises_to_trigger].add(live)
        self._events.append(live.moved(ts_ns))

    def follow(self, live: LiveOrder, book: Book, ts_ns: int) -> None:
        """Price an order anew that follows the quotes."""
        if not live.is_live:
            return  # a fill of this very round ended it
        is_priced, px = followed_px(live, book, ts_ns)
        if is_priced and not (live.place is Place.BOOK and px == live.limit_px):
            book.take_out(live)
            self._rest(live, book, ts_ns)

    def fill(self, live: LiveOrder, qty: Decimal, px: Decimal, ts_ns: int) -> None:
        """Book a trade of an order, and what it means for others."""
        before = live.leaves
        live.leaves -= qty
        live.due = Fraction(live.leaves)
        live.cum += qty
        self._events.append(Filled(key=live.order.key, ts_ns=ts_ns, qty=qty, px=px, leaves_qty=live.leaves))
        if live.leaves == 0:
            self._forget(live, Place.FILLED)
        elif live.order.is_market_to_limit and live.limit_px is None:
            self._limit_rest(live, px, ts_ns)
        elif live.order.rungs or live.order.display_qty:
            self._show_next(live, qty, ts_ns)
        self._links.on_fill(live, before, ts_ns)

    def _limit_rest(self, live: LiveOrder, px: Decimal, ts_ns: int) -> None:
        book = self.book(live.order.instrument_id)
        book.take_out(live)
        live.limit_px = px
        live.rerank(self._next_seq())
        book.orders[live.order.side].add(live)
        self._events.append(live.moved(ts_ns))

    def _show_next(self, live: LiveOrder, qty: Decimal, ts_ns: int) -> None:
        # the next part of an iceberg, the next component of a scale: each queues anew
        live.shown -= qty
        is_next_rung = bool(live.order.rungs) and live.workable == 0
        if live.place is not Place.BOOK or not (is_next_rung or (live.order.display_qty and live.shown <= 0)):
            return
        book = self.book(live.order.instrument_id)
        book.take_out(live)
        if is_next_rung:
            live.step()
            self._events.append(live.moved(ts_ns))
            self.later(partial(self.wake, live, ts_ns))
        live.shown = min(live.order.display_qty, live.leaves)
        live.rerank(self._next_seq())
        assert live.limit_px is not None, "what shows its parts has a limit"
        live.ahead = book.displayed(live.order.side, live.limit_px)
        book.orders[live.order.side].add(live)

    def resize(self, live: LiveOrder, leaves: Decimal, ts_ns: int, reason: str) -> None:
        """Change what is left of an order; nothing left ends it."""
        if leaves == live.leaves:
            return
        live.leaves = leaves
        if leaves == 0:
            self.drop(live, ts_ns, reason)
            return
        live.order = msgspec.structs.replace(live.order, qty=live.cum + leaves)
        self._events.append(Resized(key=live.order.key, ts_ns=ts_ns, qty=live.order.qty))

    def drop(self, live: LiveOrder, now_ns: int, reason: str) -> None:
        """End an order; nothing happens when it has ended."""
        if not live.is_live:
            return
        self._forget(live, Place.GONE)
        self._events.append(Gone(key=live.order.key, ts_ns=now_ns, reason=reason))
        self._links.on_end(live, now_ns)

    def _forget(self, live: LiveOrder, place: Place) -> None:
        self.book(live.order.instrument_id).take_out(live)
        live.place = place
        self._links.leave(live)
        del self.live[live.order.key]

    # -- bookkeeping

    def ring_alarms(self, now_ns: int) -> None:
        """Wake every order whose time has come."""
        while self._alarms and self._alarms[0][0] <= now_ns:
            ts_ns, key = heappop(self._alarms)
            live = self.live.get(key)
            if live is not None:
                self.wake(live, ts_ns)

    def _set_alarms(self, order: ExchangeOrder, now_ns: int) -> None:
        times = [order.good_from_ns, order.good_until_ns]
        times += [step.ts_ns for step in order.slices] + [step.ts_ns for step in order.approach]
        for ts_ns in times:
            if ts_ns > now_ns:
                heappush(self._alarms, (ts_ns, order.key))

    def _holds(self, live: LiveOrder, now_ns: int) -> tuple[Hold, ...]:
        parent = self._parent_of(live)
        return live.holds(by_parent=parent is not None and parent.cum == 0, now_ns=now_ns)

    def _parent_of(self, live: LiveOrder) -> LiveOrder | None:
        return None if live.order.parent_key is None else self.live.get(live.order.parent_key)

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq


def _released_by(order: ExchangeOrder, now_ns: int) -> Decimal:
    return max((step.qty for step in order.slices if step.ts_ns <= now_ns), default=ZERO)


def _same_terms(old: ExchangeOrder, new: ExchangeOrder, *, was_triggered: bool) -> bool:
    old = msgspec.structs.replace(old, qty=new.qty)
    if was_triggered:  # a trigger that is past may be anything
        old = msgspec.structs.replace(old, stop_px=new.stop_px, trigger=new.trigger)
    return old == new
