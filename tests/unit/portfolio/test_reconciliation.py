"""Books against the account."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ibfloor.model.account import AccountPosition, BrokerSnapshot
from ibfloor.model.booking import BreakCause
from ibfloor.model.fact import BreakCleared, BreakFound, CashMoved, PositionMoved
from ibfloor.model.ids import UNASSIGNED, InstrumentId
from ibfloor.model.instrument import Instrument, SecurityType
from ibfloor.model.money import USD, Currency, Money
from ibfloor.model.order import Side
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.reconciliation import Explained, break_facts, compare, opening

D = Decimal
SPY = InstrumentId(756733)


def folded(*stream: Any) -> Books:
    books = Books()
    for fact in stream:
        books.apply(fact)
    return books


def held(instrument: Instrument, qty: int, avg_px: str = "10") -> AccountPosition:
    return AccountPosition(instrument=instrument, qty=D(qty), avg_px=D(avg_px))


def usd(amount: str) -> Money:
    return Money(D(amount), USD)


def test_equal_books_have_no_difference_and_a_cent_of_cash_is_tolerated(facts: Any) -> None:
    books = folded(facts.cash("1000"), facts.filled(10, "10"))
    snapshot = facts.snapshot(positions=[held(facts.instrument(), 10)], cash=[usd("900.01")])
    assert compare(books, snapshot) == []


def test_differences_name_the_instrument_and_the_currency(facts: Any) -> None:
    books = folded(facts.cash("1000"), facts.filled(10, "10"))
    snapshot = facts.snapshot(
        positions=[held(facts.instrument(), 12)], cash=[usd("900.02"), Money(D(5), Currency("EUR"))]
    )
    found = compare(books, snapshot)
    assert [(each.key, each.ours, each.theirs) for each in found] == [
        ("cash:EUR", D(0), D(5)),
        ("cash:USD", D(900), D("900.02")),
        ("position:756733", D(10), D(12)),
    ]
    assert "SPY: books hold 10, the account 12" in found[2].text
    assert "1 fees are still to come" in found[1].text


def test_position_on_one_side_only_is_a_difference(facts: Any) -> None:
    assert [each.theirs for each in compare(folded(facts.filled(10, "10"), facts.cash("100")), facts.snapshot())] == [0]
    snapshot = facts.snapshot(positions=[held(facts.instrument(), 3)])
    assert [each.ours for each in compare(Books(), snapshot)] == [0]


def test_strategies_and_unassigned_together_are_compared(facts: Any) -> None:
    books = folded(facts.filled(10, "10"), facts.filled(4, "10", "b.01", None, side=Side.SELL), facts.cash("60"))
    assert compare(books, facts.snapshot(positions=[held(facts.instrument(), 6)])) == []


def test_forex_is_compared_as_cash(facts: Any) -> None:
    pair = facts.instrument(SecurityType.FOREX, "EUR")
    books = folded(facts.defined(pair), facts.cash("2000"), facts.filled(1000, "1.1"))
    snapshot = facts.snapshot(positions=[held(pair, 777)], cash=[usd("900"), Money(D(1000), Currency("EUR"))])
    assert compare(books, snapshot) == []


def test_future_that_two_books_hold_on_opposite_sides_is_realised_in_the_account(facts: Any) -> None:
    es = facts.instrument(SecurityType.FUTURE, "ES", multiplier="50")
    books = folded(
        facts.defined(es),
        facts.filled(1, "5000", "a.01", "sma:1", multiplier="50"),
        facts.filled(1, "5010", "b.01", "pair:1", side=Side.SELL, multiplier="50"),
    )
    assert books.cash_total() == {USD: D(0)}, "each book is still open"
    assert compare(books, facts.snapshot(cash=[usd("500")])) == []
    for fact in (  # a transfer between the books is no event for the broker
        facts.moved(-1, "5020", ts=10**9),
        facts.moved(1, "5020", strategy="pair", ts=10**9),
    ):
        books.apply(fact)
    assert compare(books, facts.snapshot(cash=[usd("500")])) == []


def test_break_is_told_once_and_cleared_when_gone(facts: Any) -> None:
    found = compare(Books(), facts.snapshot(positions=[held(facts.instrument(), 3)]))
    assert [type(fact) for fact in break_facts(found, 9, open_breaks={})] == [BreakFound]
    (told,) = break_facts(found, 9, open_breaks={})
    assert isinstance(told, BreakFound)
    known = {told.key: told}
    assert break_facts(found, 10, open_breaks=known) == []
    split = {told.key: Explained(cause=BreakCause.SPLIT)}
    (again,) = break_facts(found, 11, open_breaks=known, explained=split)
    assert isinstance(again, BreakFound)
    assert (again.cause, again.ts_event_ns, again.ts_init_ns) == (BreakCause.SPLIT, 9, 11)
    (cleared,) = break_facts([], 12, open_breaks=known, resolved_by={told.key: "e1"})
    assert isinstance(cleared, BreakCleared)
    assert cleared.reason == "resolved by entry e1"


def opened(snapshot: BrokerSnapshot) -> Books:
    return folded(*opening(snapshot, 1 << 50), *snapshot.fills, *snapshot.fees)


def test_opening_takes_over_the_account_into_unassigned(facts: Any) -> None:
    snapshot = facts.snapshot(positions=[held(facts.instrument(), 7, "12.5")], cash=[usd("1000")])
    books = opened(snapshot)
    assert compare(books, snapshot) == []
    assert books.strategies() == [UNASSIGNED]
    assert books.book(UNASSIGNED).positions[SPY].avg_px == D("12.5")


def test_opening_and_the_days_executions_together_are_the_account(facts: Any) -> None:
    """The account bought 5, sold out 3 of another, traded a future, before the ledger began."""
    es = facts.instrument(SecurityType.FUTURE, "ES", instrument_id=2, multiplier="50")
    fills = [
        facts.filled(5, "10", "a.01"),
        facts.filled(3, "20", "b.01", None, side=Side.SELL, instrument_id=1),
        facts.filled(2, "5000", "c.01", None, instrument_id=2, multiplier="50"),
        facts.filled(1, "5004", "d.01", None, side=Side.SELL, instrument_id=2, multiplier="50"),
    ]
    snapshot = facts.snapshot(
        positions=[held(facts.instrument(), 7), held(es, 1, "5000")],
        cash=[usd("1234.5")],
        fills=fills,
        fees=[facts.fee("a.01", "1")],
    )
    assert compare(opened(snapshot), snapshot) == []
    moved = {fact.instrument_id: fact.qty for fact in opening(snapshot, 1) if isinstance(fact, PositionMoved)}
    assert moved == {SPY: D(2), InstrumentId(1): D(3)}
    assert all(fact.ts_event_ns < fills[0].ts_event_ns for fact in opening(snapshot, 1))


def test_opening_of_an_empty_account_is_said_too(facts: Any) -> None:
    assert [fact.amount for fact in opening(facts.snapshot(), 1) if isinstance(fact, CashMoved)] == [usd("0")]
