"""One instrument's book in the exchange: the displayed touch, our resting orders, waiting stops."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from decimal import Decimal

from ibfloor.model.order import Side
from ibfloor.sim.exchange.live import LiveOrder, Place, Rank
from ibfloor.sim.exchange.values import ZERO, BookTop


class Ladder:
    """Orders of one side in priority: market orders, then the best price, then the oldest."""

    __slots__ = ("_orders",)

    def __init__(self) -> None:
        self._orders: list[LiveOrder] = []

    def __bool__(self) -> bool:
        return bool(self._orders)

    def __iter__(self) -> Iterator[LiveOrder]:
        return iter(self._orders)

    @property
    def first(self) -> LiveOrder:
        """Return the order that trades first; raises ``IndexError`` when there is none."""
        return self._orders[0]

    def add(self, live: LiveOrder) -> None:
        """Put an order in its place."""
        insort(self._orders, live, key=_rank_of)

    def remove(self, live: LiveOrder) -> None:
        """Take an order out; its rank must be the one it was added with."""
        index = bisect_left(self._orders, live.rank, key=_rank_of)
        assert self._orders[index] is live
        del self._orders[index]

    def at(self, px_rank: Decimal) -> Iterator[LiveOrder]:
        """Yield the orders at one price, given as rank (the negative price for buys)."""
        orders = self._orders
        index = bisect_left(orders, (px_rank, -1), key=_rank_of)
        while index < len(orders) and orders[index].rank[0] == px_rank:
            yield orders[index]
            index += 1


def _rank_of(live: LiveOrder) -> Rank:
    return live.rank


class Book:
    """What the exchange knows of one instrument; ``*_left`` is displayed and not yet consumed by us."""

    __slots__ = (
        "ask_left",
        "ask_px",
        "auctions",
        "bid_left",
        "bid_px",
        "followers",
        "last_px",
        "orders",
        "seekers",
        "takers",
        "trails",
        "waiting",
    )

    def __init__(self) -> None:
        self.bid_px: Decimal | None = None
        self.ask_px: Decimal | None = None
        self.bid_left = ZERO
        self.ask_left = ZERO
        self.last_px: Decimal | None = None
        self.orders = {Side.BUY: Ladder(), Side.SELL: Ladder()}
        self.waiting = {True: Ladder(), False: Ladder()}
        """Orders that wait for their trigger, by whether a rise triggers them."""
        self.takers: list[LiveOrder] = []
        self.trails: list[LiveOrder] = []
        self.followers: list[LiveOrder] = []
        """Working orders whose limit follows the quotes."""
        self.auctions: list[LiveOrder] = []
        self.seekers: list[LiveOrder] = []
        """Resting orders that take prices beyond their limit, at their discretion."""

    def show(self, top: BookTop) -> None:
        """Take a new touch: all of its size is there again; orders it passes by take no more."""
        self.bid_px, self.bid_left = top.bid_px, top.bid_qty
        self.ask_px, self.ask_left = top.ask_px, top.ask_qty
        if self.takers:
            self.takers = [live for live in self.takers if self._still_takes(live)]

    def opposite(self, side: Side) -> tuple[Decimal | None, Decimal]:
        """Return price and remaining size that an order of ``side`` would trade against."""
        return (self.ask_px, self.ask_left) if side is Side.BUY else (self.bid_px, self.bid_left)

    def consume(self, side: Side, qty: Decimal) -> None:
        """Take displayed size that an order of ``side`` traded against."""
        if side is Side.BUY:
            self.ask_left -= qty
        else:
            self.bid_left -= qty

    def displayed(self, side: Side, px: Decimal) -> Decimal:
        """Return the size displayed on an order's own side at its price; 0 away from the touch."""
        if side is Side.BUY:
            return self.bid_left if self.bid_px == px else ZERO
        return self.ask_left if self.ask_px == px else ZERO

    def advance_queues(self, side: Side) -> None:
        """Let a smaller display bring our orders at the touch forward."""
        px, displayed = (self.bid_px, self.bid_left) if side is Side.BUY else (self.ask_px, self.ask_left)
        if px is not None:
            for live in self.orders[side].at(-px if side is Side.BUY else px):
                live.ahead = min(live.ahead, displayed)

    def pass_queue(self, live: LiveOrder, qty: Decimal) -> Decimal:
        """Return how much of a print at an order's price others take before it, and shorten its queue."""
        if live.limit_px is None or self._is_best(live.order.side, live.limit_px):
            return ZERO
        if live.order.is_hidden:
            return min(self.displayed(live.order.side, live.limit_px), qty)
        queued = min(live.ahead, qty)
        live.ahead -= queued
        return queued

    def reference(self) -> tuple[Decimal | None, Decimal | None]:
        """Return the prices that trigger on a rise and on a fall: the last print, else bid and ask."""
        return (self.bid_px, self.ask_px) if self.last_px is None else (self.last_px, self.last_px)

    def middle(self) -> Decimal | None:
        """Return the last print, else the middle of the quote."""
        if self.last_px is not None or self.bid_px is None or self.ask_px is None:
            return self.last_px
        return (self.bid_px + self.ask_px) / 2

    def take_out(self, live: LiveOrder) -> None:
        """Take an order out of wherever it stands."""
        if live.place is Place.BOOK:
            self.orders[live.order.side].remove(live)
        elif live.place is Place.WAITING:
            self.waiting[live.rises_to_trigger].remove(live)
        for watched in (self.trails, self.followers, self.auctions, self.seekers):
            if live in watched:
                watched.remove(live)

    def _still_takes(self, live: LiveOrder) -> bool:
        px, _ = self.opposite(live.order.side)
        live.is_taking = live.place is Place.BOOK and px is not None and live.accepts(px)
        return live.is_taking

    def _is_best(self, side: Side, px: Decimal) -> bool:
        if side is Side.BUY:
            return self.bid_px is None or px > self.bid_px
        return self.ask_px is None or px < self.ask_px
