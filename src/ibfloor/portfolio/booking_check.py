"""What a person may ask of the books beside its size: shares from 0 to 1, prices and currencies that can be. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from ibfloor.model.booking import (
    Adjust,
    AnyBooking,
    BookCash,
    ExerciseOption,
    ExpirePosition,
    MergePosition,
    SettleFuture,
    SpinOff,
    SplitPosition,
    TransferCash,
    TransferLot,
)
from ibfloor.model.entry import EntryKind
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import SecurityType
from ibfloor.model.money import PLACES, Money
from ibfloor.portfolio.books import Books

PX_LIMIT = Decimal(10**8)
"""No exchange has quoted so much for one share or contract."""
_BELOW_ZERO = (SecurityType.FUTURE, SecurityType.FUTURE_OPTION, SecurityType.COMMODITY, SecurityType.COMBO)
_TO_THE_UNIT = frozenset({EntryKind.DEPOSIT, EntryKind.WITHDRAWAL})
"""What people and banks move; interest, fees and what a break is off by may be finer."""


def cannot_be(booking: AnyBooking, books: Books, *, is_for_break: bool = False) -> str | None:
    """Return which field of a booking cannot be so, and what is allowed; ``None`` for a booking that may be."""
    return next(
        filter(
            None,
            (
                *(_price(books, *each) for each in _prices(booking)),
                *(_not_below(*each) for each in _at_least_zero(booking)),
                _itself(booking),
                *(_currency(books, each) for each in _amounts(booking)),
                None if is_for_break else _too_fine(booking),
            ),
        ),
        None,
    )


def _prices(booking: AnyBooking) -> Iterator[tuple[str, InstrumentId, Decimal | None]]:
    match booking:
        case TransferLot() | Adjust() | ExpirePosition() | SettleFuture():
            yield "price", booking.instrument_id, booking.px
        case _:
            return


def _price(books: Books, field: str, instrument_id: InstrumentId, px: Decimal | None) -> str | None:
    instrument = books.instrument(instrument_id)
    if px is None:
        return None
    if abs(px) >= PX_LIMIT:
        return f"{field} {px:f} is out of bounds: it must be less than {PX_LIMIT:,}"
    if px < 0 and instrument is not None and instrument.contract.security_type not in _BELOW_ZERO:
        return f"{field} {px:f} of {instrument.contract}: it must be 0 or more; futures and combinations alone go below"
    return None


def _at_least_zero(booking: AnyBooking) -> Iterator[tuple[str, Decimal | None, Decimal]]:
    match booking:
        case SplitPosition():
            yield "price in lieu", booking.px_in_lieu, PX_LIMIT
        case MergePosition():
            yield "cash for each old one", booking.cash_per_share, PX_LIMIT
            yield "the cash's share of the cost", booking.cash_cost_share, Decimal(1)
            yield "price in lieu", booking.px_in_lieu, PX_LIMIT
        case SpinOff():
            yield "price in lieu", booking.px_in_lieu, PX_LIMIT
        case _:
            return


def _not_below(field: str, number: Decimal | None, most: Decimal) -> str | None:
    if number is None or 0 <= number <= most:
        return None
    return f"{field} {number:f} is out of bounds: it must be from 0 to {most:,}"


def _itself(booking: AnyBooking) -> str | None:
    match booking:
        case MergePosition() if booking.instrument_id == booking.into_id:
            return "a merger gives shares of another company: for more or fewer of the same, book a split"
        case ExerciseOption() if booking.instrument_id == booking.under_id:
            return "an option is exercised into what underlies it, not into itself"
        case _:
            return None


def _amounts(booking: AnyBooking) -> Iterator[Money]:
    match booking:
        case BookCash() | TransferCash():
            yield booking.amount
        case Adjust() if booking.cash is not None:
            yield booking.cash
        case _:
            return


def _currency(books: Books, money: Money) -> str | None:
    if money.currency in PLACES or money.currency in books.account_cash():
        return None
    return f"there is no currency {money.currency}: write its three letters of ISO 4217, as in USD"


def _too_fine(booking: AnyBooking) -> str | None:
    if not isinstance(booking, BookCash) or booking.kind not in _TO_THE_UNIT:
        return None
    places = PLACES.get(booking.amount.currency)
    if places is None:
        return None
    for amount in (booking.amount.amount, *(each.amount for each in booking.shares)):
        if amount != round(amount, places):
            unit = Decimal(1).scaleb(-places)
            return f"amount {abs(amount):f} is too fine: the smallest of {booking.amount.currency} is {unit:f}"
    return None
