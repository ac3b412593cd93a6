"""Why the account's cash differs from the books': by what accrued, and by the size of the amount. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from ibfloor.model.booking import BookCash, BreakCause, SettleFuture
from ibfloor.model.entry import EntryKind
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import SecurityType
from ibfloor.model.money import Currency, Money
from ibfloor.portfolio.actions import Header
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.corporate import settled
from ibfloor.portfolio.position import Settlement, settlement_of, tidy
from ibfloor.portfolio.reconciliation import CASH_TOLERANCE, Explained

DIVIDENDS, INTEREST = "AccruedDividend", "AccruedCash"
Accruals = Mapping[tuple[str, Currency], Decimal]
"""What the broker said had accrued, by its name of it and the currency."""
YIELD_MAX = Decimal("0.05")
"""A dividend is no larger part of a price."""
YIELD_MIN = Decimal("0.0005")
INTEREST_MAX = Decimal("0.005")
"""Interest is no larger part of the cash."""
SETTLEMENT_MOVE_MAX = Decimal("0.05")
"""A settlement price is no further from the mark."""
_TRIAL = Header(entry_id="trial", ts_event_ns=2**62, ts_init_ns=2**62, actor="floor", reason="trial")
ROUND, DEPOSIT_MIN = Decimal(100), Decimal(1000)
_KINDS = (SecurityType.STOCK, SecurityType.FUND)
_ZERO = Decimal(0)


def explain_cash(
    gap: Money,
    ours: Decimal,
    books: Books,
    px: Mapping[InstrumentId, Decimal],
    accruals: Accruals,
    before: Accruals,
) -> Explained:
    """Return what cash that no position explains most likely is."""
    accrued = _accrued(gap, accruals, before)
    if accrued is not None:
        return accrued
    if books.fees_pending and -books.fees_pending * Decimal(50) < gap.amount < 0:
        return Explained(cause=BreakCause.FEE, why=f"{books.fees_pending} fees are still to come")
    variation = _variation(gap, books, px)
    if variation is not None:
        return variation
    stocks = list(_payers(gap, books, px))
    is_round = abs(gap.amount) >= DEPOSIT_MIN and not gap.amount % ROUND
    if is_round and not stocks:
        kind = EntryKind.DEPOSIT if gap.amount > 0 else EntryKind.WITHDRAWAL
        way = "came in" if gap.amount > 0 else "left"
        why = f"a round amount {way}, and nothing held pays so much"
        return Explained(cause=BreakCause(kind.value), why=why, proposal=BookCash(kind=kind, amount=gap))
    if len(stocks) == 1 and not is_round:
        key, per_share = stocks[0]
        proposal = BookCash(kind=EntryKind.DIVIDEND, amount=gap, instrument_id=key)
        why = f"by its size it is {per_share:f} for each {_name(books, key)} held"
        return Explained(cause=BreakCause.DIVIDEND, why=why, proposal=proposal)
    if not stocks and ours and abs(gap.amount) <= abs(ours) * INTEREST_MAX:
        why = "by its size it is interest on the cash"
        proposal = BookCash(kind=EntryKind.INTEREST, amount=gap)
        return Explained(cause=BreakCause.INTEREST, why=why, proposal=proposal)
    names = ", ".join(_name(books, key) for key, _ in stocks)
    return Explained(why=f"it may be a dividend of {names}" + (", or a deposit" if is_round else "") if stocks else "")


def _variation(gap: Money, books: Books, px: Mapping[InstrumentId, Decimal]) -> Explained | None:
    futures = [
        instrument
        for key in sorted(books.instruments_held())
        if (instrument := books.instrument(key)) is not None
        and settlement_of(instrument.contract.security_type) is Settlement.VARIATION
        and instrument.currency == gap.currency
        and books.position_total(key)
    ]
    if len(futures) != 1 or px.get(futures[0].instrument_id) is None:
        return None  # what several futures paid together tells the price of none
    future, mark = futures[0], px[futures[0].instrument_id]
    before = books.account_cash().get(gap.currency, _ZERO)
    with books.trying(settled(books, _TRIAL, future.instrument_id, mark)):
        at_mark = books.account_cash().get(gap.currency, _ZERO) - before
    found = mark + (gap.amount - at_mark) / (books.position_total(future.instrument_id) * future.multiplier)
    settle_px = future.round_price(found)
    off = abs(settle_px - found) * abs(books.position_total(future.instrument_id)) * future.multiplier
    if off > CASH_TOLERANCE or abs(settle_px / mark - 1) > SETTLEMENT_MOVE_MAX:
        return None
    name = _name(books, future.instrument_id)
    proposal = SettleFuture(instrument_id=future.instrument_id, px=tidy(settle_px))
    why = f"to the cent it is the daily settlement of {name} at {tidy(settle_px):f}"
    return Explained(cause=BreakCause.VARIATION, why=why, proposal=proposal)


def _accrued(gap: Money, accruals: Accruals, before: Accruals) -> Explained | None:
    for tag, kind in ((DIVIDENDS, EntryKind.DIVIDEND), (INTEREST, EntryKind.INTEREST)):
        was, now = before.get((tag, gap.currency)), accruals.get((tag, gap.currency))
        if was is not None and now is not None and was != now and abs(was - now - gap.amount) <= CASH_TOLERANCE:
            why = f"{tag} fell from {was:f} to {now:f} {gap.currency}: it was paid"
            return Explained(cause=BreakCause(kind.value), why=why, proposal=BookCash(kind=kind, amount=gap))
    return None


def _payers(gap: Money, books: Books, px: Mapping[InstrumentId, Decimal]) -> Iterator[tuple[InstrumentId, Decimal]]:
    for key in sorted(books.instruments_held()):
        instrument, held, mark = books.instrument(key), books.position_total(key), px.get(key)
        if instrument is None or not held or not mark or instrument.contract.security_type not in _KINDS:
            continue
        per_share = _per_share(gap.amount, held)
        if instrument.currency == gap.currency and per_share and YIELD_MIN <= per_share / mark <= YIELD_MAX:
            yield key, per_share


def _per_share(amount: Decimal, held: Decimal) -> Decimal | None:
    # so fine a step that any amount would fit it proves nothing
    for step in (Decimal("0.01"), Decimal("0.001"), Decimal("0.0001")):
        per_share = (amount / held).quantize(step)
        if abs(per_share * held - amount) <= CASH_TOLERANCE / 2 and step * abs(held) >= CASH_TOLERANCE * 10:
            return per_share
    return None


def _name(books: Books, key: InstrumentId) -> str:
    instrument = books.instrument(key)
    return f"#{key}" if instrument is None else instrument.local_symbol
