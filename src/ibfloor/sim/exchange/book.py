"""One instrument's book in the exchange: the displayed touch, our resting orders, waiting stops."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from decimal import Decimal

from ibfloor.model.order import OrdType, Side
from ibfloor.sim.exchange.values import BookTop, ExchangeOrder

ZERO = Decimal(0)
_FIRST = Decimal("-Infinity")  # a market order ranks before every limit

Rank = tuple[Decimal, int]


class LiveOrder:
    """An order in the exchange and what is left of it; owned by the ``Exchange``."""

    __slots__ = ("ahead", "cum", "is_taking", "is_triggered", "leaves", "order", "rank", "seq")

    def __init__(self, order: ExchangeOrder, seq: int) -> None:
        self.order = order
        self.seq = seq
        self.leaves = order.qty
        self.cum = ZERO
        self.is_triggered = order.ord_type is not OrdType.STOP
        self.is_taking = False
        """Came in marketable and still is: trades at the touch, not at its limit."""
        self.ahead = ZERO
        """Displayed quantity that stood at our price before us."""
        self.rank = self._rank()

    @property
    def limit_px(self) -> Decimal | None:
        """Return the limit; ``None`` for a market order and a triggered stop."""
        return self.order.limit_px if self.order.ord_type is OrdType.LIMIT else None

    def rerank(self, seq: int) -> None:
        """Take a new place in the queue, as a new order would."""
        self.seq = seq
        self.rank = self._rank()

    def accepts(self, px: Decimal) -> bool:
        """Tell whether the order may trade at a price."""
        limit = self.limit_px
        if limit is None:
            return True
        return px <= limit if self.order.side is Side.BUY else px >= limit

    def _rank(self) -> Rank:
        px: Decimal | None
        if not self.is_triggered:
            px = self.order.stop_px
            assert px is not None
            return (px if self.order.side is Side.BUY else -px, self.seq)
        px = self.limit_px
        if px is None:
            return (_FIRST, self.seq)
        return (-px if self.order.side is Side.BUY else px, self.seq)


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

    __slots__ = ("ask_left", "ask_px", "bid_left", "bid_px", "last_px", "orders", "stops", "takers")

    def __init__(self) -> None:
        self.bid_px: Decimal | None = None
        self.ask_px: Decimal | None = None
        self.bid_left = ZERO
        self.ask_left = ZERO
        self.last_px: Decimal | None = None
        self.orders = {Side.BUY: Ladder(), Side.SELL: Ladder()}
        self.stops = {Side.BUY: Ladder(), Side.SELL: Ladder()}
        self.takers: list[LiveOrder] = []

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
        queued = min(live.ahead, qty)
        live.ahead -= queued
        return queued

    def ladder(self, live: LiveOrder) -> Ladder:
        """Return the ladder an order stands in."""
        return (self.orders if live.is_triggered else self.stops)[live.order.side]

    def _still_takes(self, live: LiveOrder) -> bool:
        px, _ = self.opposite(live.order.side)
        live.is_taking = live.leaves > 0 and px is not None and live.accepts(px)
        return live.is_taking

    def _is_best(self, side: Side, px: Decimal) -> bool:
        if side is Side.BUY:
            return self.bid_px is None or px > self.bid_px
        return self.ask_px is None or px < self.ask_px
