"""A future's daily settlement: cash as the broker's account has it, results as if there were none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibfloor.model.ids import AccountId, InstrumentId, StrategyId
from ibfloor.model.instrument import SecurityType
from ibfloor.model.lots import LotMethod
from ibfloor.model.money import USD
from ibfloor.model.order import Side
from ibfloor.portfolio.actions import ActionError, Header, reversal
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.corporate import settled
from ibfloor.portfolio.entry_check import check_entry
from ibfloor.portfolio.valuation import Mark, Rates, value, value_account
from ibfloor.sim.account import SimAccount

D = Decimal
ES = InstrumentId(756733)
SMA = StrategyId("sma")


def head(entry_id: str = "e1", ts: int = 50) -> Header:
    return Header(entry_id=entry_id, ts_event_ns=ts, ts_init_ns=99, actor="ann", reason="settled")


@pytest.fixture
def books(facts: Any) -> Books:
    books = Books()
    books.apply(facts.defined(facts.instrument(SecurityType.FUTURE, "ES", multiplier="50")))
    books.apply(facts.filled(2, "5000", "a.01", ts=10, multiplier="50"))
    return books


def test_settlement_pays_the_open_result_once_and_leaves_cost_and_result(books: Books, facts: Any) -> None:
    for number, (px, cash) in enumerate((("5010", "1000"), ("5004", "400")), start=1):
        entry = settled(books, head(f"e{number}", ts=number * 50), ES, D(px))
        assert check_entry(entry, books) is None
        books.apply(entry)
        book = books.book(SMA)
        assert [book.cash[USD], book.realised[USD], book.flows.get(USD, D(0))] == [D(cash), D(0), D(0)]
        assert [book.positions[ES].avg_px, book.positions[ES].unrealised(D(5020))] == [D(5000), D(2000)]
        assert value(book, {ES: Mark(D(5020), 1, "mid")}, Rates(USD)).equity == 2000
    books.apply(facts.filled(1, "5020", "b.01", side=Side.SELL, ts=200, multiplier="50"))
    book = books.book(SMA)
    assert [book.realised[USD], book.positions[ES].paid, book.cash[USD]] == [D(1000), D(200), D(1200)]


def test_settlement_takes_in_what_was_traded_before_and_told_later(books: Books, facts: Any) -> None:
    books.apply(settled(books, head(), ES, D(5010)))
    books.apply(facts.filled(1, "5008", "late.01", "pair:1", side=Side.SELL, ts=40, multiplier="50"))
    assert books.book(StrategyId("pair")).cash == {USD: D(-100)}
    books.apply(reversal(books, head("undo", ts=60), "e1"))
    assert books.cash_total()[USD] == 0


def test_only_futures_are_settled(facts: Any) -> None:
    books = Books()
    books.apply(facts.filled(2, "50", "a.01", ts=10))
    with pytest.raises(ActionError, match="only futures"):
        settled(books, head(), ES, D(51))
    with pytest.raises(ActionError, match="no book held"):
        settled(books, head(), InstrumentId(7), D(51))


PRICES = st.decimals("4900", "5100", places=2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["sma:1", "pair:1"]), st.integers(-5, 5).filter(bool), PRICES),
        st.tuples(st.none(), st.just(0), PRICES),
    ),
    max_size=12,
)


@pytest.mark.parametrize("method", list(LotMethod))
@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_cash_and_worth_are_those_of_the_simulated_account(
    facts: Any, method: LotMethod, steps: list[tuple[str | None, int, Decimal]]
) -> None:
    future = facts.instrument(SecurityType.FUTURE, "ES", multiplier="50")
    account, books = SimAccount(AccountId("DU1"), {USD: D(0)}), Books(method)
    books.apply(facts.defined(future))
    for number, (ref, qty, px) in enumerate(steps, start=1):
        ts_ns = number * 10
        if ref is not None:
            account.adjust(future, D(1), D(qty), px)
            side = Side.BUY if qty > 0 else Side.SELL
            books.apply(facts.filled(abs(qty), str(px), f"x{number}.01", ref, side=side, ts=ts_ns, multiplier="50"))
        elif books.position_total(ES):
            account.settle(ES, px, ts_ns)
            books.apply(settled(books, head(f"e{number}", ts_ns), ES, px))
        ours, theirs = books.account_cash().get(USD, D(0)), account.cash[USD]
        assert abs(ours - theirs) < D("1e-6")
        marks = {ES: Mark(D(5000), 1, "mid")}
        worth = value_account(
            [value(books.book(name), marks, Rates(USD)) for name in books.strategies()], marks, Rates(USD)
        )
        held = account.position(ES)
        net = theirs + (held.market_value(D(5000)) - held.entry_value - held.settled if held else D(0))
        assert worth.equity is not None
        assert abs(worth.equity - net) < D("1e-6")
