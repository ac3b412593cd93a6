"""One position with its lots, exact: what is rounded off one side of the books stays on the other."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

import msgspec

from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import SecurityType
from ibfloor.model.money import Currency

_ZERO = Decimal(0)
_GRAIN = Decimal("1e-10")
"""Part of a cost that leaves with part of a position is rounded to this, far below a cent."""


class Settlement(StrEnum):
    """How a trade moves cash."""

    PAID = "PAID"
    """The price is paid in full: stocks, ETFs, options."""
    VARIATION = "VARIATION"
    """Only the realised result is paid: futures. The open result is in the account's equity, not in its cash."""
    EXCHANGED = "EXCHANGED"
    """One currency is given for another: forex. Both are cash; the position itself is worth nothing more."""


_SETTLEMENTS = {SecurityType.FUTURE: Settlement.VARIATION, SecurityType.FOREX: Settlement.EXCHANGED}


def settlement_of(security_type: SecurityType) -> Settlement:
    """Return how trades in a kind of security move cash."""
    return _SETTLEMENTS.get(security_type, Settlement.PAID)


class Lot(msgspec.Struct, frozen=True, gc=False):
    """A part of a position that came in at one time."""

    opened_ns: int
    """When (market time): a lot that moved between books brings its age along."""
    qty: Decimal
    """Signed, as it is now."""
    cost: Decimal
    """Signed money, multiplier included: what the quantity cost."""
    source: str
    """The execution's root, or the book entry and the number of its leg."""


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """A position in one instrument; ``cost`` and ``realised`` are money, multiplier included."""

    instrument_id: InstrumentId
    currency: Currency
    multiplier: Decimal = Decimal(1)
    settlement: Settlement = Settlement.PAID
    qty: Decimal = _ZERO
    """Signed: negative when short."""
    cost: Decimal = _ZERO
    """Signed: what the open quantity was bought for; negative for a short."""
    realised: Decimal = _ZERO
    """Result of all that was closed, fees not counted."""
    paid: Decimal = _ZERO
    """Of a future: what daily settlement has paid in cash of the open result."""
    lots: tuple[Lot, ...] = ()
    """What is open, the oldest first; by average cost all of it is one."""

    @property
    def avg_px(self) -> Decimal:
        """Return the average price of the open quantity; 0 when flat."""
        return self.cost / (self.qty * self.multiplier) if self.qty else _ZERO

    def px_of(self, lot: Lot) -> Decimal:
        """Return the price that one of its lots came in at, splits counted."""
        return lot.cost / (lot.qty * self.multiplier)

    def unrealised(self, px: Decimal) -> Decimal:
        """Return the open result at a price, in the position's currency."""
        return self.qty * px * self.multiplier - self.cost


def share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Return a part's share of an amount, rounded far below a cent."""
    return (amount * part / whole).quantize(_GRAIN, ROUND_HALF_EVEN)


def scaled(qty: Decimal, new: int, old: int) -> Decimal:
    """Return what a quantity becomes when every ``old`` of it turn into ``new``."""
    return tidy(share(qty, Decimal(new), Decimal(old)))


def tidy(amount: Decimal) -> Decimal:
    """Return the same number without zeros at its end, and without an exponent."""
    whole = amount.to_integral_value()
    return whole if whole == amount else amount.normalize()
