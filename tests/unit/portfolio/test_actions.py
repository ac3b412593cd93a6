"""Moves, dividends and undoing: what each does to the books, and what they refuse."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibfloor.model.entry import EntryKind
from ibfloor.model.ids import UNASSIGNED, InstrumentId, StrategyId
from ibfloor.model.instrument import SecurityType
from ibfloor.model.lots import LotMethod
from ibfloor.model.money import USD, Money
from ibfloor.model.order import Side
from ibfloor.portfolio.actions import (
    ActionError,
    Header,
    allocated,
    cash_entry,
    dividend,
    reversal,
    transfer,
    transfer_cash,
)
from ibfloor.portfolio.allocation import pro_rata, to_whole
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.entry_check import check_entry

D = Decimal
SPY = InstrumentId(756733)
SMA, PAIR = StrategyId("sma"), StrategyId("pair")


def head(entry_id: str = "e1", ts: int = 50) -> Header:
    return Header(entry_id=entry_id, ts_event_ns=ts, ts_init_ns=99, actor="ann", reason="test")


def book(books: Books, entry: Any) -> None:
    assert check_entry(entry, books) is None
    assert books.apply(entry)


@pytest.fixture
def books(facts: Any) -> Books:
    """SMA holds lots of 60 at 10 and 40 at 12."""
    books = Books()
    books.apply(facts.filled(60, "10", "a.01", ts=10))
    books.apply(facts.filled(40, "12", "b.01", ts=20))
    return books


def test_transfer_at_a_price_is_paid_and_realised(books: Books) -> None:
    book(books, transfer(books, head(), SPY, D(70), giver=SMA, taker=PAIR, px=D(13)))
    giver, taker = books.book(SMA), books.book(PAIR)
    assert [giver.qty(SPY), giver.realised[USD], giver.cash[USD]] == [D(30), D(190), D(-170)]
    assert [taker.positions[SPY].cost, taker.cash[USD]] == [D(910), D(-910)]
    assert [giver.flows[USD], taker.flows[USD]] == [D(0), D(0)]


def test_transfer_without_a_price_moves_the_lots_as_they_are(books: Books) -> None:
    book(books, transfer(books, head(), SPY, D(70), giver=SMA, taker=PAIR))
    giver, taker = books.book(SMA).positions[SPY], books.book(PAIR).positions[SPY]
    assert [(lot.opened_ns, lot.qty, lot.cost) for lot in taker.lots] == [(10, D(60), D(600)), (20, D(10), D(120))]
    assert [giver.qty, giver.cost, giver.realised, taker.realised] == [D(30), D(360), D(0), D(0)]


def test_named_lot_moves_alone(books: Books) -> None:
    book(books, transfer(books, head(), SPY, D(40), giver=SMA, taker=PAIR, lot="b"))
    assert [lot.source for lot in books.book(SMA).positions[SPY].lots] == ["a"]
    assert [lot.opened_ns for lot in books.book(PAIR).positions[SPY].lots] == [20]


def test_short_position_moves_the_other_way_round(facts: Any) -> None:
    books = Books()
    books.apply(facts.filled(50, "20", "a.01", None, side=Side.SELL, ts=10))
    book(books, transfer(books, head(), SPY, D(20), giver=UNASSIGNED, taker=SMA, px=D(21)))
    assert [books.book(SMA).qty(SPY), books.book(SMA).cash[USD]] == [D(-20), D(420)]
    assert [books.book(UNASSIGNED).qty(SPY), books.book(UNASSIGNED).realised[USD]] == [D(-30), D(-20)]


def test_future_moves_without_cash(facts: Any) -> None:
    books = Books()
    books.apply(facts.defined(facts.instrument(SecurityType.FUTURE, "ES", multiplier="50")))
    books.apply(facts.filled(2, "5000", "a.01", ts=10, multiplier="50"))
    book(books, transfer(books, head(), SPY, D(1), giver=SMA, taker=PAIR, px=D(5010)))
    assert books.book(SMA).cash == {USD: D(500)}
    assert books.book(PAIR).positions[SPY].avg_px == 5010
    assert books.account_cash() == {USD: D(0)}, "to the broker nothing happened"


@pytest.mark.parametrize(
    ("qty", "giver", "taker", "lot", "why"),
    [
        ("101", SMA, PAIR, "", "sma does not hold 101 of"),
        ("50", SMA, PAIR, "b", "sma does not hold 50 of lot b of"),
        ("1", PAIR, SMA, "", "pair holds none of"),
        ("1", SMA, SMA, "", "needs two books"),
        ("-1", SMA, PAIR, "", "a quantity above zero"),
    ],
)
def test_what_is_not_held_does_not_move(
    books: Books, qty: str, giver: StrategyId, taker: StrategyId, lot: str, why: str
) -> None:
    with pytest.raises(ActionError, match=why):
        transfer(books, head(), SPY, D(qty), giver=giver, taker=taker, lot=lot)


def test_currency_pair_is_moved_as_cash(facts: Any) -> None:
    books = Books()
    books.apply(facts.defined(facts.instrument(SecurityType.FOREX, "EUR")))
    books.apply(facts.filled(20000, "1.10", "a.01", ts=10))
    with pytest.raises(ActionError, match="move the cash of both currencies"):
        transfer(books, head(), SPY, D(1), giver=SMA, taker=PAIR)
    book(books, transfer_cash(head(), Money(D(5000), USD), giver=SMA, taker=PAIR))
    assert [books.book(PAIR).cash[USD], books.book(PAIR).flows[USD]] == [D(5000), D(5000)]


def test_dividend_falls_to_who_held_then_and_shorts_pay(books: Books, facts: Any) -> None:
    books.apply(facts.filled(33, "11", "c.01", "pair:1", side=Side.SELL, ts=30))
    books.apply(facts.filled(500, "11", "d.01", "pair:2", ts=60))  # after the ex-date
    book(books, dividend(books, head(ts=50), SPY, D("0.333"), withheld_pct=D(15)))
    paid = {name: each.income[EntryKind.DIVIDEND][USD] for name in (SMA, PAIR) if (each := books.book(name))}
    assert paid == {SMA: D("28.30"), PAIR: D("-9.34")}
    assert sum(paid.values()) == D("18.96")  # of 67 shares, 22.31 less 15 %
    assert books.book(SMA).flows.get(USD, D(0)) == 0


def test_deposit_is_spread_by_weight_without_a_remainder(books: Books) -> None:
    parts = allocated(Money(D(100), USD), {SMA: D(1), PAIR: D(1), UNASSIGNED: D(1)})
    book(books, cash_entry(head(), EntryKind.DEPOSIT, parts))
    assert sorted(part.amount for part in parts.values()) == [D("33.33"), D("33.33"), D("33.34")]
    assert sum(books.book(name).flows.get(USD, D(0)) for name in books.strategies()) == 100


def test_reversal_undoes_and_is_undone_by_a_new_entry_alone(books: Books) -> None:
    before = books.digest()
    book(books, transfer(books, head(), SPY, D(70), giver=SMA, taker=PAIR, px=D(13)))
    undo = reversal(books, head("e2", ts=70), "e1")
    book(books, undo)
    assert books.digest() == before
    with pytest.raises(ActionError, match="no entry e9"):
        reversal(books, head("e3"), "e9")


@given(
    st.decimals("-1000", "1000", places=2),
    st.dictionaries(st.sampled_from(["a", "b", "c", "d"]).map(StrategyId), st.integers(1, 99).map(D), min_size=1),
)
def test_parts_are_whole_cents_near_their_share_and_add_up(amount: Decimal, weights: dict[StrategyId, Decimal]) -> None:
    parts = pro_rata(amount, weights)
    whole = sum(weights.values())
    assert sum(parts.values(), D(0)) == amount
    for name, weight in weights.items():
        part = parts.get(name, D(0))
        assert part == part.quantize(D("0.01"))
        assert abs(part - amount * weight / whole) < D("0.0100001")


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c", "d"]).map(StrategyId), st.decimals("-50", "50", places=3), min_size=1
    )
)
def test_whole_shares_of_books_are_those_of_the_account(quantities: dict[StrategyId, Decimal]) -> None:
    changes = to_whole(quantities, sum(quantities.values(), D(0)))
    after = {name: qty + changes.get(name, D(0)) for name, qty in quantities.items()}
    total = sum(quantities.values(), D(0))
    assert all(qty == int(qty) for qty in after.values())
    assert sum(after.values()) == int(total), "the account loses its fraction, toward zero"
    assert all(abs(change) <= 1 for change in changes.values())


@pytest.mark.parametrize("method", list(LotMethod))
@given(
    lots=st.lists(st.tuples(st.integers(1, 30), st.decimals("1", "99", places=2)), min_size=1, max_size=5),
    data=st.data(),
)
def test_transfer_at_cost_realises_nothing_by_any_method(
    facts: Any, method: LotMethod, lots: list[tuple[int, Decimal]], data: st.DataObject
) -> None:
    books = Books(method)
    for number, (qty, px) in enumerate(lots):
        books.apply(facts.filled(qty, str(px), f"x{number}.01", ts=number + 1))
    qty = data.draw(st.integers(1, sum(qty for qty, _ in lots)))
    book(books, transfer(books, head(), SPY, D(qty), giver=SMA, taker=PAIR))
    giver, taker = books.book(SMA), books.book(PAIR)
    assert giver.realised.get(USD, D(0)) == 0
    assert giver.positions[SPY].cost + taker.positions[SPY].cost == sum(qty * px for qty, px in lots)
    assert [giver.flows[USD], taker.flows[USD]] == [D(0), D(0)]
