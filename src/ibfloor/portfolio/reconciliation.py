"""Books against the account: differences, breaks, and the opening of an empty ledger. Nothing is absorbed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from ibfloor.model.account import BrokerSnapshot
from ibfloor.model.booking import AnyBooking, BreakCause, cash_in, position_in
from ibfloor.model.fact import (
    AnyFact,
    BreakCleared,
    BreakFound,
    CashMoved,
    InstrumentDefined,
    OrderFilled,
    PositionMoved,
)
from ibfloor.model.ids import UNASSIGNED, InstrumentId, exec_root
from ibfloor.model.instrument import SecurityType
from ibfloor.model.money import Currency, Money
from ibfloor.portfolio.book import Amounts, add_to
from ibfloor.portfolio.books import Books

CASH_TOLERANCE = Decimal("0.01")
OPENING = "opening balance"

_ZERO = Decimal(0)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What the books say against what the account says, of one instrument or one currency."""

    key: str
    """As in ``BreakFound``: ``position:<instrument_id>`` or ``cash:<currency>``."""
    ours: Decimal
    theirs: Decimal
    text: str


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """What a difference most likely comes from, what speaks for it, and the booking that would end it."""

    cause: BreakCause = BreakCause.UNKNOWN
    why: str = ""
    proposal: AnyBooking | None = None


def compare(books: Books, snapshot: BrokerSnapshot, *, cash_tolerance: Decimal = CASH_TOLERANCE) -> list[Difference]:
    """Return every difference: positions exactly, cash within the tolerance; sorted by key.

    Take the snapshot's missing executions and fees first (``execution.recovery.settle``). Forex
    positions are compared as cash: the account keeps them as two balances.
    """
    return sorted((*_positions(books, snapshot), *_cash(books, snapshot, cash_tolerance)), key=lambda each: each.key)


def break_facts(
    found: Iterable[Difference],
    now_ns: int,
    *,
    open_breaks: Mapping[str, BreakFound],
    explained: Mapping[str, Explained] = {},
    resolved_by: Mapping[str, str] = {},
) -> list[AnyFact]:
    """Return the facts for confirmed differences that are news, and for open breaks that are gone.

    An open break is told again when its size or its cause has changed. ``resolved_by`` names the book
    entries that were booked for a break.
    """
    found = list(found)
    facts: list[AnyFact] = []
    for each in found:
        known = open_breaks.get(each.key)
        fact = _broken(each, explained.get(each.key, Explained()), known.ts_event_ns if known else now_ns, now_ns)
        if known is None or _judged(known) != _judged(fact):
            facts.append(fact)
    for key in sorted(set(open_breaks) - {each.key for each in found}):
        entry_id = resolved_by.get(key)
        reason = f"resolved by entry {entry_id}" if entry_id else "books and account agree again"
        facts.append(BreakCleared(ts_event_ns=now_ns, ts_init_ns=now_ns, key=key, reason=reason))
    return facts


def _judged(fact: BreakFound) -> tuple[Decimal, BreakCause, bool]:
    return fact.theirs - fact.ours, fact.cause, fact.proposal is None


def _broken(found: Difference, explained: Explained, since_ns: int, now_ns: int) -> BreakFound:
    return BreakFound(
        ts_event_ns=since_ns,
        ts_init_ns=now_ns,
        key=found.key,
        ours=found.ours,
        theirs=found.theirs,
        text=found.text,
        cause=explained.cause,
        why=explained.why,
        proposal=explained.proposal,
    )


def opening(snapshot: BrokerSnapshot, now_ns: int) -> list[AnyFact]:
    """Return the facts by which an empty ledger takes over an account, all into ``UNASSIGNED``.

    The executions the snapshot brings are left to ``settle``: they are taken out of the opening
    position and cash, and the opening is dated before the first of them, so that both together
    are exactly the account.
    """
    fills = list(_newest_fills(snapshot).values())
    start_ns = min((*(fill.ts_event_ns for fill in fills), snapshot.ts_event_ns)) - 1
    facts: list[AnyFact] = [
        InstrumentDefined(ts_event_ns=start_ns, ts_init_ns=now_ns, instrument=each.instrument)
        for each in snapshot.positions
    ]
    facts += [
        PositionMoved(
            ts_event_ns=start_ns,
            ts_init_ns=now_ns,
            strategy=UNASSIGNED,
            instrument_id=each.instrument_id,
            qty=each.qty,
            px=each.px,
            currency=each.currency,
            multiplier=each.multiplier,
            reason=OPENING,
        )
        for each in _held_before(snapshot, fills)
    ]
    books = Books()
    for fact in (*facts, *fills, *snapshot.fees):
        books.apply(fact)
    return facts + _opening_cash(books, snapshot, start_ns, now_ns)


class _Held(msgspec.Struct):
    instrument_id: InstrumentId
    qty: Decimal
    px: Decimal
    currency: Currency
    multiplier: Decimal


def _held_before(snapshot: BrokerSnapshot, fills: Iterable[OrderFilled]) -> list[_Held]:
    held = {
        each.instrument.instrument_id: _Held(
            each.instrument.instrument_id,
            each.qty,
            each.avg_px,
            each.instrument.currency,
            each.instrument.multiplier,
        )
        for each in snapshot.positions
    }
    for fill in fills:
        # What was sold out today is not listed any more; its cost is not told, so the trade's price stands in.
        each = held.setdefault(
            fill.instrument_id, _Held(fill.instrument_id, _ZERO, fill.last_px, fill.currency, fill.multiplier)
        )
        each.qty -= fill.last_qty * fill.side.sign
    return [each for each in held.values() if each.qty]


def _opening_cash(books: Books, snapshot: BrokerSnapshot, start_ns: int, now_ns: int) -> list[AnyFact]:
    ours = books.account_cash()
    theirs = _account_cash(snapshot)
    moves = {currency: theirs.get(currency, _ZERO) - ours.get(currency, _ZERO) for currency in {*ours, *theirs}}
    base = snapshot.base_currency
    moves.setdefault(base, _ZERO)
    return [
        CashMoved(
            ts_event_ns=start_ns,
            ts_init_ns=now_ns,
            strategy=UNASSIGNED,
            amount=Money(amount, currency),
            reason=OPENING,
        )
        for currency, amount in sorted(moves.items())
        if amount or currency == base  # said even when zero: an empty account is opened too
    ]


def _positions(books: Books, snapshot: BrokerSnapshot) -> list[Difference]:
    theirs: dict[InstrumentId, Decimal] = {}
    names: dict[InstrumentId, str] = {}
    for each in snapshot.positions:
        key = each.instrument.instrument_id
        if each.instrument.contract.security_type is SecurityType.FOREX:
            continue
        theirs[key] = theirs.get(key, _ZERO) + each.qty
        names[key] = str(each.instrument.contract)
    differences = []
    for key in {*theirs, *books.instruments_held()}:
        instrument = books.instrument(key)
        if instrument is not None and instrument.contract.security_type is SecurityType.FOREX:
            continue
        ours, held = books.position_total(key), theirs.get(key, _ZERO)
        if ours != held:
            name = names.get(key) or (str(instrument.contract) if instrument else str(key))
            text = f"{name}: books hold {ours:f}, the account {held:f}"
            differences.append(Difference(key=position_in(key), ours=ours, theirs=held, text=text))
    return differences


def _cash(books: Books, snapshot: BrokerSnapshot, tolerance: Decimal) -> list[Difference]:
    all_ours, all_theirs = books.account_cash(), _account_cash(snapshot)
    differences = []
    for currency in {*all_ours, *all_theirs}:
        ours, theirs = all_ours.get(currency, _ZERO), all_theirs.get(currency, _ZERO)
        if abs(ours - theirs) > tolerance:
            text = f"{currency}: books have {ours:,.2f}, the account {theirs:,.2f}"
            if books.fees_pending:
                text += f"; {books.fees_pending} fees are still to come"
            differences.append(Difference(key=cash_in(currency), ours=ours, theirs=theirs, text=text))
    return differences


def _account_cash(snapshot: BrokerSnapshot) -> Amounts:
    cash: Amounts = {}
    for money in snapshot.cash:
        add_to(cash, Currency(money.currency), money.amount)
    return cash


def _newest_fills(snapshot: BrokerSnapshot) -> dict[str, OrderFilled]:
    newest: dict[str, OrderFilled] = {}
    for fill in snapshot.fills:
        root, revision = exec_root(fill.exec_id)
        if root not in newest or revision > exec_root(newest[root].exec_id)[1]:
            newest[root] = fill
    return newest
