"""From what a person asks of the books to one entry. Pure; what cannot be raises ``ActionError`` in words."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import assert_never

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
    UndoEntry,
)
from ibfloor.model.entry import INCOME_KINDS, NO_INSTRUMENT, BookEntry, CashLeg, EntryKind, Leg, PositionLeg
from ibfloor.model.ids import UNASSIGNED, InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.money import Money
from ibfloor.portfolio import actions
from ibfloor.portfolio.actions import ActionError, Header
from ibfloor.portfolio.booking_check import cannot_be
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.bounds import asked_too_much
from ibfloor.portfolio.corporate import Piece, assigned_to, exercised, expiry, reorganised, settled, spin_off, split

CASH_KINDS = INCOME_KINDS | {EntryKind.DEPOSIT, EntryKind.WITHDRAWAL}

_ZERO, _ONE = Decimal(0), Decimal(1)


def entry_of(booking: AnyBooking, books: Books, head: Header) -> BookEntry:
    """Return the entry that a booking comes to with the books as they are."""
    refusal = asked_too_much(booking) or cannot_be(booking, books, is_for_break=bool(head.break_key))
    if refusal is not None:
        raise ActionError(refusal)
    try:
        return _entry_of(booking, books, head)
    except ArithmeticError as error:
        raise ActionError("the numbers of this booking come to more digits than the books keep") from error


def _entry_of(booking: AnyBooking, books: Books, head: Header) -> BookEntry:
    match booking:
        case TransferLot():
            return _transfer(booking, books, head)
        case TransferCash():
            return actions.transfer_cash(head, booking.amount, giver=booking.giver, taker=booking.taker)
        case Adjust():
            return head.entry(EntryKind.ADJUSTMENT, _adjusted(booking, books))
        case BookCash():
            return actions.cash_entry(
                head, _cash_kind(booking.kind), _shares(booking, books, head), booking.instrument_id
            )
        case SplitPosition():
            return split(books, head, booking.instrument_id, booking.new, booking.old, px_in_lieu=booking.px_in_lieu)
        case MergePosition():
            return _merged(booking, books, head)
        case SpinOff():
            return _spun_off(booking, books, head)
        case ExpirePosition():
            return expiry(books, head, booking.instrument_id, booking.px)
        case SettleFuture():
            return settled(books, head, booking.instrument_id, booking.px)
        case ExerciseOption():
            return _exercised(booking, books, head)
        case UndoEntry():
            return actions.reversal(books, head, booking.entry_id)
        case _:
            assert_never(booking)


def _transfer(booking: TransferLot, books: Books, head: Header) -> BookEntry:
    held = books.book(booking.giver).qty(booking.instrument_id)
    qty = abs(held) if booking.qty is None else booking.qty
    return actions.transfer(
        books,
        head,
        booking.instrument_id,
        qty,
        giver=booking.giver,
        taker=booking.taker,
        px=booking.px,
        lot=booking.lot,
    )


def _adjusted(booking: Adjust, books: Books) -> list[Leg]:
    legs: list[Leg] = []
    if booking.qty:
        instrument = _known(books, booking.instrument_id)
        if booking.px is None:
            raise ActionError("a quantity enters a book at a price: say at which")
        legs.append(
            PositionLeg(
                strategy=booking.strategy,
                instrument_id=instrument.instrument_id,
                qty=booking.qty,
                px=booking.px,
                currency=instrument.currency,
                multiplier=instrument.multiplier,
            )
        )
    if booking.cash is not None:
        legs.append(CashLeg(strategy=booking.strategy, amount=booking.cash, instrument_id=booking.instrument_id))
    return legs


def _cash_kind(kind: EntryKind) -> EntryKind:
    if kind not in CASH_KINDS:
        raise ActionError(f"cash alone is {', '.join(sorted(each.lower() for each in CASH_KINDS))}, not {kind.lower()}")
    return kind


def _shares(booking: BookCash, books: Books, head: Header) -> Mapping[StrategyId, Money]:
    amount = booking.amount
    if booking.shares:
        parts: dict[StrategyId, Money] = {}
        for each in booking.shares:
            parts[each.strategy] = parts.get(each.strategy, Money(_ZERO, amount.currency)) + Money(
                each.amount, amount.currency
            )
        whole = sum((part.amount for part in parts.values()), _ZERO)
        if whole != amount.amount:
            sign = -1 if booking.kind is EntryKind.WITHDRAWAL else 1  # people write what left without a sign
            raise ActionError(
                f"the shares add up to {whole * sign:f} {amount.currency}, not to {amount.amount * sign:f}"
            )
        return parts
    if booking.instrument_id != NO_INSTRUMENT:
        held = actions.quantities_at(books, booking.instrument_id, head.ts_event_ns)
        if not sum(held.values(), _ZERO):
            instrument = books.instrument(booking.instrument_id)
            named = f"instrument {booking.instrument_id}" if instrument is None else str(instrument.contract)
            why = f"longs and shorts of {named} were even" if held else f"no book held {named} then"
            raise ActionError(f"{why}: name the books it is for, each with its part (--to BOOK=AMOUNT)")
        return actions.allocated(amount, held)
    return {UNASSIGNED: amount}


def _merged(booking: MergePosition, books: Books, head: Header) -> BookEntry:
    if booking.new <= 0 or booking.old <= 0:
        raise ActionError(f"{booking.new} for {booking.old} is no merger: both are counted from 1")
    piece = Piece(
        instrument=_known(books, booking.into_id),
        new=booking.new,
        old=booking.old,
        cost_share=_ONE - booking.cash_cost_share,
        px_in_lieu=booking.px_in_lieu,
    )
    return reorganised(
        books,
        head,
        booking.instrument_id,
        [piece],
        cash_per_share=booking.cash_per_share,
        cash_cost_share=booking.cash_cost_share,
    )


def _spun_off(booking: SpinOff, books: Books, head: Header) -> BookEntry:
    if booking.new <= 0 or booking.old <= 0 or not 0 <= booking.cost_share < 1:
        raise ActionError(
            f"{booking.new} for {booking.old} with {booking.cost_share:f} of the cost is no spin-off: "
            "both are counted from 1, and a part of the cost, below 1, goes along"
        )
    if booking.instrument_id == booking.child_id:
        raise ActionError("a spin-off gives shares of another company: for more of the same, book a split")
    child = Piece(
        instrument=_known(books, booking.child_id),
        new=booking.new,
        old=booking.old,
        cost_share=booking.cost_share,
        px_in_lieu=booking.px_in_lieu,
    )
    return spin_off(books, head, _known(books, booking.instrument_id), child)


def _exercised(booking: ExerciseOption, books: Books, head: Header) -> BookEntry:
    option, stock = _known(books, booking.instrument_id), _known(books, booking.under_id)
    parts: dict[StrategyId, Decimal] | None = None
    if booking.strategy is not None:
        held = abs(books.book(booking.strategy).qty(booking.instrument_id))
        parts = {booking.strategy: held if booking.contracts is None else booking.contracts}
    elif booking.contracts is not None:
        held_by = actions.quantities_at(books, booking.instrument_id, head.ts_event_ns)
        if any(qty > 0 for qty in held_by.values()) and len(held_by) > 1:
            raise ActionError("several books hold it: say whose are exercised")
        if all(qty > 0 for qty in held_by.values()):
            parts = dict.fromkeys(held_by, booking.contracts)
        else:
            parts = assigned_to(books, booking.instrument_id, booking.contracts, head.ts_event_ns)
    return exercised(books, head, option, stock, parts)


def _known(books: Books, instrument_id: InstrumentId) -> Instrument:
    instrument = books.instrument(instrument_id)
    if instrument is None:
        raise ActionError(f"the floor has not met instrument {instrument_id}: check its id")
    return instrument
