"""Which lot goes first decides what is realised when, and never how much in the end."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibfloor.model.entry import BookEntry, EntryKind, PositionLeg, SplitLeg
from ibfloor.model.ids import UNASSIGNED, InstrumentId, StrategyId
from ibfloor.model.lots import LotMethod
from ibfloor.model.money import USD
from ibfloor.model.order import Side
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.lots import OpenLots
from ibfloor.portfolio.position import Position

D = Decimal
SPY = InstrumentId(756733)
SMA = StrategyId("sma")


def traded(method: LotMethod, *trades: tuple[int, str]) -> tuple[OpenLots, Decimal]:
    lots, realised = OpenLots(method), D(0)
    for number, (change, px) in enumerate(trades):
        realised += lots.trade(D(change), change * D(px), number, f"t{number}")
    return lots, realised


@pytest.mark.parametrize(
    ("method", "realised", "left"),
    [
        (LotMethod.FIFO, "500", [("t1", "50", "600"), ("t2", "100", "1400")]),
        (LotMethod.LIFO, "100", [("t0", "100", "1000"), ("t1", "50", "600")]),
        (LotMethod.AVERAGE, "300", [("t0", "150", "1800")]),
    ],
)
def test_sale_closes_lots_by_the_accounts_method(
    method: LotMethod, realised: str, left: list[tuple[str, str, str]]
) -> None:
    lots, earned = traded(method, (100, "10"), (100, "12"), (100, "14"), (-150, "14"))
    assert earned == D(realised)
    assert [(lot.source, lot.qty, lot.cost) for lot in lots.lots] == [
        (source, D(qty), D(cost)) for source, qty, cost in left
    ]


def test_what_goes_through_zero_closes_every_lot_and_opens_one() -> None:
    lots, earned = traded(LotMethod.FIFO, (-10, "10"), (-10, "12"), (50, "11"))
    assert earned == D(0)
    assert [(lot.qty, lot.cost, lot.opened_ns) for lot in lots.lots] == [(D(30), D(330), 2)]


def test_chosen_lot_leaves_first_and_an_old_one_keeps_its_age(facts: Any) -> None:
    books = Books()
    for number, px in enumerate(("10", "12", "14"), start=1):
        books.apply(facts.filled(10, px, f"x{number}.01", None, ts=number))
    leg = PositionLeg(strategy=UNASSIGNED, instrument_id=SPY, qty=D(-10), px=D(12), currency=USD, lot="x2")
    to = PositionLeg(strategy=SMA, instrument_id=SPY, qty=D(10), px=D(12), currency=USD, opened_ns=2)
    books.apply(facts.filled(10, "15", "mine.01", ts=3))
    books.apply(
        BookEntry(
            ts_event_ns=9, ts_init_ns=9, entry_id="e", kind=EntryKind.TRANSFER, legs=(leg, to), reason="r", actor="a"
        )
    )
    assert [lot.source for lot in position(books, UNASSIGNED).lots] == ["x1", "x3"]
    assert [(lot.opened_ns, lot.source) for lot in position(books, SMA).lots] == [(2, "e#00001"), (3, "mine")]
    books.apply(facts.filled(4, "16", "out.01", side=Side.SELL, ts=10))
    held = position(books, SMA)
    assert [(held.px_of(lot), lot.qty) for lot in held.lots] == [(D(12), D(6)), (D(15), D(10))]


def test_split_of_thirds_keeps_every_share_and_the_cost(facts: Any) -> None:
    books = Books()
    for number, qty in enumerate((100, 100, 101), start=1):
        books.apply(facts.filled(qty, "9", f"x{number}.01", ts=number))
    split = SplitLeg(strategy=SMA, instrument_id=SPY, new=1, old=3)
    books.apply(
        BookEntry(ts_event_ns=9, ts_init_ns=9, entry_id="s", kind=EntryKind.SPLIT, legs=(split,), reason="r", actor="a")
    )
    held = position(books, SMA)
    assert held.qty == D("100.3333333333") == sum(lot.qty for lot in held.lots)
    assert held.cost == D(2709) == sum(lot.cost for lot in held.lots)


TRADES = st.lists(st.tuples(st.integers(-50, 50), st.decimals("0.01", "500", places=2)), max_size=30)


@given(TRADES, st.decimals("0.01", "500", places=2))
def test_all_methods_earn_the_same_in_all(trades: list[tuple[int, Decimal]], mark: Decimal) -> None:
    totals, quantities = set(), set()
    for method in LotMethod:
        lots, realised = traded(method, *((change, str(px)) for change, px in trades))
        totals.add(realised + lots.qty * mark - lots.cost)
        quantities.add(lots.qty)
        assert lots.cost - realised == sum((change * px for change, px in trades), D(0))
        assert (lots.qty, lots.cost) == (sum(lot.qty for lot in lots.lots), sum(lot.cost for lot in lots.lots))
        assert all((lot.qty > 0) == (lots.qty > 0) for lot in lots.lots)
        assert len(lots.lots) <= 1 or method is not LotMethod.AVERAGE
    assert len(totals) == len(quantities) == 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 20), st.booleans()), min_size=1, max_size=60), st.data())
def test_kept_folds_change_nothing(facts: Any, trades: list[tuple[int, bool]], data: st.DataObject) -> None:
    """A long history, so that folds are kept, then late ones anywhere in it."""
    fills = [
        facts.filled(qty, str(qty), f"x{number}.01", side=Side.BUY if is_buy else Side.SELL, ts=number + 1)
        for number, (qty, is_buy) in enumerate(trades * 40)
    ]
    late = data.draw(st.sets(st.integers(0, len(fills) - 1), max_size=4))
    books, clean = Books(), Books()
    for number, fill in enumerate(fills):
        if number not in late:
            books.apply(fill)
        clean.apply(fill)
    books.book(SMA)
    for number in late:
        books.apply(fills[number])
        books.book(SMA)
    assert books.digest() == clean.digest()


def position(books: Books, strategy: StrategyId) -> Position:
    return books.book(strategy).positions[SPY]
