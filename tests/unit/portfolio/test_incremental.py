"""Books that are looked at after every fact: they cost what the fact touched, and say what a fresh fold says."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.portfolio.test_identities import HISTORIES, folded

from ibfloor.model.fact import AnyFact
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import SecurityType
from ibfloor.model.lots import LotMethod
from ibfloor.model.order import Side
from ibfloor.portfolio.as_one import AsOne
from ibfloor.portfolio.book import Book
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.holding import Entry, Fold, Holding, still_paid
from ibfloor.portfolio.position import share

ZERO = Decimal(0)
FUTURE = InstrumentId(3)


def in_order(book: Book) -> list[Any]:
    """Return a book with its dictionaries' order, which decides the order of rows and sums."""
    return [list(book.positions.items()), *(list(each.items()) for each in (book.cash, book.realised, book.flows))]


def traded(qty: Decimal, cost: Decimal, change: Decimal, value: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """Return quantity, cost and realised result at average cost after a signed change for a signed value."""
    if not change:
        return qty, cost, ZERO
    if not qty or (qty > 0) == (change > 0):
        return qty + change, cost + value, ZERO
    if abs(change) < abs(qty):
        taken = share(cost, -change, qty)
        return qty + change, cost - taken, -value - taken
    # All of it closes, at the part of the value that belongs to it; the rest opens a new position.
    left = qty + change
    closing = value - share(value, left, change) if left else value
    return left, value - closing, -closing - cost


def paid_as_one(parts: list[Holding]) -> Decimal:
    """Return what a future paid to all, from every trade of all time."""
    moves: Counter[tuple[int, Decimal]] = Counter()
    for entry in (entry for part in parts for entry in part.entries if not entry.is_trade and not entry.is_common):
        moves[entry.ts_ns, entry.px] += entry.qty  # type: ignore[assignment]
    every = [entry for part in parts for entry in part.entries if entry.is_trade]
    every += [Entry(ts_ns, False, "", Decimal(qty), px) for (ts_ns, px), qty in moves.items() if qty]
    every += {entry for part in parts for entry in part.entries if entry.settles}
    held = cost = total = paid = ZERO
    for entry in sorted(every):
        if entry.settles:
            paid = held * entry.px * parts[0].multiplier - cost
            continue
        paid = still_paid(paid, held, entry.qty)
        held, cost, realised = traded(held, cost, entry.qty, entry.qty * entry.px * parts[0].multiplier)
        total += realised
    return total + paid


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(HISTORIES, st.integers(0, 1 << 30), st.sampled_from(list(LotMethod)))
def test_books_made_after_every_fact_are_those_made_once(history: list[AnyFact], seed: int, method: LotMethod) -> None:
    history = [*history, *history]
    Random(seed).shuffle(history)
    looked_at = folded([], method)
    for number, fact in enumerate(history):
        looked_at.apply(fact)
        fresh = folded(history[: number + 1], method)
        assert looked_at.strategies() == fresh.strategies()
        for name in fresh.strategies():
            assert looked_at.book(name) == fresh.book(name)
            assert repr(in_order(looked_at.book(name))) == repr(in_order(fresh.book(name)))
        assert looked_at.account_cash() == fresh.account_cash()


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(HISTORIES)
def test_one_future_of_all_books_pays_as_its_whole_history_does(history: list[AnyFact]) -> None:
    books = folded(history)
    parts = [held[FUTURE] for held in books._holdings.values() if FUTURE in held]
    if parts:
        assert AsOne(parts).paid == paid_as_one(parts)


@pytest.fixture
def busy(facts: Any) -> Books:
    """Books with a thousand trades of one future by two strategies, and three hundred stocks."""
    books = Books()
    books.apply(facts.defined(facts.instrument(SecurityType.FUTURE, "ES", instrument_id=3, multiplier="50")))
    for number in range(300):
        books.apply(facts.filled(1, "10", f"s{number}.01", "sma:1", instrument_id=1000 + number, ts=number))
    for number in range(1000):
        side = Side.BUY if number % 3 else Side.SELL
        ref = ("sma:1", "pair:1")[number % 2]
        books.apply(
            facts.filled(1, "100", f"f{number}.01", ref, side=side, instrument_id=3, multiplier="50", ts=1000 + number)
        )
    books.account_cash()
    return books


def test_a_fill_costs_what_it_touches(busy: Books, facts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: Counter[str] = Counter()
    position, take = Holding.position, Fold.take

    def counted_position(self: Holding, settlement: Any) -> Any:
        calls["position"] += 1
        return position(self, settlement)

    def counted_take(self: Fold, entry: Entry, multiplier: Decimal) -> None:
        calls["take"] += 1
        take(self, entry, multiplier)

    monkeypatch.setattr(Holding, "position", counted_position)
    monkeypatch.setattr(Fold, "take", counted_take)
    busy.apply(facts.filled(1, "101", "last.01", "sma:1", instrument_id=3, multiplier="50", ts=5000))
    busy.book(next(name for name in busy.strategies() if name == "sma"))
    busy.account_cash()
    assert calls == {"position": 1, "take": 2}, "one instrument; its book's fold and the account's"
