"""A book entry is booked whole, once, in its place, and undone without a trace."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ibfloor.model.booking import Adjust, AnyBooking, BookCash, Share, SplitPosition
from ibfloor.model.entry import BookEntry, CashLeg, EntryKind, Leg, PositionLeg, SplitLeg, undone
from ibfloor.model.ids import UNASSIGNED, InstrumentId, StrategyId
from ibfloor.model.money import USD, Money
from ibfloor.portfolio.actions import ActionError, Header
from ibfloor.portfolio.booking import entry_of
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.entry_check import check_entry
from ibfloor.portfolio.preview import preview

D = Decimal
SPY = InstrumentId(756733)
SMA = StrategyId("sma")


def entry(kind: EntryKind, *legs: Leg, entry_id: str = "e1", ts: int = 5_000, reverses: str = "") -> BookEntry:
    return BookEntry(
        ts_event_ns=ts,
        ts_init_ns=ts,
        entry_id=entry_id,
        kind=kind,
        legs=legs,
        reason="test",
        actor="ann",
        reverses=reverses,
    )


def undo(original: BookEntry, entry_id: str = "undo") -> BookEntry:
    return replace(original, entry_id=entry_id, legs=undone(original.legs), reverses=original.entry_id)


def shares(strategy: str, qty: str, px: str) -> PositionLeg:
    return PositionLeg(strategy=StrategyId(strategy), instrument_id=SPY, qty=D(qty), px=D(px), currency=USD)


def cash(strategy: str, amount: str) -> CashLeg:
    return CashLeg(strategy=StrategyId(strategy), amount=Money(D(amount), USD))


def split(strategy: str, new: int, old: int) -> SplitLeg:
    return SplitLeg(strategy=StrategyId(strategy), instrument_id=SPY, new=new, old=old)


@pytest.fixture
def books(facts: Any) -> Books:
    books = Books()
    books.apply(facts.filled(100, "100", "a.01", None, ts=1_000))
    return books


def test_transfer_moves_position_cash_and_result(books: Books) -> None:
    legs = (
        shares(UNASSIGNED, "-40", "110"),
        shares("sma", "40", "110"),
        cash("sma", "-4400"),
        cash(UNASSIGNED, "4400"),
    )
    move = entry(EntryKind.TRANSFER, *legs)
    assert check_entry(move, books) is None
    assert books.apply(move)
    sma, rest = books.book(SMA), books.book(UNASSIGNED)
    assert [sma.qty(SPY), sma.cash[USD], sma.flows[USD]] == [D(40), D(-4400), D(0)]
    assert [rest.qty(SPY), rest.cash[USD], rest.realised[USD], rest.flows[USD]] == [D(60), D(-5600), D(400), D(0)]
    assert not books.apply(move)


def test_income_is_a_result_and_a_deposit_is_not(books: Books) -> None:
    books.apply(entry(EntryKind.DIVIDEND, cash("sma", "12.50")))
    books.apply(entry(EntryKind.BORROW, cash("sma", "-2"), entry_id="e2"))
    books.apply(entry(EntryKind.DEPOSIT, cash("sma", "1000"), entry_id="e3"))
    book = books.book(SMA)
    assert book.income == {EntryKind.DIVIDEND: {USD: D("12.50")}, EntryKind.BORROW: {USD: D(-2)}}
    assert [book.cash[USD], book.flows[USD]] == [D("1010.50"), D(1000)]


def test_split_changes_what_was_held_then_and_not_what_came_later(books: Books, facts: Any) -> None:
    books.apply(entry(EntryKind.SPLIT, split(UNASSIGNED, 3, 2), ts=2_000))
    books.apply(facts.filled(10, "70", "b.01", None, ts=3_000))
    books.apply(facts.filled(20, "100", "c.01", None, ts=500))  # told late
    position = books.book(UNASSIGNED).positions[SPY]
    assert [position.qty, position.cost] == [D(190), D(12_700)]


def test_reversal_leaves_no_trace_in_either_order(books: Books, facts: Any) -> None:
    before = books.digest()
    for first in (entry(EntryKind.SPLIT, split(UNASSIGNED, 1, 3)), entry(EntryKind.DEPOSIT, cash("sma", "5"))):
        named = replace(first, entry_id=first.kind.value)
        facts_of_it = (named, undo(named, f"undo-{named.entry_id}"))
        forward, backward = Books(), Books()
        for each, order in ((forward, facts_of_it), (backward, facts_of_it[::-1])):
            each.apply(facts.filled(100, "100", "a.01", None, ts=1_000))
            for fact in order:
                each.apply(fact)
        assert forward.digest() == backward.digest() == before


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (entry(EntryKind.DEPOSIT), "at least one leg"),
        (entry(EntryKind.DEPOSIT, cash("sma", "-5")), "a deposit brings cash"),
        (entry(EntryKind.TRANSFER, shares("sma", "40", "1")), "another must take: 40"),
        (entry(EntryKind.TRANSFER, cash("sma", "40")), "another must get: 40 USD"),
        (entry(EntryKind.TRANSFER, shares("sma", "-40", "1"), shares("pair", "40", "1")), "no book holds so much"),
        (entry(EntryKind.DIVIDEND, shares("sma", "-40", "1")), "moves cash alone"),
        (entry(EntryKind.SPLIT, split("sma", 2, 1)), "UNASSIGNED holds instrument 756733 too"),
        (entry(EntryKind.SPLIT, split(UNASSIGNED, 0, 1)), "0 for 1 is no split"),
        (entry(EntryKind.ADJUSTMENT, shares("sma", "NaN", "1")), "needs a quantity and a price"),
        (entry(EntryKind.ADJUSTMENT, cash("sma", "1"), reverses="e0"), "there is no entry e0"),
        (entry(EntryKind.ADJUSTMENT, cash("sma", "1e15")), "1e+15 is out of bounds"),
        (entry(EntryKind.ADJUSTMENT, shares("sma", "1e40", "1")), "1e+40 is out of bounds"),
        (entry(EntryKind.ADJUSTMENT, shares("sma", "1e9", "1e9")), "1e+18 is out of bounds"),
        (entry(EntryKind.SPLIT, split(UNASSIGNED, 1_000_001, 1)), "1000001 for 1 is no split"),
        (replace(entry(EntryKind.ADJUSTMENT, cash("sma", "1")), reason=" "), "needs a reason"),
        (replace(entry(EntryKind.ADJUSTMENT, cash("sma", "1")), actor=""), "needs an actor"),
    ],
)
def test_bad_entry_is_refused_in_words(books: Books, bad: BookEntry, why: str) -> None:
    refusal = check_entry(bad, books)
    assert refusal is not None
    assert why in refusal


def test_entry_is_reversed_once(books: Books) -> None:
    first = entry(EntryKind.DEPOSIT, cash("sma", "5"))
    books.apply(first)
    assert "booked already" in str(check_entry(first, books))
    assert check_entry(undo(first), books) is None
    books.apply(undo(first))
    assert "was reversed already, by undo" in str(check_entry(undo(first, "again"), books))
    assert "is a reversal itself" in str(check_entry(undo(undo(first), "redo"), books))


def test_trying_an_entry_or_its_undoing_shows_it_and_leaves_no_trace(books: Books, facts: Any) -> None:
    doubled = entry(EntryKind.SPLIT, split(UNASSIGNED, 2, 1), ts=2_000)
    paid = entry(EntryKind.DEPOSIT, cash("new", "5"), entry_id="e2")
    books.apply(facts.filled(10, "60", "b.01", None, ts=3_000))
    before, names = books.digest(), books.strategies()
    with books.trying(doubled):
        assert books.book(UNASSIGNED).qty(SPY) == 210
    with books.trying(paid):
        assert books.book(StrategyId("new")).cash == {USD: D(5)}
    assert (books.digest(), books.strategies()) == (before, names)
    assert check_entry(doubled, books) is None
    books.apply(doubled)
    with books.trying(undo(doubled)):
        assert books.book(UNASSIGNED).qty(SPY) == 110
    assert books.book(UNASSIGNED).qty(SPY) == 210


@pytest.mark.parametrize(
    "amount", ["1e40", "123456789012345678901234567.89", "-0.000000000000000000000000000000000001"]
)
@pytest.mark.parametrize("kind", [EntryKind.DEPOSIT, EntryKind.INTEREST])
def test_a_preview_leaves_the_books_as_they_were_to_the_last_digit(
    books: Books, facts: Any, kind: EntryKind, amount: str
) -> None:
    books.apply(facts.filled(3, "33.3333", "b.01", None, ts=3_000))
    books.apply(entry(EntryKind.DEPOSIT, cash("sma", "0.01"), entry_id="e0"))
    books.apply(entry(EntryKind.INTEREST, cash("sma", "-0.0000000001"), entry_id="e00"))
    before = books.digest()
    preview(entry(kind, cash("sma", amount), shares("sma", "1e30", "3")), books, {})
    assert books.digest() == before
    assert books.book(SMA).cash == {USD: D("0.0099999999")}


@pytest.mark.parametrize(
    ("booking", "why"),
    [
        (BookCash(kind=EntryKind.DEPOSIT, amount=Money(D("1e40"), USD)), "amount 1E+40 is out of bounds"),
        (BookCash(kind=EntryKind.DEPOSIT, amount=Money(D("NaN"), USD)), "amount NaN is out of bounds"),
        (BookCash(kind=EntryKind.DEPOSIT, amount=Money(D("0.00000000001"), USD)), "too fine"),
        (Adjust(instrument_id=SPY, qty=D(1), px=D("1e15")), "px 1E+15 is out of bounds"),
        (SplitPosition(instrument_id=SPY, new=10**30, old=1), "is out of bounds: 1000000 at most"),
        (
            BookCash(kind=EntryKind.DEPOSIT, amount=Money(D(1), USD), shares=(Share(strategy=SMA, amount=D("1e99")),)),
            "1E+99",
        ),
    ],
)
def test_a_slip_of_many_digits_is_refused_in_words(books: Books, booking: AnyBooking, why: str) -> None:
    head = Header(entry_id="e1", ts_event_ns=5_000, ts_init_ns=5_000, actor="ann", reason="test")
    with pytest.raises(ActionError, match=re.escape(why)):
        entry_of(booking, books, head)
