"""The history of one strategy in one instrument, folded in the order of events, not of arrival."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from ibfloor.model.ids import InstrumentId
from ibfloor.model.lots import LotMethod
from ibfloor.model.money import Currency
from ibfloor.portfolio.lots import OpenLots
from ibfloor.portfolio.position import Position, Settlement, share

_ZERO = Decimal(0)
_KEPT = 20
_APART = 512


class Entry(NamedTuple):
    """One change of a position; entries sort by their time, then by what they are."""

    ts_ns: int
    is_trade: bool
    key: str
    """The execution's root, or the book entry and its leg; for an opening movement, its own text."""
    qty: Decimal
    px: Decimal
    new: int = 1
    """A split gives ``new`` for each ``old``, and has no quantity of its own."""
    old: int = 1
    opened_ns: int = 0
    """When its lot was first opened; 0 = now."""
    lot: str = ""
    """The lot it closes before all others."""
    value: Decimal | None = None
    """Its exact worth, where quantity times price times multiplier is not."""

    settles: bool = False
    """A daily settlement at ``px``."""

    @property
    def is_common(self) -> bool:
        """Tell whether it is of all books at once: it moves nothing in or out."""
        return self.settles or self.new != self.old


class Fold:
    """What a history amounts to, up to one of its entries."""

    __slots__ = ("lots", "moved_value", "paid", "realised", "traded_qty", "traded_value")

    def __init__(self, lots: OpenLots) -> None:
        self.lots = lots
        self.realised = _ZERO
        self.paid = _ZERO
        """Of the open result, by daily settlement."""
        self.traded_value = _ZERO
        """Signed: buys less sells, at their prices."""
        self.traded_qty = _ZERO
        self.moved_value = _ZERO
        """Signed value of all movements, at their prices."""

    def copy(self) -> Fold:
        """Return a fold that goes its own way."""
        twin = Fold(self.lots.copy())
        twin.realised, twin.paid, twin.moved_value = self.realised, self.paid, self.moved_value
        twin.traded_value, twin.traded_qty = self.traded_value, self.traded_qty
        return twin

    def take(self, entry: Entry, multiplier: Decimal) -> None:
        """Take the next entry."""
        if entry.new != entry.old:
            self.lots.split(entry.new, entry.old)
            return
        if entry.settles:
            self.paid = self.lots.qty * entry.px * multiplier - self.lots.cost
            return
        value = entry.qty * entry.px * multiplier if entry.value is None else entry.value
        if self.paid:
            self.paid = still_paid(self.paid, self.lots.qty, entry.qty)
        self.realised += self.lots.trade(entry.qty, value, entry.opened_ns or entry.ts_ns, entry.key, entry.lot)
        if entry.is_trade:
            self.traded_value += value
            self.traded_qty += entry.qty
        else:
            self.moved_value += value


class Holding:
    """A position with its history. An entry that comes late, or is taken back, refolds what follows it.

    What is realised depends on the order of trades, so the history is kept in the order of events:
    then the result is what a clean history would give, however the facts arrived. A few folds on the
    way are kept, so that what comes a little late does not cost the whole history again.
    """

    def __init__(self, instrument_id: InstrumentId, currency: Currency, multiplier: Decimal, method: LotMethod) -> None:
        self.instrument_id = instrument_id
        self.currency = currency
        self.multiplier = multiplier
        self._method = method
        self._entries: list[Entry] = []
        self._moves = 0
        self._state = Fold(OpenLots(method))
        self._folded = 0
        self._kept: list[tuple[int, Fold]] = []
        self._position: Position | None = None
        self.on_change: Callable[[Entry, int], object] = lambda entry, sign: None
        """Told of every entry that came (1) or was taken back (-1)."""

    def add(self, entry: Entry) -> None:
        """Put an entry into its place."""
        if entry.new == entry.old and not entry.settles:
            self._moves += 1
        if self._entries and entry < self._entries[-1]:
            place = bisect_left(self._entries, entry)
            self._entries.insert(place, entry)
            self._return_to(place)
        else:
            self._entries.append(entry)
        self.on_change(entry, 1)

    def remove(self, entry: Entry) -> None:
        """Take an entry back; raise ``ValueError`` when it is not there."""
        place = bisect_left(self._entries, entry)
        if place == len(self._entries) or self._entries[place] != entry:
            raise ValueError(f"{entry.key} was never booked")
        del self._entries[place]
        self._moves -= not entry.is_common
        self._return_to(place)
        self.on_change(entry, -1)

    def position(self, settlement: Settlement) -> Position:
        """Return the position as of the last entry."""
        fold = self.fold()
        position = self._position
        if position is None or position.settlement is not settlement:
            position = self._position = self._of(fold, settlement)
        return position

    def position_at(self, ts_ns: int, settlement: Settlement) -> Position:
        """Return the position as a movement at a time finds it: before the trades of that very time."""
        fold = Fold(OpenLots(self._method))
        for entry in self._entries:
            if entry.ts_ns > ts_ns or (entry.ts_ns == ts_ns and entry.is_trade):
                break
            fold.take(entry, self.multiplier)
        return self._of(fold, settlement)

    def _of(self, fold: Fold, settlement: Settlement) -> Position:
        return Position(
            instrument_id=self.instrument_id,
            currency=self.currency,
            multiplier=self.multiplier,
            settlement=settlement,
            qty=fold.lots.qty,
            cost=fold.lots.cost,
            realised=fold.realised,
            paid=fold.paid,
            lots=tuple(fold.lots.lots),
        )

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Return the history in the order of events."""
        return tuple(self._entries)

    @property
    def is_blank(self) -> bool:
        """Tell whether nothing was ever held: a split alone is no position."""
        return not self._moves

    @property
    def qty(self) -> Decimal:
        """Return the signed quantity."""
        return self.fold().lots.qty

    def _return_to(self, place: int) -> None:
        self._position = None
        if self._folded <= place:
            return
        while self._kept and self._kept[-1][0] > place:
            self._kept.pop()
        self._folded, fold = self._kept[-1] if self._kept else (0, Fold(OpenLots(self._method)))
        self._state = fold.copy()

    def fold(self) -> Fold:
        """Return what the whole history amounts to; not to be changed or kept."""
        entries, fold = self._entries, self._state
        if self._folded == len(entries):
            return fold
        self._position = None
        for place in range(self._folded, len(entries)):
            if place and place % _APART == 0:
                self._keep(place)
            fold.take(entries[place], self.multiplier)
        self._folded = len(entries)
        return fold

    def _keep(self, place: int) -> None:
        if self._kept and self._kept[-1][0] >= place:
            return
        self._kept.append((place, self._state.copy()))
        if len(self._kept) > _KEPT:  # dense where late facts come, thin in the far past
            self._kept = self._kept[: -_KEPT // 2 : 2] + self._kept[-_KEPT // 2 :]


def still_paid(paid: Decimal, held: Decimal, change: Decimal) -> Decimal:
    """Return what is left of a settlement's payment once a trade has closed its part of the position."""
    left = held + change
    if not left or (left > 0) != (held > 0):
        return _ZERO
    return paid if abs(left) >= abs(held) else share(paid, left, held)
