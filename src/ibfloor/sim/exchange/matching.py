"""What trades: generators that say which order trades how much at which price.

The caller books each trade before it asks for the next one, so that everything a fill changes
(quantities, the book, other orders of a group) is seen by the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from ibfloor.model.order import Side
from ibfloor.sim.exchange.book import Book
from ibfloor.sim.exchange.live import LiveOrder, Place
from ibfloor.sim.exchange.values import TapePrint

Trade = tuple[LiveOrder, Decimal, Decimal]
"""Order, quantity, price."""
MayTrade = Callable[[LiveOrder], bool]


def takes(book: Book, side: Side, may_trade: MayTrade) -> Iterator[Trade]:
    """Yield what orders of a side trade against the displayed touch."""
    px, _ = book.opposite(side)
    if px is None:
        return
    for live in list(book.orders[side]):
        _, left = book.opposite(side)
        if left <= 0:
            break
        if live.place is not Place.BOOK:
            continue  # a fill of this very round took it out
        if not live.accepts(px):
            break
        if not may_trade(live):
            continue
        qty = min(left, live.workable)
        if qty <= 0 or qty < live.least:
            continue
        book.consume(side, qty)
        limit = live.limit_px
        yield live, qty, px if limit is None or live.is_taking else limit


def seeks(book: Book, side: Side, may_trade: MayTrade) -> Iterator[Trade]:
    """Yield what resting orders of a side take beyond their limit, at their discretion."""
    for live in list(book.seekers):
        px, left = book.opposite(side)
        if live.place is not Place.BOOK or live.order.side is not side or px is None or not may_trade(live):
            continue
        qty = min(left, live.workable)
        if not live.accepts(px) and live.reaches_for(px) and qty > 0 and qty >= live.least:
            book.consume(side, qty)
            yield live, qty, px


def serves(book: Book, tape: TapePrint, may_trade: MayTrade) -> Iterator[Trade]:
    """Yield what resting limits get of a print: our buys first, then our sells, from the same size."""
    left = tape.qty
    for side in Side:
        is_blocked = False  # an older order of this side waits at the print's price
        for live in _reached(book, side, tape.px):
            if live.place is not Place.BOOK or not may_trade(live):
                continue
            available = left
            if live.limit_px == tape.px:
                available = min(left, tape.qty - book.pass_queue(live, tape.qty))
                if live.order.display_qty:
                    available = min(available, live.shown)
            qty = min(available, live.workable)
            is_enough = qty > 0 and qty >= live.least
            if is_enough and not is_blocked:
                left -= qty
                assert live.limit_px is not None
                yield live, qty, live.limit_px
            is_blocked = is_blocked or (live.place is Place.BOOK and live.workable > 0 and live.least == 0)


def triggered(book: Book, rise: Decimal | None, fall: Decimal | None) -> list[LiveOrder]:
    """Return the waiting orders that prices reach: first those a rise triggers, nearest first."""
    due: list[LiveOrder] = []
    for rises, px in ((True, rise), (False, fall)):
        if px is None:
            continue
        reached = px if rises else -px
        for live in book.waiting[rises]:
            if live.rank[0] > reached:
                break
            due.append(live)
    return due


def _reached(book: Book, side: Side, px: Decimal) -> list[LiveOrder]:
    reached: list[LiveOrder] = []
    for live in book.orders[side]:
        if not live.accepts(px):
            break
        if live.limit_px is not None:  # a market order waits for displayed size
            reached.append(live)
    return reached
