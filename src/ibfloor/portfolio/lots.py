"""The open lots of one position, and what is realised when a trade closes some of them. Exact."""

from __future__ import annotations

from bisect import insort_right
from decimal import Decimal
from operator import attrgetter

import msgspec

from ibfloor.model.lots import LotMethod
from ibfloor.portfolio.position import Lot, scaled, share

_ZERO = Decimal(0)
_AGE = attrgetter("opened_ns")


class OpenLots:
    """Lots by age, all on one side. ``cost + value == new cost - realised`` holds exactly for every trade."""

    __slots__ = ("cost", "lots", "method", "qty")

    def __init__(self, method: LotMethod) -> None:
        self.method = method
        self.lots: list[Lot] = []
        self.qty = _ZERO
        self.cost = _ZERO

    def copy(self) -> OpenLots:
        """Return lots that later trades of these do not change."""
        twin = OpenLots(self.method)
        twin.lots, twin.qty, twin.cost = self.lots.copy(), self.qty, self.cost
        return twin

    def trade(self, change: Decimal, value: Decimal, opened_ns: int, source: str, chosen: str = "") -> Decimal:
        """Take a signed change of quantity for a signed value, and return what it realises.

        What closes leaves by the account's method, a ``chosen`` lot before all others. What goes through
        zero closes everything at its part of the value and opens a new lot with the rest.
        """
        held = self.qty
        if not held or not change or (held > 0) == (change > 0):
            if change:
                self._open(Lot(opened_ns, change, value, source))
            return _ZERO
        left = held + change
        if left and (left > 0) == (held > 0):
            taken = self._close(-change, chosen)
            self.qty = left
            self.cost -= taken
            return -value - taken
        closing = value - share(value, left, change) if left else value
        realised = -closing - self.cost
        self.lots.clear()
        self.qty = self.cost = _ZERO
        if left:
            self._open(Lot(opened_ns, left, value - closing, source))
        return realised

    def split(self, new: int, old: int) -> None:
        """Turn every ``old`` of each lot into ``new``, at the same cost."""
        if not self.qty:
            return
        self.qty = scaled(self.qty, new, old)
        lots = [msgspec.structs.replace(lot, qty=scaled(lot.qty, new, old)) for lot in self.lots]
        rounded = sum((lot.qty for lot in lots), _ZERO) - self.qty
        if rounded:
            lots[-1] = msgspec.structs.replace(lots[-1], qty=lots[-1].qty - rounded)
        self.lots = lots

    def _open(self, lot: Lot) -> None:
        self.qty += lot.qty
        self.cost += lot.cost
        if self.method is LotMethod.AVERAGE and self.lots:
            first = self.lots[0]
            self.lots[0] = Lot(min(first.opened_ns, lot.opened_ns), self.qty, self.cost, first.source)
        elif self.lots and lot.opened_ns < self.lots[-1].opened_ns:  # it brought its age along
            insort_right(self.lots, lot, key=_AGE)
        else:
            self.lots.append(lot)

    def _close(self, qty: Decimal, chosen: str) -> Decimal:
        taken, lots, is_long = _ZERO, self.lots, qty > 0
        while True:
            place = self._next(chosen)
            lot = lots[place]
            over = lot.qty - qty
            if over and (over > 0) == is_long:
                part = share(lot.cost, qty, lot.qty)
                lots[place] = Lot(lot.opened_ns, over, lot.cost - part, lot.source)
                return taken + part
            taken += lot.cost
            del lots[place]
            if not over:
                return taken
            qty = -over

    def _next(self, chosen: str) -> int:
        if chosen and self.method is not LotMethod.AVERAGE:
            for place, lot in enumerate(self.lots):
                if lot.source == chosen:
                    return place
        return -1 if self.method is LotMethod.LIFO else 0
