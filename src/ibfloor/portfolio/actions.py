"""Bookings between books and of cash, as entries: moves, deposits, dividends, undoing. Pure; nothing is journaled here.

Every builder looks at the books as they were at the entry's own time, and raises ``ActionError`` for
what cannot be. ``check_entry`` has the last word before an entry is journaled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from ibfloor.model.entry import NO_INSTRUMENT, BookEntry, CashLeg, EntryKind, Leg, PositionLeg, undone
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.money import Currency, Money
from ibfloor.portfolio.allocation import in_units, pro_rata, to_cents
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.position import Position, Settlement, share, tidy

_ZERO = Decimal(0)
_GRAIN = Decimal("1e-10")


class ActionError(ValueError):
    """The books do not allow it; the text says why, for the person who asked."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Who books, when and why: what every entry needs beside its legs."""

    entry_id: str
    ts_event_ns: int
    """From when on it counts: trades of before and after keep their places."""
    ts_init_ns: int
    actor: str
    reason: str
    break_key: str = ""

    def entry(self, kind: EntryKind, legs: Iterable[Leg], *, reverses: str = "") -> BookEntry:
        """Return an entry with these legs."""
        return BookEntry(
            ts_event_ns=self.ts_event_ns,
            ts_init_ns=self.ts_init_ns,
            entry_id=self.entry_id,
            kind=kind,
            legs=tuple(legs),
            reason=self.reason,
            actor=self.actor,
            reverses=reverses,
            break_key=self.break_key,
        )


def transfer(
    books: Books,
    head: Header,
    instrument_id: InstrumentId,
    qty: Decimal,
    *,
    giver: StrategyId,
    taker: StrategyId,
    px: Decimal | None = None,
    lot: str = "",
) -> BookEntry:
    """Return the move of a part of a position, long or short, from one book to another.

    At a price the taker pays the giver, whose result is realised. Without one the lots move at their
    cost, with their age, the oldest first, and nothing is realised. ``lot`` names the one that moves.
    """
    held = _held(books, giver, instrument_id, head.ts_event_ns)
    if giver == taker or qty <= 0:
        raise ActionError("a transfer needs two books and a quantity above zero")
    if held.settlement is Settlement.EXCHANGED:
        raise ActionError(f"{_name(books, instrument_id)} is two cash balances: move the cash of both currencies")
    found = _parts(held, qty, lot)
    if sum((part.qty for part in found), _ZERO) != (qty if held.qty > 0 else -qty):
        of_what = f"lot {lot} of " if lot else ""
        raise ActionError(f"{giver} does not hold {qty:f} of {of_what}{_name(books, instrument_id)}")
    if px is not None:
        cost = sum((part.qty for part in found), _ZERO) * px * held.multiplier
        opened_ns = found[0].opened_ns if lot else 0
        found = [_Part(lot, opened_ns, sum((part.qty for part in found), _ZERO), cost)]
    legs: list[Leg] = []
    for part in found:
        legs.append(position_leg(giver, held, -part.qty, -part.value, lot=part.source))
        legs.append(position_leg(taker, held, part.qty, part.value, opened_ns=part.opened_ns))
    value = sum((part.value for part in found), _ZERO)
    if value and held.settlement is Settlement.PAID:
        legs.append(cash_leg(giver, value, held.currency, instrument_id))
        legs.append(cash_leg(taker, -value, held.currency, instrument_id))
    return head.entry(EntryKind.TRANSFER, legs)


def transfer_cash(head: Header, amount: Money, *, giver: StrategyId, taker: StrategyId) -> BookEntry:
    """Return the move of cash from one book to another."""
    if amount.amount <= 0 or giver == taker:
        raise ActionError("a transfer needs two books and an amount above zero")
    legs = [CashLeg(strategy=giver, amount=-amount), CashLeg(strategy=taker, amount=amount)]
    return head.entry(EntryKind.TRANSFER, legs)


def cash_entry(
    head: Header,
    kind: EntryKind,
    parts: Mapping[StrategyId, Money],
    instrument_id: InstrumentId = NO_INSTRUMENT,
) -> BookEntry:
    """Return cash that came to books or left them: deposits, withdrawals, interest, borrow cost, charges."""
    legs = [
        CashLeg(strategy=name, amount=part, instrument_id=instrument_id)
        for name, part in sorted(parts.items())
        if part.amount
    ]
    return head.entry(kind, legs)


def allocated(amount: Money, weights: Mapping[StrategyId, Decimal]) -> dict[StrategyId, Money]:
    """Return an amount of the account over books by weight, in cents, without a remainder."""
    if not sum(weights.values(), _ZERO):
        raise ActionError("there is no weight to allocate by")
    return {name: Money(part, amount.currency) for name, part in pro_rata(amount.amount, weights).items()}


def dividend(
    books: Books,
    head: Header,
    instrument_id: InstrumentId,
    per_share: Decimal,
    *,
    currency: Currency | None = None,
    withheld_pct: Decimal = _ZERO,
    entitled: Mapping[StrategyId, Decimal] | None = None,
) -> BookEntry:
    """Return a dividend over all books that held the stock, tax withheld taken off; shorts pay it.

    Date it at the ex-date, or say who was ``entitled`` to how many shares. The sum is the account's dividend
    in cents.
    """
    held = entitled if entitled is not None else quantities_at(books, instrument_id, head.ts_event_ns)
    if not held:
        raise ActionError(f"no book held {_name(books, instrument_id)} then: who got the dividend?")
    paid_in = currency or _currency_of(books, instrument_id)
    kept = 1 - withheld_pct / 100
    exact = {name: qty * per_share * kept for name, qty in held.items()}
    gross = to_cents(sum(held.values(), _ZERO) * per_share)
    parts = in_units(to_cents(gross * kept), exact)
    return cash_entry(
        head, EntryKind.DIVIDEND, {name: Money(part, paid_in) for name, part in parts.items()}, instrument_id
    )


def reversal(books: Books, head: Header, entry_id: str) -> BookEntry:
    """Return the entry that takes another out of the books."""
    original = books.entries.get(entry_id)
    if original is None:
        raise ActionError(f"there is no entry {entry_id} to reverse")
    return head.entry(original.kind, undone(original.legs), reverses=entry_id)


def quantities_at(books: Books, instrument_id: InstrumentId, ts_ns: int) -> dict[StrategyId, Decimal]:
    """Return what every book held of an instrument at a time, flat ones left out."""
    found = {name: books.position_at(name, instrument_id, ts_ns) for name in books.strategies()}
    return {name: each.qty for name, each in found.items() if each is not None and each.qty}


def position_leg(
    strategy: StrategyId, like: Position, qty: Decimal, value: Decimal, *, lot: str = "", opened_ns: int = 0
) -> PositionLeg:
    """Return a leg in an instrument as one of its positions has it, for an exact signed value."""
    px = (value / (qty * like.multiplier)).quantize(_GRAIN) if qty else _ZERO
    is_exact = qty * px * like.multiplier == value
    return PositionLeg(
        strategy=strategy,
        instrument_id=like.instrument_id,
        qty=qty,
        px=tidy(px),
        currency=like.currency,
        multiplier=like.multiplier,
        lot=lot,
        opened_ns=opened_ns,
        value=None if is_exact else value,
    )


def cash_leg(strategy: StrategyId, amount: Decimal, currency: Currency, instrument_id: InstrumentId) -> CashLeg:
    """Return a leg of cash that belongs to an instrument."""
    return CashLeg(strategy=strategy, amount=Money(amount, currency), instrument_id=instrument_id)


class _Part(msgspec.Struct, frozen=True):
    source: str
    opened_ns: int
    qty: Decimal
    value: Decimal


def _parts(held: Position, qty: Decimal, lot: str) -> list[_Part]:
    found: list[_Part] = []
    left = qty
    for each in held.lots:
        if lot and each.source != lot:
            continue
        if abs(each.qty) <= left:
            found.append(_Part(each.source, each.opened_ns, each.qty, each.cost))
            left -= abs(each.qty)
        elif left:
            signed = left.copy_sign(each.qty)
            found.append(_Part(each.source, each.opened_ns, signed, share(each.cost, signed, each.qty)))
            left = _ZERO
        if not left:
            break
    return found


def _held(books: Books, strategy: StrategyId, instrument_id: InstrumentId, ts_ns: int) -> Position:
    held = books.position_at(strategy, instrument_id, ts_ns)
    if held is None or not held.qty:
        raise ActionError(f"{strategy} holds none of {_name(books, instrument_id)}")
    return held


def _currency_of(books: Books, instrument_id: InstrumentId) -> Currency:
    for name in books.strategies():
        position = books.book(name).positions.get(instrument_id)
        if position is not None:
            return position.currency
    raise ActionError(f"no book ever held {_name(books, instrument_id)}")


def _name(books: Books, instrument_id: InstrumentId) -> str:
    instrument = books.instrument(instrument_id)
    return f"instrument {instrument_id}" if instrument is None else str(instrument.contract)
