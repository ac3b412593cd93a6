"""Splits, mergers, spin-offs, expiries, exercises: the whole account in one entry, to the cent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ibfloor.model.entry import EntryKind
from ibfloor.model.ids import UNASSIGNED, InstrumentId, StrategyId
from ibfloor.model.instrument import Contract, Instrument, SecurityType
from ibfloor.model.lots import LotMethod
from ibfloor.model.money import USD, Currency
from ibfloor.model.order import Side
from ibfloor.portfolio.actions import ActionError, Header, reversal
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.corporate import Piece, assigned_to, exercised, expiry, reorganised, spin_off, split
from ibfloor.portfolio.entry_check import check_entry

D = Decimal
SPY, NEW, CHILD, OPTION = map(InstrumentId, (756733, 11, 12, 13))
SMA, PAIR = StrategyId("sma"), StrategyId("pair")


def head(entry_id: str = "e1", ts: int = 50) -> Header:
    return Header(entry_id=entry_id, ts_event_ns=ts, ts_init_ns=99, actor="ann", reason="test")


def stock(instrument_id: InstrumentId, symbol: str = "NEW") -> Instrument:
    contract = Contract(security_type=SecurityType.STOCK, symbol=symbol)
    return Instrument(instrument_id=instrument_id, contract=contract, local_symbol=symbol, currency=USD)


def option(strike: str, right: str) -> Instrument:
    contract = Contract(security_type=SecurityType.OPTION, symbol="SPY", strike=D(strike), right=right)
    return Instrument(instrument_id=OPTION, contract=contract, local_symbol="SPY O", currency=USD, multiplier=D(100))


def book(books: Books, entry: Any) -> None:
    assert check_entry(entry, books) is None
    before = books.digest()
    assert books.apply(entry)
    undo = reversal(books, head(f"undo-{entry.entry_id}", ts=98), entry.entry_id)
    twin = Books()
    twin.apply(entry)
    twin.apply(undo)
    assert twin.digest() == Books().digest()
    assert check_entry(undo, books) is None
    assert before != books.digest()


@pytest.fixture
def books(facts: Any) -> Books:
    """SMA holds 60 at 10 and 41 at 12, PAIR is short 20 from 13, UNASSIGNED holds 6 from 9."""
    books = Books()
    books.apply(facts.filled(60, "10", "a.01", ts=10))
    books.apply(facts.filled(41, "12", "b.01", ts=20))
    books.apply(facts.filled(20, "13", "c.01", "pair:1", side=Side.SELL, ts=30))
    books.apply(facts.filled(6, "9", "d.01", None, ts=40))
    return books


def quantities(books: Books, instrument_id: InstrumentId = SPY) -> list[Decimal]:
    return [books.book(name).qty(instrument_id) for name in (SMA, PAIR, UNASSIGNED)]


def test_split_takes_every_book_and_late_trades_of_before(books: Books, facts: Any) -> None:
    book(books, split(books, head(), SPY, 3, 1))
    assert quantities(books) == [D(303), D(-60), D(18)]
    assert books.book(SMA).positions[SPY].cost == 1092
    books.apply(facts.filled(1, "10", "late.01", "third:1", ts=45))
    books.apply(facts.filled(1, "4", "after.01", "sma:9", ts=55))
    assert books.position_total(SPY) == 88 * 3 + 1
    assert [lot.qty for lot in books.book(SMA).positions[SPY].lots] == [D(180), D(123), D(1)]


def test_late_trade_of_a_book_that_was_flat_is_split_too(books: Books, facts: Any) -> None:
    for exec_id, side in (("x.01", Side.BUY), ("y.01", Side.SELL)):
        books.apply(facts.filled(5, "10", exec_id, "flat:1", side=side, ts=35))
    book(books, split(books, head(), SPY, 3, 1))
    books.apply(facts.filled(2, "10", "z.01", "flat:2", ts=36))
    assert books.book(StrategyId("flat")).qty(SPY) == 6


def test_reverse_split_pays_the_accounts_fraction_and_books_settle_among_themselves(books: Books) -> None:
    cash = books.cash_total()[USD]
    book(books, split(books, head(), SPY, 1, 4, px_in_lieu=D(44)))  # 87 shares: 21 and three quarters
    assert quantities(books) == [D(25), D(-5), D(1)]
    assert books.position_total(SPY) == 21
    assert books.cash_total()[USD] - cash == D("33.00")
    assert sum(books.book(name).flows[USD] for name in books.strategies()) == 0


def test_merger_for_stock_keeps_cost_and_age(books: Books) -> None:
    book(books, reorganised(books, head(), SPY, [Piece(instrument=stock(NEW), new=1, old=2)]))
    assert quantities(books) == [D(0), D(0), D(0)]
    assert quantities(books, NEW) == [D("50.5"), D(-10), D(3)]
    held = books.book(SMA).positions[NEW]
    assert [(lot.opened_ns, lot.cost) for lot in held.lots] == [(10, D(600)), (20, D(492))]
    assert all(amount == 0 for name in books.strategies() for amount in books.book(name).realised.values())
    assert all(amount == 0 for name in books.strategies() for amount in books.book(name).flows.values())


def test_merger_for_cash_realises_all_of_it(books: Books) -> None:
    book(books, reorganised(books, head(), SPY, [], cash_per_share=D(20), cash_cost_share=D(1)))
    assert [books.book(name).realised[USD] for name in (SMA, PAIR, UNASSIGNED)] == [D(928), D(-140), D(66)]
    assert books.cash_total()[USD] == 20 * 87 - (1092 - 260 + 54)


def test_merger_for_stock_and_cash_realises_the_cash_part(books: Books) -> None:
    pieces = [Piece(instrument=stock(NEW), cost_share=D("0.75"), px_in_lieu=D(30), new=1, old=2)]
    book(books, reorganised(books, head(), SPY, pieces, cash_per_share=D(5), cash_cost_share=D("0.25")))
    sma = books.book(SMA)
    assert sma.qty(NEW) + books.book(PAIR).qty(NEW) + books.book(UNASSIGNED).qty(NEW) == 43
    assert sma.positions[SPY].realised == 505 - 273
    assert sma.flows[USD] == 0


def test_spin_off_splits_the_cost(books: Books) -> None:
    child = Piece(instrument=stock(CHILD), new=1, old=5, cost_share=D("0.2"))
    book(books, spin_off(books, head(), stock(SPY, "SPY"), child))
    parent, spun = books.book(SMA).positions[SPY], books.book(SMA).positions[CHILD]
    assert [parent.qty, parent.cost, spun.qty, spun.cost] == [D(101), D("873.6"), D("20.2"), D("218.4")]
    assert [lot.opened_ns for lot in parent.lots] == [lot.opened_ns for lot in spun.lots] == [10, 20]
    assert parent.realised == spun.realised == 0


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ([Piece(instrument=stock(NEW), cost_share=D("0.9"))], "must add up to 1"),
        ([Piece(instrument=replace(stock(NEW), currency=Currency("EUR")))], "is in EUR"),
    ],
)
def test_merger_that_loses_cost_is_refused(books: Books, pieces: list[Piece], why: str) -> None:
    with pytest.raises(ActionError, match=why):
        reorganised(books, head(), SPY, pieces)


@pytest.mark.parametrize(("settle", "long", "short"), [("0", "-500", "300"), ("7.5", "250", "-450")])
def test_option_expires_worthless_or_in_cash(facts: Any, settle: str, long: str, short: str) -> None:
    books = Books()
    books.apply(facts.defined(option("400", "C")))
    books.apply(facts.filled(1, "5", "a.01", ts=10, instrument_id=OPTION, multiplier="100"))
    books.apply(facts.filled(1, "3", "b.01", "pair:1", side=Side.SELL, ts=20, instrument_id=OPTION, multiplier="100"))
    book(books, expiry(books, head(), OPTION, D(settle)))
    for name, result in ((SMA, long), (PAIR, short)):
        held = books.book(name)
        assert [held.qty(OPTION), held.realised[USD], held.cash[USD], held.flows[USD]] == [
            D(0),
            D(result),
            D(result),
            D(0),
        ]


def test_future_settles_at_its_last_price_without_a_cash_leg(facts: Any) -> None:
    books = Books()
    books.apply(facts.defined(facts.instrument(SecurityType.FUTURE, "ES", multiplier="50")))
    books.apply(facts.filled(2, "5000", "a.01", ts=10, multiplier="50"))
    book(books, expiry(books, head(), SPY, D(5010)))
    assert [books.book(SMA).cash[USD], books.book(SMA).qty(SPY)] == [D(1000), D(0)]


@pytest.mark.parametrize(
    ("right", "side", "kind", "shares", "cash", "premium"),
    [
        ("C", Side.BUY, EntryKind.EXERCISE, "200", "-80000", "-1000"),
        ("P", Side.BUY, EntryKind.EXERCISE, "-200", "80000", "-1000"),
        ("C", Side.SELL, EntryKind.ASSIGNMENT, "-200", "80000", "1000"),
        ("P", Side.SELL, EntryKind.ASSIGNMENT, "200", "-80000", "1000"),
    ],
)
def test_exercise_trades_the_stock_at_the_strike_and_the_premium_stays_with_the_option(
    facts: Any, right: str, side: Side, kind: EntryKind, shares: str, cash: str, premium: str
) -> None:
    books = Books()
    contract = option("400", right)
    books.apply(facts.defined(contract))
    books.apply(facts.filled(2, "5", "a.01", side=side, ts=10, instrument_id=OPTION, multiplier="100"))
    paid = books.cash_total()[USD]
    entry = exercised(books, head(), contract, stock(SPY, "SPY"))
    assert entry.kind is kind
    book(books, entry)
    sma = books.book(SMA)
    assert [sma.qty(OPTION), sma.positions[OPTION].realised] == [D(0), D(premium)]
    assert [sma.qty(SPY), sma.positions[SPY].avg_px, sma.positions[SPY].realised] == [D(shares), D(400), D(0)]
    assert [sma.cash[USD] - paid, sma.flows[USD]] == [D(cash), D(0)]


def test_assignment_falls_on_the_shorts_by_their_size(facts: Any) -> None:
    books = Books()
    contract = option("400", "P")
    books.apply(facts.defined(contract))
    for number, (ref, qty) in enumerate((("sma:1", 5), ("pair:1", 2))):
        books.apply(
            facts.filled(qty, "5", f"{number}.01", ref, side=Side.SELL, ts=10, instrument_id=OPTION, multiplier="100")
        )
    parts = assigned_to(books, OPTION, D(4), 50)
    assert parts == {SMA: D(3), PAIR: D(1)}
    book(books, exercised(books, head(), contract, stock(SPY, "SPY"), parts))
    assert [books.book(SMA).qty(OPTION), books.book(PAIR).qty(OPTION)] == [D(-2), D(-1)]
    assert books.position_total(SPY) == 400
    with pytest.raises(ActionError, match="the books are short 3"):
        assigned_to(books, OPTION, D(4), 60)
    with pytest.raises(ActionError, match="pair does not hold 2 contracts"):
        exercised(books, head("e2", ts=60), contract, stock(SPY, "SPY"), {PAIR: D(2)})


def test_option_on_a_future_opens_the_future_without_cash(facts: Any) -> None:
    books = Books()
    contract = Contract(security_type=SecurityType.FUTURE_OPTION, symbol="ES", strike=D(5000), right="C")
    fop = Instrument(instrument_id=OPTION, contract=contract, local_symbol="O", currency=USD, multiplier=D(50))
    future = facts.instrument(SecurityType.FUTURE, "ES", multiplier="50")
    books.apply(facts.defined(fop))
    books.apply(facts.defined(future))
    books.apply(facts.filled(1, "20", "a.01", ts=10, instrument_id=OPTION, multiplier="50"))
    book(books, exercised(books, head(), fop, future))
    assert [books.book(SMA).qty(SPY), books.book(SMA).positions[SPY].avg_px] == [D(1), D(5000)]
    assert books.book(SMA).cash == {USD: D(-1000)}


@pytest.mark.parametrize("method", list(LotMethod))
@given(
    lots=st.lists(
        st.tuples(st.sampled_from(["sma:1", "pair:1", None]), st.integers(-30, 30), st.decimals("1", "99", places=2)),
        min_size=1,
        max_size=6,
    ),
    ratio=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    cash=st.decimals("0", "9", places=2),
)
def test_reorganisation_keeps_cost_cash_and_result_together(
    facts: Any,
    method: LotMethod,
    lots: list[tuple[str | None, int, Decimal]],
    ratio: tuple[int, int],
    cash: Decimal,
) -> None:
    books = Books(method)
    for number, (ref, qty, px) in enumerate(lots):
        side = Side.BUY if qty > 0 else Side.SELL
        books.apply(facts.filled(abs(qty), str(px), f"x{number}.01", ref, side=side, ts=number + 1))
    if not any(books.book(name).qty(SPY) for name in books.strategies()):
        return
    before = {name: books.book(name) for name in books.strategies()}
    total = books.position_total(SPY)
    piece = Piece(instrument=stock(NEW), new=ratio[0], old=ratio[1], cost_share=D("0.6"), px_in_lieu=D(17))
    book(books, reorganised(books, head(), SPY, [piece], cash_per_share=cash, cash_cost_share=D("0.4")))
    assert books.position_total(NEW) == int(total * ratio[0] / ratio[1])
    for name, was in before.items():
        now = books.book(name)
        assert now.qty(SPY) == 0
        assert now.flows.get(USD, D(0)) == 0
        cost = sum((each.cost for each in now.positions.values()), D(0))
        earned = now.realised.get(USD, D(0)) - was.realised.get(USD, D(0))
        paid = now.cash.get(USD, D(0)) - was.cash.get(USD, D(0))
        assert cost + paid - earned == sum((each.cost for each in was.positions.values()), D(0))
