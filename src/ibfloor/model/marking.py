"""At which prices and rates the books were valued: the one part of a statement that no trade tells."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.fact_base import Fact
from ibfloor.model.ids import InstrumentId
from ibfloor.model.money import Currency

TRADED = "traded"
"""The source of a price that is an own execution's: the market had told none of the instrument yet."""


class MarkTaken(msgspec.Struct, frozen=True, array_like=True):
    """A price, its time (market time, ns) and where it came from."""

    instrument_id: InstrumentId
    px: Decimal
    ts_ns: int
    source: str


class RateTaken(msgspec.Struct, frozen=True, array_like=True):
    """What one unit of a currency was worth in the base currency, when and by whom."""

    currency: Currency
    rate: Decimal
    ts_ns: int
    source: str


class BooksMarked(Fact, frozen=True, kw_only=True):
    """All books were valued at these prices and rates: a point of every equity curve.

    What is held and not among the marks had none: its value is not known, and is not guessed.
    """

    base: Currency
    marks: tuple[MarkTaken, ...] = ()
    rates: tuple[RateTaken, ...] = ()
