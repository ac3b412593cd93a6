"""Books as a fold over facts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ibfloor.model.ids import UNASSIGNED, ExecId, InstrumentId, StrategyId
from ibfloor.model.instrument import SecurityType
from ibfloor.model.money import USD, Currency, Money
from ibfloor.model.order import Side
from ibfloor.portfolio.books import Books

D = Decimal
SMA = StrategyId("sma")
SPY = InstrumentId(756733)
EUR = Currency("EUR")


def folded(*stream: Any) -> Books:
    books = Books()
    for fact in stream:
        books.apply(fact)
    return books


def test_stock_trade_moves_cash_by_its_price_and_its_fee(facts: Any) -> None:
    book = folded(
        facts.cash("100000"),
        facts.filled(100, "10", "a.01"),
        facts.fee("a.01", "1.25"),
        facts.filled(40, "11", "b.01", side=Side.SELL),
    ).book(SMA)
    assert book.cash == {USD: D("99438.75")}
    assert book.realised == {USD: D(40)}
    assert (book.qty(SPY), book.positions[SPY].avg_px, book.fees[USD], book.fills) == (D(60), D(10), D("1.25"), 2)
    assert book.flows == {USD: D(100000)}


def test_future_moves_cash_by_its_result_alone_with_the_multiplier(facts: Any) -> None:
    es = facts.instrument(SecurityType.FUTURE, "ES", multiplier="50")
    trades = [
        facts.filled(2, "5000", "a.01", multiplier="50"),
        facts.filled(1, "5010", "b.01", side=Side.SELL, multiplier="50"),
    ]
    book = folded(facts.defined(es), *trades).book(SMA)
    assert book.cash == {USD: D(500)}
    assert book.positions[SPY].avg_px == 5000
    assert folded(*trades, facts.defined(es)).book(SMA) == book, "a definition that comes late is as good"


def test_forex_trade_exchanges_two_balances(facts: Any) -> None:
    pair = facts.instrument(SecurityType.FOREX, "EUR")
    book = folded(facts.defined(pair), facts.filled(20000, "1.10", "a.01")).book(SMA)
    assert book.cash == {USD: D(-22000), EUR: D(20000)}


def test_correction_leaves_the_books_as_if_it_had_been_right_at_once(facts: Any) -> None:
    wrong, later, right = (
        facts.filled(10, "100", "e.01", ts=10),
        facts.filled(10, "103", "f.01", side=Side.SELL, ts=20),
        facts.filled(10, "101", "e.02", ts=30),
    )
    clean = folded(facts.filled(10, "101", "e.02", ts=10), later)
    assert folded(wrong, later, right).digest() == clean.digest()
    assert clean.book(SMA).realised == {USD: D(20)}


def test_fee_before_its_execution_waits_for_it_and_a_repeat_changes_nothing(facts: Any) -> None:
    books = folded(facts.fee("a.01", "1"))
    assert books.strategies() == []
    assert (books.apply(facts.filled(10)), books.fees_pending) == (True, 0)
    assert not books.apply(facts.fee("a.01", "1"))
    assert books.book(SMA).fees == {USD: D(1)}
    assert books.fee_of(ExecId("a.01")) == Money(D(1), USD)


def test_fee_told_anew_replaces_the_old_one(facts: Any) -> None:
    books = folded(facts.filled(10), facts.fee("a.01", "1"), facts.fee("a.01", "1.50"))
    assert books.book(SMA).fees == {USD: D("1.50")}
    assert books.book(SMA).cash == {USD: D("-1001.50")}


def test_fees_pending_counts_executions_without_a_fee(facts: Any) -> None:
    books = folded(facts.filled(10, exec_id="a.01"), facts.filled(10, exec_id="b.01"))
    assert books.fees_pending == 2
    books.apply(facts.fee("b.01"))
    assert books.fees_pending == 1


def test_correction_keeps_fee_and_owner(facts: Any) -> None:
    books = folded(facts.filled(10, "100", "e.01"), facts.fee("e.01", "1"), facts.filled(10, "101", "e.02", ref=None))
    assert books.owner_of(ExecId("e.02")) == SMA
    assert books.book(SMA).cash == {USD: D(-1011)}
    assert books.strategies() == [SMA]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
def test_execution_belongs_to_the_newest_revision_that_names_an_owner(facts: Any, order: tuple[int, ...]) -> None:
    revisions = [
        facts.filled(10, "100", "e.01", "pair:1", ts=1),
        facts.filled(10, "101", "e.02", "sma:1", ts=2),
        facts.filled(10, "102", "e.03", None, ts=3),
    ]
    books = folded(*(revisions[each] for each in order))
    assert books.strategies() == [SMA]
    assert books.book(SMA).cash == {USD: D(-1020)}


def test_foreign_execution_goes_to_the_unassigned_book(facts: Any) -> None:
    books = folded(facts.filled(5, ref=None))
    assert books.strategies() == [UNASSIGNED]
    assert books.position_total(SPY) == 5


def test_transfer_between_books_leaves_their_sum_as_it_was(facts: Any) -> None:
    books = folded(facts.moved(100, "10", strategy=UNASSIGNED))
    total = books.position_total(SPY), books.cash_total()
    for fact in (
        facts.moved(-100, "12", strategy=UNASSIGNED),
        facts.cash("1200", strategy=UNASSIGNED),
        facts.moved(100, "12"),
        facts.cash("-1200"),
    ):
        books.apply(fact)
    assert (books.position_total(SPY), books.cash_total()) == (total[0], {USD: D(0)})
    assert books.book(UNASSIGNED).realised == {USD: D(200)}
    assert books.book(SMA).positions[SPY].avg_px == 12


def test_book_is_a_value_that_later_facts_do_not_change(facts: Any) -> None:
    books = folded(facts.filled(10))
    book = books.book(SMA)
    books.apply(facts.filled(10, exec_id="b.01"))
    assert (book.qty(SPY), books.book(SMA).qty(SPY)) == (D(10), D(20))
    assert books.book(SMA) is books.book(SMA)


@pytest.mark.parametrize("make", ["submitted", "reported"])
def test_other_facts_are_ignored(facts: Any, make: str) -> None:
    fact = facts.submitted(facts.request()) if make == "submitted" else facts.reported("FILLED", cum_qty=100)
    books = Books()
    assert not books.apply(fact)
    assert books.strategies() == []
