"""Bookings: what a person may do to the books, in the imperative. Each becomes one book entry, after a preview."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from ibfloor.model.entry import BookEntry, EntryKind
from ibfloor.model.ids import UNASSIGNED, InstrumentId, StrategyId
from ibfloor.model.money import Currency, Money

RATIO_MAX = 1_000_000
"""A split, merger or spin-off gives no more than so many for one."""
_POSITION = "position:"


class Booking(msgspec.Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """Base of all bookings."""


class TransferLot(Booking, frozen=True, kw_only=True):
    """Move a quantity from one book to another; the taker pays the giver."""

    giver: StrategyId = UNASSIGNED
    taker: StrategyId
    instrument_id: InstrumentId
    qty: Decimal | None = None
    """Above zero for longs and shorts; ``None`` = all of it."""
    px: Decimal | None = None
    """``None`` = lots move at their cost, with their age: nobody gains."""
    lot: str = ""
    """The lot that moves, by its source; else the oldest first."""


class TransferCash(Booking, frozen=True, kw_only=True):
    """Move cash from one book to another."""

    giver: StrategyId = UNASSIGNED
    taker: StrategyId
    amount: Money


class Adjust(Booking, frozen=True, kw_only=True):
    """Put into a book what the account shows: a quantity at a price, cash, or both."""

    strategy: StrategyId = UNASSIGNED
    instrument_id: InstrumentId = InstrumentId(0)
    qty: Decimal = Decimal(0)
    """Signed: what the position changes by."""
    px: Decimal | None = None
    cash: Money | None = None


class Share(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One book's part of an amount."""

    strategy: StrategyId
    amount: Decimal


class BookCash(Booking, frozen=True, kw_only=True):
    """Book cash that came into the account, or left it, by its kind and shared among books."""

    kind: EntryKind
    """DEPOSIT, WITHDRAWAL, DIVIDEND, INTEREST, BORROW or CHARGE."""
    amount: Money
    """As it moved the account's cash: negative for what was taken."""
    shares: tuple[Share, ...] = ()
    """Empty: by holdings where ``instrument_id`` says of what, else all to ``UNASSIGNED``."""
    instrument_id: InstrumentId = InstrumentId(0)


class SplitPosition(Booking, frozen=True, kw_only=True):
    """Give every holder of an instrument ``new`` for each ``old``, at the same cost."""

    instrument_id: InstrumentId
    new: int
    old: int
    px_in_lieu: Decimal | None = None
    """What a fraction of a share was paid out at; without it fractions stay."""


class MergePosition(Booking, frozen=True, kw_only=True):
    """Turn an instrument into another, ``new`` for each ``old``, at the same cost; and cash where any is paid."""

    instrument_id: InstrumentId
    into_id: InstrumentId
    new: int
    old: int
    cash_per_share: Decimal = Decimal(0)
    cash_cost_share: Decimal = Decimal(0)
    """The part of the cost, from 0 to 1, that goes with the cash."""
    px_in_lieu: Decimal | None = None


class SpinOff(Booking, frozen=True, kw_only=True):
    """Give every holder of an instrument ``new`` of another for each ``old``, and a part of the cost with them."""

    instrument_id: InstrumentId
    child_id: InstrumentId
    new: int
    old: int
    cost_share: Decimal
    """The part of the cost, from 0 to 1, that goes to the child; the company says which."""
    px_in_lieu: Decimal | None = None
    """What a fraction of the child was paid out at; without it fractions stay."""


class ExpirePosition(Booking, frozen=True, kw_only=True):
    """End what every book holds of an instrument, at its last settlement price; 0 = worthless."""

    instrument_id: InstrumentId
    px: Decimal = Decimal(0)


class SettleFuture(Booking, frozen=True, kw_only=True):
    """Pay every book what its position in a future has gained up to a price: the exchange's daily settlement."""

    instrument_id: InstrumentId
    px: Decimal


class ExerciseOption(Booking, frozen=True, kw_only=True):
    """Turn held options into the underlying at the strike; of written ones it is an assignment."""

    instrument_id: InstrumentId
    under_id: InstrumentId
    contracts: Decimal | None = None
    """Above zero; ``None`` = all of it."""
    strategy: StrategyId | None = None
    """Whose; without it an assignment falls to the short books by what they are short."""


class UndoEntry(Booking, frozen=True, kw_only=True):
    """Take an entry out of the books by another one that reverses it."""

    entry_id: str


AnyBooking = (
    TransferLot
    | TransferCash
    | Adjust
    | BookCash
    | SplitPosition
    | MergePosition
    | SpinOff
    | ExpirePosition
    | SettleFuture
    | ExerciseOption
    | UndoEntry
)


class BreakCause(StrEnum):
    """Why books and account differ, as far as the evidence goes."""

    MANUAL_TRADE = "MANUAL_TRADE"
    """Somebody traded past the floor, and not every execution of it was told."""
    MISSED_EXECUTION = "MISSED_EXECUTION"
    BUST = "BUST"
    """The venue took an execution back."""
    SPLIT = "SPLIT"
    EXPIRY = "EXPIRY"
    VARIATION = "VARIATION"
    """A future was settled: what it had gained was paid."""
    EXERCISE = "EXERCISE"
    ASSIGNMENT = "ASSIGNMENT"
    DIVIDEND = "DIVIDEND"
    INTEREST = "INTEREST"
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    FEE = "FEE"
    """An execution's fee that is still to come."""
    UNKNOWN = "UNKNOWN"


class PreviewLine(msgspec.Struct, frozen=True, kw_only=True):
    """What one book has of one instrument or currency before and after."""

    strategy: StrategyId
    what: str
    before: Decimal
    after: Decimal
    is_cash: bool = False


class BreakLeft(msgspec.Struct, frozen=True, kw_only=True):
    """A break that a booking touches, or opens (then ``before`` is 0): what the account has more than the books."""

    key: str
    before: Decimal
    after: Decimal


class BookingPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What a booking would do. Nothing is booked until it is confirmed by its id."""

    preview_id: str
    entry: BookEntry
    lines: tuple[PreviewLine, ...]
    breaks: tuple[BreakLeft, ...] = ()


def cash_in(currency: Currency) -> str:
    """Return the break key of a currency's cash."""
    return f"cash:{currency}"


def position_in(instrument_id: InstrumentId) -> str:
    """Return the break key of an instrument."""
    return f"{_POSITION}{instrument_id}"


def instrument_in(key: str) -> InstrumentId | None:
    """Return the instrument of a break key; ``None`` for one of cash."""
    return InstrumentId(int(key.removeprefix(_POSITION))) if key.startswith(_POSITION) else None


def left_text(left: BreakLeft) -> str:
    """Return in words what would remain of a break, or which one would open."""
    if not left.after:
        return f"break {left.key}: nothing would remain"
    if not left.before:
        more = "more" if left.after > 0 else "less"
        return (
            f"break {left.key} would open: the account has {_amount(left.key, abs(left.after))} {more} than the books"
        )
    return f"break {left.key}: {_amount(left.key, left.after)} of {_amount(left.key, left.before)} would remain"


def _amount(key: str, amount: Decimal) -> str:
    kind, _, name = key.partition(":")
    whole = f"{amount.normalize():,f}"
    is_fine = "." in whole and len(whole.partition(".")[2]) > 2
    return whole if kind != "cash" else f"{whole} {name}" if is_fine else f"{amount:,.2f} {name}"
