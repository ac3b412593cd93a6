"""What strategies have done lately, as far as a rule asks for it: entries, sizes, repeats, rejects."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable
from decimal import Decimal

from ibfloor.model.ids import ClientOrderId
from ibfloor.model.order import OrderRequest, OrdType, Side

SIZES_KEPT = 101
SIZES_NEEDED = 10
"""Fewer orders than this have no usual size."""
_RECENT_KEPT = 64

Likeness = tuple[Side, Decimal, OrdType, Decimal | None, Decimal | None]
"""What makes two orders the same but for their ids."""


def likeness(request: OrderRequest) -> Likeness:
    """Return what an order has in common with one sent twice."""
    return request.side, request.order_qty, request.ord_type, request.limit_px, request.stop_px


class StrategyActivity:
    """One strategy's counters; owned and locked like the gate that holds them."""

    __slots__ = ("entries", "open_orders", "rejects")

    def __init__(self) -> None:
        self.entries: deque[int] = deque()
        """When the entries of the window passed, market time."""
        self.open_orders: set[ClientOrderId] = set()
        self.rejects = 0
        """How many orders in a row nobody took."""

    def entries_since(self, since_ns: int) -> int:
        """Return how many entries passed after a time; older ones are forgotten."""
        entries = self.entries
        while entries and entries[0] <= since_ns:
            entries.popleft()
        return len(entries)

    def undo(self) -> Callable[[], None]:
        """Return what forgets the entries counted from now on; rejects stay."""
        entries = tuple(self.entries)

        def back() -> None:
            self.entries.clear()
            self.entries.extend(entries)

        return back


class Habits:
    """A strategy's recent orders in one instrument: what is usual, and what was just sent."""

    __slots__ = ("_ordered", "_recent", "_sizes")

    def __init__(self) -> None:
        self._sizes: deque[Decimal] = deque()
        self._ordered: list[Decimal] = []
        self._recent: dict[Likeness, int] = {}

    @property
    def median(self) -> Decimal | None:
        """Return the usual size of an order; ``None`` while there are too few."""
        count = len(self._ordered)
        return self._ordered[count // 2] if count >= SIZES_NEEDED else None

    def note_size(self, qty: Decimal) -> None:
        """Remember the size of an order that went out."""
        self._sizes.append(qty)
        insort(self._ordered, qty)
        if len(self._sizes) > SIZES_KEPT:
            oldest = self._sizes.popleft()
            del self._ordered[bisect_left(self._ordered, oldest)]

    def note_sent(self, request: OrderRequest, now_ns: int) -> None:
        """Remember an order as just sent."""
        recent = self._recent
        recent.pop(key := likeness(request), None)
        recent[key] = now_ns
        if len(recent) > _RECENT_KEPT:
            del recent[next(iter(recent))]

    def sent_ns(self, request: OrderRequest) -> int | None:
        """Return when the same order was sent last; ``None`` when it was not lately."""
        return self._recent.get(likeness(request))

    def undo(self) -> Callable[[], None]:
        """Return what forgets the orders noted as just sent from now on."""
        recent = dict(self._recent)

        def back() -> None:
            self._recent = recent

        return back
