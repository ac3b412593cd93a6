"""Book entries: every booking that is no execution. One fact, all its legs or none."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from ibfloor.model.fact_base import Fact
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.money import Currency, Money

NO_INSTRUMENT = InstrumentId(0)


class EntryKind(StrEnum):
    """What happened, as its operator or the floor classified it."""

    TRANSFER = "TRANSFER"
    ADJUSTMENT = "ADJUSTMENT"
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    DIVIDEND = "DIVIDEND"
    INTEREST = "INTEREST"
    BORROW = "BORROW"
    CHARGE = "CHARGE"
    SPLIT = "SPLIT"
    MERGER = "MERGER"
    """Mergers, spin-offs, renamings: what turns one instrument into others."""
    EXPIRY = "EXPIRY"
    EXERCISE = "EXERCISE"
    ASSIGNMENT = "ASSIGNMENT"
    VARIATION = "VARIATION"
    """A future's daily settlement: its open result is paid in cash."""
    CROSS = "CROSS"
    """Two books traded with each other, without the market."""


INCOME_KINDS = frozenset({EntryKind.DIVIDEND, EntryKind.INTEREST, EntryKind.BORROW, EntryKind.CHARGE})
"""Their cash legs are earned or paid: results. The cash of all others is a flow."""


class PositionLeg(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """A quantity enters a book at a price, or leaves it. Cash for it is a leg of its own."""

    strategy: StrategyId
    instrument_id: InstrumentId
    qty: Decimal
    """Signed: what the book's position changes by."""
    px: Decimal
    """The price it enters at, or what it leaves for: the difference to its cost is realised."""
    currency: Currency
    multiplier: Decimal = Decimal(1)
    opened_ns: int = 0
    """When the lot was first opened, where it brings its age along; 0 = with this entry."""
    lot: str = ""
    """The lot that leaves, by its source as in the book; else the account's method decides."""
    value: Decimal | None = None
    """Its exact signed worth, where quantity times price times multiplier is rounded."""


class CashLeg(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Cash enters a book, or leaves it when negative."""

    strategy: StrategyId
    amount: Money
    instrument_id: InstrumentId = NO_INSTRUMENT
    """What paid it: the stock of a dividend, the option of an assignment."""


class SplitLeg(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Every lot of a book's position gets ``new`` for each ``old``, at the same cost.

    There is one for every book that holds the instrument. A trade of before that becomes known later is
    split in whichever book it is.
    """

    strategy: StrategyId
    instrument_id: InstrumentId
    new: int
    old: int


class SettleLeg(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """What a book's position in a future has gained up to a price is paid in cash. Cost and open result stay.

    There is one for every book that holds the future; like a split it is of all books, whenever they learn
    of their trades.
    """

    strategy: StrategyId
    instrument_id: InstrumentId
    px: Decimal


Leg = PositionLeg | CashLeg | SplitLeg | SettleLeg


class CrossedQuote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The quote that two books crossed within, and where it came from."""

    bid_px: Decimal
    ask_px: Decimal
    ts_event_ns: int
    source: str = "quote"

    @property
    def mid_px(self) -> Decimal:
        """Return the middle, exactly."""
        return (self.bid_px + self.ask_px) / 2


class BookEntry(Fact, frozen=True, kw_only=True):
    """A booking that is no execution. Its legs are booked together, in their order, at ``ts_event_ns``."""

    entry_id: str
    kind: EntryKind
    legs: tuple[Leg, ...] = ()
    reason: str
    actor: str
    reverses: str = ""
    """The entry this one takes out of the books, as if it had never been; the legs then are its legs undone."""
    break_key: str = ""
    """The break it resolves, as in ``BreakFound``."""
    quote: CrossedQuote | None = None
    """Of a cross: what its price is the middle of."""

    @property
    def strategies(self) -> frozenset[StrategyId]:
        """Return whose books it touches."""
        return frozenset(leg.strategy for leg in self.legs)

    @property
    def instruments(self) -> frozenset[InstrumentId]:
        """Return which positions it touches."""
        return frozenset(leg.instrument_id for leg in self.legs if not isinstance(leg, CashLeg))


def undone(legs: tuple[Leg, ...]) -> tuple[Leg, ...]:
    """Return the legs that undo others: the last first, each the other way round."""
    return tuple(_undone(leg) for leg in reversed(legs))


def _undone(leg: Leg) -> Leg:
    match leg:
        case PositionLeg():
            return replace(leg, qty=-leg.qty, value=None if leg.value is None else -leg.value)
        case CashLeg():
            return replace(leg, amount=-leg.amount)
        case SplitLeg():
            return replace(leg, new=leg.old, old=leg.new)
        case SettleLeg():
            return leg  # what was paid before is for the books to know
