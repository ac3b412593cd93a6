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
- A trigger is reached by the last print; where nothing was ever printed (currencies), by the bid
  on a rise, by the ask on a fall. A trailing trigger follows the same prices, never away.
- A child is held until its parent trades, may trade as much as the parent has, is canceled with
  an unfilled parent, and keeps what protects the fills of a parent that ends early.
- Groups: the first fill ends the others, or reduces them in proportion (at once, or after the tick).
- An order with discretion takes what is displayed up to so far beyond its limit. A part of an iceberg
  queues behind what is displayed when it appears, a hidden order behind all that is displayed.
- A scale works one component at a time; the next one, at a price less keen, follows when it is filled.
- Auctions: an order for the open trades at the first print of the regular hours, one for the close
  at the last price when they end, all of it at that price; what its limit forbids is canceled.
- Our own orders never trade with each other: crossing ones rest side by side, and each trades
  with the market alone. One print serves our buys first, then our sells, from the same size.
- Outside regular hours only orders with ``outside_hours`` trade or trigger; the others wait.
- Nothing trades against an absent side.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

import msgspec

from ibfloor.model.ids import InstrumentId
from ibfloor.model.order import Side, TimeInForce
from ibfloor.sim.exchange.book import Book
from ibfloor.sim.exchange.flaws import flaw_of
from ibfloor.sim.exchange.links import OCA_FILLED, PARENT_GONE
from ibfloor.sim.exchange.live import LiveOrder, Place
from ibfloor.sim.exchange.matching import serves
from ibfloor.sim.exchange.pit import EXPIRED, IOC_REST, IsRegular, Pit
from ibfloor.sim.exchange.values import Auction, BookTop, ExchangeEvent, ExchangeOrder, Gone, MarketTick, TapePrint

__all__ = [
    "CANCELED",
    "EXPIRED",
    "IOC_REST",
    "NOT_IN_AUCTION",
    "OCA_FILLED",
    "PARENT_GONE",
    "REFUSED",
    "Exchange",
    "IsRegular",
    "always_regular",
]

CANCELED = "canceled"
NOT_IN_AUCTION = "not executable in the auction"
REFUSED = "refused: "


def always_regular(_instrument_id: InstrumentId, _ts_ns: int) -> bool:
    """Treat every hour as regular."""
    return True


def never_paused(_instrument_id: InstrumentId, _ts_ns: int) -> bool:
    """Treat no hour as a pause."""
    return False


class Exchange:
    """Matches orders; no clock, no randomness, no input and output. Owner: the caller's one thread."""

    def __init__(self, is_regular: IsRegular = always_regular, is_paused: IsRegular = never_paused) -> None:
        self._pit = Pit(is_regular)
        self._is_paused = is_paused

    def live_keys(self) -> list[int]:
        """Return the keys of all live orders, oldest first."""
        return list(self._pit.live)

    def submit(self, order: ExchangeOrder, now_ns: int) -> list[ExchangeEvent]:
        """Take an order; return ``Working`` and what followed, or ``Gone`` when it makes no sense.

        Raises ``ValueError`` when the key is live already.
        """
        if order.key in self._pit.live:
            raise ValueError(f"order key {order.key} is live already")
        flaw = flaw_of(order)
        if flaw:
            return [Gone(key=order.key, ts_ns=now_ns, reason=REFUSED + flaw)]
        self._pit.enter(order, now_ns)
        return self._pit.told()

    def cancel(self, key: int, now_ns: int) -> list[ExchangeEvent]:
        """Take an order out of the book; empty when it is not live."""
        live = self._pit.live.get(key)
        if live is not None:
            self._pit.drop(live, now_ns, CANCELED)
        return self._pit.told()

    def fill(self, key: int, qty: Decimal, px: Decimal, now_ns: int) -> list[ExchangeEvent]:
        """Trade some of what is left of an order at a price, whatever the market says; empty when it is not live."""
        live = self._pit.live.get(key)
        if live is not None:
            self._pit.fill(live, min(qty, live.leaves), px, now_ns)
        return self._pit.told()

    def replace(
        self, key: int, qty: Decimal, limit_px: Decimal | None, stop_px: Decimal | None, now_ns: int
    ) -> list[ExchangeEvent]:
        """Change a plain order's total quantity and prices; see ``amend``."""
        live = self._pit.live.get(key)
        if live is None:
            return []
        order = msgspec.structs.replace(live.order, qty=qty, limit_px=limit_px, stop_px=stop_px)
        return self.amend(order, now_ns)

    def amend(self, order: ExchangeOrder, now_ns: int) -> list[ExchangeEvent]:
        """Put an order in the place of the live one with its key; empty when there is none.

        A total at or below what has traded ends the order. A change that makes no sense leaves the
        order as it was and returns nothing but ``Working``. Parent and group stay as they are.
        """
        live = self._pit.live.get(order.key)
        if live is None:
            return []
        old = live.order
        order = msgspec.structs.replace(order, parent_key=old.parent_key, oca=old.oca)
        if flaw_of(order):
            self._pit.say_working(live, now_ns)
            return self._pit.told()
        if order.qty <= live.cum:
            self._pit.drop(live, now_ns, CANCELED)
            return self._pit.told()
        self._pit.take_over(live, order, now_ns)
        return self._pit.told()

    def release(self, key: int, now_ns: int) -> list[ExchangeEvent]:
        """Let a conditional order go: its conditions are met; empty when it is not live."""
        live = self._pit.live.get(key)
        if live is not None:
            live.is_released = True
            self._pit.wake(live, now_ns)
        return self._pit.told()

    def expire(self, now_ns: int, instrument_ids: Collection[InstrumentId] | None = None) -> list[ExchangeEvent]:
        """End all DAY orders, or those of some instruments: the caller knows when a day is over.

        Orders for an auction stay: they end with it.
        """
        for live in list(self._pit.live.values()):
            order = live.order
            is_due = instrument_ids is None or order.instrument_id in instrument_ids
            if is_due and order.time_in_force is TimeInForce.DAY and order.auction is None and live.is_live:
                self._pit.drop(live, now_ns, EXPIRED)
        return self._pit.told()

    def on_time(self, now_ns: int) -> list[ExchangeEvent]:
        """Let time pass without a tick: schedules, dates, and the auctions that the hours bring."""
        self._pit.ring_alarms(now_ns)
        for instrument_id, book in self._pit.books.items():
            if book.auctions:
                self._call_auctions(book, instrument_id, None, now_ns)
        return self._pit.told()

    def on_tick(self, tick: MarketTick) -> list[ExchangeEvent]:
        """Let the market move; return what happened to our orders, in order."""
        book = self._pit.book(tick.instrument_id)
        self._pit.ring_alarms(tick.ts_ns)
        if isinstance(tick, BookTop):
            self._on_top(book, tick)
        else:
            self._on_print(book, tick)
        return self._pit.told()

    def _on_top(self, book: Book, top: BookTop) -> None:
        if book.auctions:
            self._call_auctions(book, top.instrument_id, None, top.ts_ns)
        book.show(top)
        for live in list(book.followers):
            self._pit.follow(live, book, top.ts_ns)
        if book.last_px is None:
            self._pit.trigger(book, top.instrument_id, top.ts_ns)
        for side, ladder in book.orders.items():
            if not ladder:
                continue
            px, _ = book.opposite(side)
            if px is not None and (book.seekers or ladder.first.accepts(px)):
                self._pit.take(book, side, top.instrument_id, top.ts_ns)
            book.advance_queues(side)

    def _on_print(self, book: Book, tape: TapePrint) -> None:
        if book.auctions:
            self._call_auctions(book, tape.instrument_id, tape.px, tape.ts_ns)
        book.last_px = tape.px
        if book.orders[Side.BUY] or book.orders[Side.SELL]:
            self._serve(book, tape)
        self._pit.trigger(book, tape.instrument_id, tape.ts_ns)

    def _serve(self, book: Book, tape: TapePrint) -> None:
        for live, qty, px in serves(book, tape, self._pit.may_trade(tape.instrument_id, tape.ts_ns)):
            self._pit.fill(live, qty, px, tape.ts_ns)

    def _call_auctions(self, book: Book, instrument_id: InstrumentId, print_px: Decimal | None, ts_ns: int) -> None:
        if self._is_paused(instrument_id, ts_ns):
            return  # a pause at noon neither closes the day nor opens another
        is_regular = self._pit.is_regular(instrument_id, ts_ns)
        for live in list(book.auctions):
            if is_regular is (live.order.auction is Auction.CLOSE):
                live.is_armed = True  # the phase before its auction
            elif live.is_armed and live.place is Place.AUCTION:
                px = book.middle() if live.order.auction is Auction.CLOSE else print_px
                if px is not None:
                    self._cross(live, px, ts_ns)
                elif live.order.auction is Auction.CLOSE:
                    self._pit.drop(live, ts_ns, NOT_IN_AUCTION)

    def _cross(self, live: LiveOrder, px: Decimal, ts_ns: int) -> None:
        if live.accepts(px) and live.workable > 0:
            self._pit.fill(live, live.workable, px, ts_ns)
        if live.is_live:
            self._pit.drop(live, ts_ns, NOT_IN_AUCTION)
