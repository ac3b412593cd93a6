"""What a book entry must be before it is journaled. What is in the journal is booked, whatever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from ibfloor.model.booking import RATIO_MAX
from ibfloor.model.entry import (
    INCOME_KINDS,
    BookEntry,
    CashLeg,
    EntryKind,
    Leg,
    PositionLeg,
    SettleLeg,
    SplitLeg,
    undone,
)
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.money import AMOUNT_LIMIT
from ibfloor.portfolio.book import Amounts, add_to
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.bounds import too_much
from ibfloor.portfolio.position import Settlement, settlement_of

_ZERO = Decimal(0)
_BETWEEN_BOOKS = frozenset({EntryKind.TRANSFER, EntryKind.CROSS})
_CASH_ONLY = INCOME_KINDS


def check_entry(entry: BookEntry, books: Books) -> str | None:
    """Return why an entry must not be journaled, in words for its operator; ``None`` when it may."""
    checks: tuple[Callable[[BookEntry, Books], str | None], ...] = (
        _head,
        _reversal if entry.reverses else _legs,
        _between_books,
        _given_is_held,
        _whole_split,
    )
    for check in checks[: 2 if entry.reverses else None]:
        refusal = check(entry, books)
        if refusal is not None:
            return refusal
    return None


def _head(entry: BookEntry, books: Books) -> str | None:
    if not entry.entry_id:
        return "an entry needs an id"
    if books.entries.get(entry.entry_id) is not None:
        return f"entry {entry.entry_id} is booked already"
    if not entry.reason.strip():
        return "an entry needs a reason"
    if not entry.actor.strip():
        return "an entry needs an actor: who decided it"
    return None


def _reversal(entry: BookEntry, books: Books) -> str | None:
    original = books.entries.get(entry.reverses)
    if original is None:
        return f"there is no entry {entry.reverses} to reverse"
    if original.reverses:
        return f"entry {entry.reverses} is a reversal itself: book what is right as a new entry"
    by = books.entries.reversed_by(entry.reverses)
    if by is not None:
        return f"entry {entry.reverses} was reversed already, by {by}"
    if entry.legs != undone(original.legs) or entry.kind is not original.kind:
        return f"the legs of a reversal must undo those of entry {entry.reverses}"
    return None


def _legs(entry: BookEntry, books: Books) -> str | None:
    if not entry.legs:
        return "an entry needs at least one leg"
    for leg in entry.legs:
        refusal = _leg(entry, leg) or too_much(leg)
        if refusal is not None:
            return refusal
        misfit = None if isinstance(leg, CashLeg) else _misfit(leg, books.instrument(leg.instrument_id))
        if misfit is not None:
            return misfit
    return None


def _misfit(leg: PositionLeg | SplitLeg | SettleLeg, known: Instrument | None) -> str | None:
    if isinstance(leg, SettleLeg):
        is_future = known is not None and settlement_of(known.contract.security_type) is Settlement.VARIATION
        return None if is_future else f"{known.contract if known else leg.instrument_id} is no future"
    if isinstance(leg, SplitLeg) or known is None:
        return None
    if known.currency != leg.currency:
        return f"{known.contract} is held in {known.currency}, not in {leg.currency}"
    if known.multiplier != leg.multiplier:
        return f"the multiplier of {known.contract} is {known.multiplier}, not {leg.multiplier}"
    return None


def _leg(entry: BookEntry, leg: Leg) -> str | None:
    if not leg.strategy:
        return "every leg needs a book"
    match leg:
        case PositionLeg():
            if not leg.qty.is_finite() or not leg.qty or not leg.px.is_finite():
                return f"a position leg needs a quantity and a price, not {leg.qty} at {leg.px}"
            if not leg.multiplier.is_finite() or leg.multiplier <= 0 or not leg.currency:
                return f"a position leg needs a multiplier above zero and a currency, not {leg.multiplier}"
            return f"{entry.kind} moves cash alone" if entry.kind in _CASH_ONLY else None
        case CashLeg():
            amount = leg.amount.amount
            if not amount.is_finite() or not amount or not leg.amount.currency:
                return f"a cash leg needs an amount, not {amount} {leg.amount.currency}"
            if entry.kind is EntryKind.DEPOSIT and amount < 0:
                return "a deposit brings cash: take it out by a withdrawal"
            if entry.kind is EntryKind.WITHDRAWAL and amount > 0:
                return "a withdrawal takes cash: bring it in by a deposit"
            return None
        case SettleLeg():
            if entry.kind is not EntryKind.VARIATION or not leg.px.is_finite():
                return f"{entry.kind} at {leg.px} is no daily settlement"
            return None
        case SplitLeg():
            if entry.kind is not EntryKind.SPLIT:
                return f"{entry.kind} cannot split a position"
            if not 0 < leg.new <= RATIO_MAX or not 0 < leg.old <= RATIO_MAX or leg.new == leg.old:
                return f"{leg.new} for {leg.old} is no split"
            return None


def _between_books(entry: BookEntry, books: Books) -> str | None:
    if entry.kind not in _BETWEEN_BOOKS:
        return None
    quantities: dict[InstrumentId, Decimal] = {}
    cash: Amounts = {}
    for leg in entry.legs:
        if isinstance(leg, PositionLeg):
            quantities[leg.instrument_id] = quantities.get(leg.instrument_id, _ZERO) + leg.qty
        elif isinstance(leg, CashLeg):
            add_to(cash, leg.amount.currency, leg.amount.amount)
    for instrument_id, qty in quantities.items():
        if qty:
            return f"what one book gives another must take: {qty:f} of {_name(books, instrument_id)} are left over"
    for currency, amount in cash.items():
        if amount:
            return f"what one book pays another must get: {amount:f} {currency} are left over"
    return None


def _given_is_held(entry: BookEntry, books: Books) -> str | None:
    if entry.kind is not EntryKind.TRANSFER:
        return None
    changes = _changes(entry.legs)
    for instrument_id in sorted(entry.instruments):
        given = [
            (strategy, change)
            for (strategy, key), change in changes.items()
            if key == instrument_id and _reduces(books.book(strategy).qty(key), change)
        ]
        if not given and any(change for (_, key), change in changes.items() if key == instrument_id):
            return f"no book holds so much of {_name(books, instrument_id)}: a transfer moves what is held"
    return None


def _reduces(held: Decimal, change: Decimal) -> bool:
    return bool(change) and held * change < 0 and abs(change) <= abs(held)


def _whole_split(entry: BookEntry, books: Books) -> str | None:
    legs = [leg for leg in entry.legs if isinstance(leg, SplitLeg)]
    for instrument_id in sorted({leg.instrument_id for leg in legs}):
        of_it = [leg for leg in legs if leg.instrument_id == instrument_id]
        if len({(leg.new, leg.old) for leg in of_it}) > 1:
            return f"{_name(books, instrument_id)} is split at more than one ratio"
        named = [leg.strategy for leg in of_it]
        if len(set(named)) < len(named):
            return f"{_name(books, instrument_id)} is split twice in one book"
        for strategy in books.strategies():
            held = books.book(strategy).qty(instrument_id)
            if held and strategy not in named:
                return f"{strategy} holds {_name(books, instrument_id)} too: a split is of all books"
            if abs(held) * of_it[0].new / of_it[0].old >= AMOUNT_LIMIT:
                return f"{strategy} would hold more of {_name(books, instrument_id)} than books count"
    return None


def _changes(legs: Iterable[Leg]) -> dict[tuple[StrategyId, InstrumentId], Decimal]:
    changes: dict[tuple[StrategyId, InstrumentId], Decimal] = {}
    for leg in legs:
        if isinstance(leg, PositionLeg):
            key = (leg.strategy, leg.instrument_id)
            changes[key] = changes.get(key, _ZERO) + leg.qty
    return changes


def _name(books: Books, instrument_id: InstrumentId) -> str:
    instrument = books.instrument(instrument_id)
    return f"instrument {instrument_id}" if instrument is None else str(instrument.contract)
