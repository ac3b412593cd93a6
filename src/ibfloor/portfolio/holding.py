"""The history of one strategy in one instrument, folded in the order of events, not of arrival."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from ibfloor.model.ids import InstrumentId
from ibfloor.model.money import Currency
from ibfloor.portfolio.position import Position, Settlement, split, traded

_ZERO = Decimal(0)


class Entry(NamedTuple):
    """One change of a position; entries sort by their time, then by what they are."""

    ts_ns: int
    is_trade: bool
    key: str
    """The execution's root; for a movement, its own text: equal movements may swap places."""
    qty: Decimal
    px: Decimal
    new: int = 1
    """A split gives ``new`` for each ``old``, and has no quantity of its own."""
    old: int = 1


class Holding:
    """A position with its history. An entry that comes late, or is taken back, refolds it.

    Average cost depends on the order of trades, so the history is kept in the order of events:
    then the result is what a clean history would give, however the facts arrived.
    """

    def __init__(self, instrument_id: InstrumentId, currency: Currency, multiplier: Decimal) -> None:
        self.instrument_id = instrument_id
        self.currency = currency
        self.multiplier = multiplier
        self._entries: list[Entry] = []
        self._folded = 0
        self._restart()

    def add(self, entry: Entry) -> None:
        """Put an entry into its place."""
        if self._entries and entry < self._entries[-1]:
            insort(self._entries, entry)
            self._restart()
        else:
            self._entries.append(entry)

    def remove(self, entry: Entry) -> None:
        """Take an entry back; raise ``ValueError`` when it is not there."""
        self._entries.remove(entry)
        self._restart()

    def position(self, settlement: Settlement) -> Position:
        """Return the position as of the last entry."""
        self._fold()
        return Position(
            instrument_id=self.instrument_id,
            currency=self.currency,
            multiplier=self.multiplier,
            settlement=settlement,
            qty=self._qty,
            cost=self._cost,
            realised=self._realised,
        )

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Return the history in the order of events."""
        return tuple(self._entries)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing ever happened here, or all of it was taken back."""
        return not self._entries

    @property
    def qty(self) -> Decimal:
        """Return the signed quantity."""
        self._fold()
        return self._qty

    @property
    def traded_value(self) -> Decimal:
        """Return the signed value of all trades: buys less sells, at their prices."""
        self._fold()
        return self._traded_value

    @property
    def traded_qty(self) -> Decimal:
        """Return the signed quantity of all trades, movements left out."""
        self._fold()
        return self._traded_qty

    @property
    def moved_value(self) -> Decimal:
        """Return the signed value of all movements, at their prices."""
        self._fold()
        return self._moved_value

    def _restart(self) -> None:
        self._folded = 0
        self._qty = self._cost = self._realised = _ZERO
        self._traded_value = self._traded_qty = self._moved_value = _ZERO

    def _fold(self) -> None:
        if self._folded == len(self._entries):
            return
        for entry in self._entries[self._folded :]:
            if entry.new != entry.old:
                self._qty = split(self._qty, entry.new, entry.old)
                continue
            value = entry.qty * entry.px * self.multiplier
            self._qty, self._cost, realised = traded(self._qty, self._cost, entry.qty, value)
            self._realised += realised
            if entry.is_trade:
                self._traded_value += value
                self._traded_qty += entry.qty
            else:
                self._moved_value += value
        self._folded = len(self._entries)


def realised_as_one(holdings: Iterable[Holding]) -> Decimal:
    """Return the realised result of one instrument's holdings as if all were one book's.

    That is how the broker sees them: what one strategy buys closes what another is short.
    Movements from one holding to another at one time and price are no event there.
    """
    parts = tuple(holdings)
    moves: dict[tuple[int, Decimal], Decimal] = {}
    merged = [entry for part in parts for entry in part.entries if entry.is_trade]
    for entry in (entry for part in parts for entry in part.entries if not entry.is_trade):
        moves[entry.ts_ns, entry.px] = moves.get((entry.ts_ns, entry.px), _ZERO) + entry.qty
    merged += [Entry(ts_ns, False, "", qty, px) for (ts_ns, px), qty in moves.items() if qty]
    held = cost = total = _ZERO
    for entry in sorted(merged):
        held, cost, realised = traded(held, cost, entry.qty, entry.qty * entry.px * parts[0].multiplier)
        total += realised
    return total
