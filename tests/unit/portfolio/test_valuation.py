"""Worth: exact where everything is known, ``None`` where it is not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.instrument import SecurityType
from ibfloor.model.money import USD, Currency
from ibfloor.model.order import Side
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.performance import advance
from ibfloor.portfolio.valuation import Mark, Rates, value, value_account

D = Decimal
SMA, PAIR = StrategyId("sma"), StrategyId("pair")
SPY = InstrumentId(756733)
EUR = Currency("EUR")
MARKS = {SPY: Mark(D(12), 1, "mid")}


def folded(*stream: Any) -> Books:
    books = Books()
    for fact in stream:
        books.apply(fact)
    return books


def test_missing_mark_is_not_known_and_never_a_guess(facts: Any) -> None:
    worth = value(folded(facts.cash("1000"), facts.filled(10, "10")).book(SMA), {}, Rates(USD))
    assert (worth.unrealised, worth.equity, worth.gross_exposure, worth.pnl) == (None, None, None, None)
    assert worth.cash == 900


def test_missing_rate_is_not_known_and_never_one(facts: Any) -> None:
    book = folded(facts.cash("1000", currency="EUR")).book(SMA)
    assert value(book, MARKS, Rates(USD)).equity is None
    assert value(book, MARKS, Rates(USD, {EUR: D("1.1")})).equity == 1100


def test_flat_book_needs_no_mark(facts: Any) -> None:
    book = folded(facts.filled(10, "10"), facts.filled(10, "11", "b.01", side=Side.SELL)).book(SMA)
    assert value(book, {}, Rates(USD)).pnl == 10


def test_forex_position_is_worth_its_two_balances_and_no_more(facts: Any) -> None:
    pair = facts.instrument(SecurityType.FOREX, "EUR")
    book = folded(facts.defined(pair), facts.cash("50000"), facts.filled(10000, "1.10")).book(SMA)
    worth = value(book, {SPY: Mark(D("1.20"), 1, "mid")}, Rates(USD, {EUR: D("1.20")}))
    assert (worth.equity, worth.pnl) == (D(51000), D(1000))


def test_account_nets_opposite_books_in_its_exposure(facts: Any) -> None:
    books = folded(facts.filled(10, "10"), facts.filled(4, "11", "b.01", "pair:1", side=Side.SELL))
    parts = [value(books.book(name), MARKS, Rates(USD)) for name in books.strategies()]
    account = value_account(parts, MARKS, Rates(USD))
    assert [part.gross_exposure for part in parts] == [D(48), D(120)]
    assert (account.gross_exposure, account.net_exposure, account.unrealised) == (D(72), D(72), D(16))


def test_deposit_is_no_profit_and_a_new_day_takes_the_last_equity() -> None:
    curve = advance(None, "d1", D(1000), {USD: D(1000)}, Rates(USD))
    curve = advance(curve, "d1", D(1100), {USD: D(1000)}, Rates(USD))
    curve = advance(curve, "d1", D(1550), {USD: D(1500)}, Rates(USD))
    assert curve is not None
    assert (curve.day_pnl, curve.drawdown, curve.peak) == (D(50), D(50), D(1600))
    curve = advance(curve, "d2", D(1500), {USD: D(1500)}, Rates(USD))
    assert curve is not None
    assert (curve.day_pnl, curve.drawdown_pct) == (D(-50), D("6.25"))
    assert advance(curve, "d2", None, {USD: D(1500)}, Rates(USD)) is curve


def test_figure_without_a_rate_says_why_and_the_others_stand(facts: Any) -> None:
    eur, told = Currency("EUR"), "the rate of EUR (account values) is 4,000 s old, more than 900 s"
    books = folded(facts.cash("100", currency="EUR"), facts.cash("50"), facts.cash("7", strategy="pair"))
    parts = [value(books.book(name), MARKS, Rates(USD, {}, {eur: told})) for name in books.strategies()]
    account = value_account(parts, MARKS, Rates(USD))
    assert [(part.strategy, part.equity, part.problems) for part in parts] == [
        ("pair", D(7), ()),
        ("sma", None, (told,)),
    ]
    assert (account.equity, account.problems, account.realised) == (None, (told,), D(0))
    assert value(books.book(StrategyId("sma")), MARKS, Rates(USD)).problems == ("no rate of EUR is known",)
    assert value(books.book(StrategyId("sma")), MARKS, Rates(USD, {eur: D("1.1")})).equity == 160
