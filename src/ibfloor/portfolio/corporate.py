"""What a company or an exchange does to positions, as entries that a person classified: for all books at once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from ibfloor.model.entry import BookEntry, EntryKind, Leg, SettleLeg, SplitLeg
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument, SecurityType
from ibfloor.portfolio.actions import ActionError, Header, cash_leg, position_leg, quantities_at
from ibfloor.portfolio.allocation import in_units, pro_rata, to_cents, to_whole
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.position import Lot, Position, Settlement, scaled, settlement_of, share

_ZERO, _ONE = Decimal(0), Decimal(1)
_ENDING = frozenset(
    {
        SecurityType.OPTION,
        SecurityType.FUTURE,
        SecurityType.FUTURE_OPTION,
        SecurityType.WARRANT,
        SecurityType.STRUCTURED,
        SecurityType.BOND,
    }
)


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """What holders get: ``new`` of an instrument for each ``old``, and the share of the cost that goes with it."""

    instrument: Instrument
    new: int = 1
    old: int = 1
    cost_share: Decimal = _ONE
    px_in_lieu: Decimal | None = None
    """What a fraction of a share is paid out at; without it fractions stay."""


def split(
    books: Books, head: Header, instrument_id: InstrumentId, new: int, old: int, *, px_in_lieu: Decimal | None = None
) -> BookEntry:
    """Return a split, ``new`` for each ``old``, of what all books hold: the cost stays, the price per share follows.

    With ``px_in_lieu``, a price after the split, the account keeps whole shares alone and the fraction is
    paid out: books come out whole too, and pay each other for what they round.
    """
    if new <= 0 or old <= 0 or new == old:
        raise ActionError(f"{new} for {old} is no split")
    positions = _positions(books, instrument_id, head.ts_event_ns)
    legs: list[Leg] = [SplitLeg(strategy=name, instrument_id=instrument_id, new=new, old=old) for name in positions]
    legs += _rounded(positions, next(iter(positions.values())), new, old, px_in_lieu)
    return head.entry(EntryKind.SPLIT, legs)


def reorganised(
    books: Books,
    head: Header,
    instrument_id: InstrumentId,
    pieces: Sequence[Piece],
    *,
    cash_per_share: Decimal = _ZERO,
    cash_cost_share: Decimal = _ZERO,
) -> BookEntry:
    """Return a merger, spin-off or renaming: every lot of every book turns into pieces and cash.

    Lots keep their age. Their cost goes to the pieces by ``cost_share``; what goes with ``cash_cost_share``
    is compared with the cash, and the difference is realised. The shares must add up to one. In a spin-off
    the old instrument is a piece too.
    """
    if sum((piece.cost_share for piece in pieces), cash_cost_share) != 1:
        raise ActionError("the shares of the cost must add up to 1, that of the cash included")
    positions = _positions(books, instrument_id, head.ts_event_ns)
    like = next(iter(positions.values()))
    foreign = [piece.instrument for piece in pieces if piece.instrument.currency != like.currency]
    if foreign:
        raise ActionError(f"{foreign[0].contract} is in {foreign[0].currency}: its cost in {like.currency} is lost")
    exact = {name: each.qty * cash_per_share for name, each in positions.items()}
    cash = in_units(to_cents(sum(exact.values(), _ZERO)), exact)
    legs: list[Leg] = []
    for name, position in positions.items():
        legs += _turned(name, position, pieces, cash.get(name, _ZERO), cash_cost_share)
        if cash.get(name):
            legs.append(cash_leg(name, cash[name], position.currency, instrument_id))
    for piece in pieces:
        legs += _rounded(positions, _like(piece.instrument), piece.new, piece.old, piece.px_in_lieu)
    return head.entry(EntryKind.MERGER, legs)


def spin_off(books: Books, head: Header, parent: Instrument, child: Piece) -> BookEntry:
    """Return a spin-off: the parent's lots give the child's share of their cost to the new ones."""
    left = Piece(instrument=parent, cost_share=1 - child.cost_share)
    return reorganised(books, head, parent.instrument_id, [left, child])


def expiry(books: Books, head: Header, instrument_id: InstrumentId, settle_px: Decimal = _ZERO) -> BookEntry:
    """Return the end of an option or future in all books: worthless, or settled in cash at a price."""
    instrument = books.instrument(instrument_id)
    if instrument is not None and instrument.contract.security_type not in _ENDING:
        raise ActionError(f"only options and futures expire, and {instrument.contract} is neither")
    legs: list[Leg] = []
    for name, position in _positions(books, instrument_id, head.ts_event_ns).items():
        value = position.qty * settle_px * position.multiplier
        legs.append(position_leg(name, position, -position.qty, -value))
        if value and position.settlement is Settlement.PAID:
            legs.append(cash_leg(name, value, position.currency, instrument_id))
    return head.entry(EntryKind.EXPIRY, legs)


def settled(books: Books, head: Header, instrument_id: InstrumentId, px: Decimal) -> BookEntry:
    """Return a future's daily settlement in all books: what is open up to a price is paid in cash."""
    positions = _positions(books, instrument_id, head.ts_event_ns)
    if any(each.settlement is not Settlement.VARIATION for each in positions.values()):
        raise ActionError("only futures are settled daily")
    legs = [SettleLeg(strategy=name, instrument_id=instrument_id, px=px) for name in positions]
    return head.entry(EntryKind.VARIATION, legs)


def exercised(
    books: Books,
    head: Header,
    option: Instrument,
    stock: Instrument,
    parts: Mapping[StrategyId, Decimal] | None = None,
) -> BookEntry:
    """Return an exercise of long options, or an assignment of short ones: all of every book, or ``parts`` in contracts.

    The stock comes or goes at the strike, and is paid; a future is only opened at it. The option closes at
    nothing: its premium stays in its own realised result, the stock's cost is the strike.
    """
    strike, right = option.contract.strike, option.contract.right[:1].upper()
    if strike is None or right not in ("C", "P"):
        raise ActionError(f"{option.contract} has no strike and right: it cannot be exercised")
    positions = _positions(books, option.instrument_id, head.ts_event_ns)
    contracts = {name: abs(each.qty) for name, each in positions.items()} if parts is None else parts
    sides = {positions[name].qty > 0 for name in contracts if name in positions}
    if len(sides) != 1:
        raise ActionError("what is exercised is long, what is assigned is short: book them one by one")
    like = _like(stock)
    legs: list[Leg] = []
    for name, count in sorted(contracts.items()):
        held = positions.get(name)
        if held is None or not 0 < count <= abs(held.qty):
            raise ActionError(f"{name} does not hold {count:f} contracts of {option.contract}")
        signed = count.copy_sign(held.qty)
        shares = signed * option.multiplier / stock.multiplier * (1 if right == "C" else -1)
        value = shares * strike * stock.multiplier
        legs.append(position_leg(name, held, -signed, _ZERO))
        legs.append(position_leg(name, like, shares, value))
        if like.settlement is Settlement.PAID:
            legs.append(cash_leg(name, -value, stock.currency, option.instrument_id))
    return head.entry(EntryKind.EXERCISE if sides.pop() else EntryKind.ASSIGNMENT, legs)


def assigned_to(books: Books, option_id: InstrumentId, contracts: Decimal, ts_ns: int) -> dict[StrategyId, Decimal]:
    """Return how many contracts of an assignment fall to each book that is short, by what it is short."""
    short = {name: -qty for name, qty in quantities_at(books, option_id, ts_ns).items() if qty < 0}
    if contracts > sum(short.values(), _ZERO):
        raise ActionError(f"{contracts:f} contracts are assigned, the books are short {sum(short.values(), _ZERO):f}")
    return pro_rata(contracts, short, _ONE)


def _turned(
    name: StrategyId, position: Position, pieces: Sequence[Piece], cash: Decimal, cash_share: Decimal
) -> Iterable[Leg]:
    cash_left = cash
    for number, lot in enumerate(position.lots, start=1):
        is_last = number == len(position.lots)
        of_cash = cash_left if is_last else share(cash, lot.qty, position.qty)
        cash_left -= of_cash
        costs = _costs(lot, pieces, cash_share)
        yield position_leg(name, position, -lot.qty, -sum(costs, _ZERO) - of_cash, lot=lot.source)
        for piece, cost in zip(pieces, costs, strict=True):
            qty = scaled(lot.qty, piece.new, piece.old)
            if is_last:  # thirds of lots add up to thirds of the position
                others = sum((scaled(each.qty, piece.new, piece.old) for each in position.lots), _ZERO)
                qty += _pieces_of(position, piece) - others
            yield position_leg(name, _like(piece.instrument), qty, cost, opened_ns=lot.opened_ns)


def _costs(lot: Lot, pieces: Sequence[Piece], cash_share: Decimal) -> list[Decimal]:
    if not pieces:
        return []
    costs = [share(lot.cost, piece.cost_share, _ONE) for piece in pieces]
    costs[-1] += lot.cost - share(lot.cost, cash_share, _ONE) - sum(costs, _ZERO)
    return costs


def _pieces_of(position: Position, piece: Piece) -> Decimal:
    return scaled(position.qty, piece.new, piece.old)


def _rounded(
    positions: Mapping[StrategyId, Position], like: Position, new: int, old: int, px: Decimal | None
) -> Iterable[Leg]:
    after = {name: scaled(each.qty, new, old) for name, each in positions.items()}
    total = share(sum((each.qty for each in positions.values()), _ZERO), Decimal(new), Decimal(old))
    if px is None:  # books of thirds add up to the account's thirds
        lost = total - sum(after.values(), _ZERO)
        if lost:
            yield position_leg(next(iter(after)), like, lost, _ZERO)
        return
    for name, change in to_whole(after, total).items():
        value = change * px * like.multiplier
        yield position_leg(name, like, change, value)
        if value and like.settlement is Settlement.PAID:
            yield cash_leg(name, -value, like.currency, like.instrument_id)


def _positions(books: Books, instrument_id: InstrumentId, ts_ns: int) -> dict[StrategyId, Position]:
    found = {name: books.position_at(name, instrument_id, ts_ns) for name in books.strategies()}
    held = {name: each for name, each in found.items() if each is not None and each.qty}
    if not held:
        instrument = books.instrument(instrument_id)
        named = f"instrument {instrument_id}" if instrument is None else str(instrument.contract)
        raise ActionError(f"no book held {named} then")
    return held


def _like(instrument: Instrument) -> Position:
    return Position(
        instrument_id=instrument.instrument_id,
        currency=instrument.currency,
        multiplier=instrument.multiplier,
        settlement=settlement_of(instrument.contract.security_type),
    )
