"""The books' identities, under any history and any order of arrival."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ibfloor.model.fact import AnyFact, OrderFilled
from ibfloor.model.ids import InstrumentId, exec_root
from ibfloor.model.instrument import SecurityType
from ibfloor.model.money import USD
from ibfloor.model.order import Side
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.valuation import Mark, Rates, value, value_account

D = Decimal
STOCK, FUTURE = 11, 22
RATES = Rates(USD)

PRICES = st.decimals("1", "200", places=2)
EXECUTIONS = st.lists(
    st.tuples(
        st.sampled_from(["sma:1", "sma:2", "pair:1", None]),
        st.sampled_from([STOCK, FUTURE]),
        st.sampled_from(list(Side)),
        st.integers(1, 60),
        PRICES,
        st.integers(1, 5),  # time, so that some coincide
        st.integers(1, 3),  # how many revisions it has
        st.one_of(st.none(), st.decimals("0", "3", places=2)),
    ),
    max_size=12,
)
MOVES = st.lists(st.tuples(st.sampled_from(["sma", "pair", "UNASSIGNED"]), st.integers(-40, 40), PRICES), max_size=4)


def stream_of(facts: Any, executions: Sequence[tuple[Any, ...]], moves: Sequence[tuple[Any, ...]]) -> list[AnyFact]:
    stream: list[AnyFact] = [
        facts.defined(facts.instrument(instrument_id=STOCK)),
        facts.defined(facts.instrument(SecurityType.FUTURE, "ES", instrument_id=FUTURE, multiplier="50")),
    ]
    for number, (ref, key, side, qty, px, ts, revisions, fee) in enumerate(executions):
        stream += [
            facts.filled(
                qty + revision - 1,
                str(px),
                f"x{number}.0{revision}",
                ref,
                side=side,
                ts=ts * 10 + revision,
                instrument_id=key,
                multiplier="50" if key == FUTURE else "1",
            )
            for revision in range(1, revisions + 1)
        ]
        if fee is not None:
            stream.append(facts.fee(f"x{number}.01", str(fee)))
    return stream + [facts.cash(str(qty * 10), strategy=strategy, ts=5) for strategy, qty, _ in moves]


def folded(stream: Sequence[AnyFact]) -> Books:
    books = Books()
    for fact in stream:
        books.apply(fact)
    return books


def newest(stream: Sequence[AnyFact]) -> list[OrderFilled]:
    found: dict[str, OrderFilled] = {}
    for fact in stream:
        if isinstance(fact, OrderFilled):
            found[exec_root(fact.exec_id)[0]] = fact
    return list(found.values())


@given(executions=EXECUTIONS, moves=MOVES, seed=st.integers(0, 1 << 30))
def test_order_of_arrival_and_repeats_do_not_matter(
    facts: Any, executions: list[tuple[Any, ...]], moves: list[tuple[Any, ...]], seed: int
) -> None:
    stream = stream_of(facts, executions, moves)
    once = folded(stream)
    shuffled = [*stream, *(fact for fact in stream if isinstance(fact, OrderFilled))]
    Random(seed).shuffle(shuffled)
    other = folded(shuffled)
    assert other.digest() == once.digest() == folded(stream).digest()
    assert other.fees_pending == once.fees_pending


@given(executions=EXECUTIONS, moves=MOVES)
def test_books_sum_to_the_executions_per_instrument_and_currency(
    facts: Any, executions: list[tuple[Any, ...]], moves: list[tuple[Any, ...]]
) -> None:
    stream = stream_of(facts, executions, moves)
    books = folded(stream)
    fills = newest(stream)
    for key in (STOCK, FUTURE):
        traded = sum((fill.last_qty * fill.side.sign for fill in fills if fill.instrument_id == key), D(0))
        assert books.position_total(InstrumentId(key)) == traded
    paid = sum((fill.last_qty * fill.side.sign * fill.last_px for fill in fills if fill.instrument_id == STOCK), D(0))
    fees = sum((fee for *_, fee in executions if fee is not None), D(0))
    put_in = sum((D(qty * 10) for _, qty, _ in moves), D(0))
    variation = sum(
        (
            books.book(name).positions[InstrumentId(FUTURE)].realised
            for name in books.strategies()
            if InstrumentId(FUTURE) in books.book(name).positions
        ),
        D(0),
    )
    assert books.cash_total().get(USD, D(0)) == put_in - paid - fees + variation


@given(executions=EXECUTIONS, moves=MOVES, stock_px=PRICES, future_px=PRICES)
def test_equity_is_flows_plus_realised_plus_unrealised_less_fees(
    facts: Any,
    executions: list[tuple[Any, ...]],
    moves: list[tuple[Any, ...]],
    stock_px: Decimal,
    future_px: Decimal,
) -> None:
    stream = stream_of(facts, executions, moves)
    for strategy, qty, px in moves:
        stream.append(facts.moved(qty, str(px), strategy=strategy, ts=7))
    books = folded(stream)
    marks = {
        InstrumentId(key): Mark(px, 1, "test")
        for key, px in ((STOCK, stock_px), (FUTURE, future_px), (756733, stock_px))
    }
    valuations = [value(books.book(name), marks, RATES) for name in books.strategies()]
    for each in (*valuations, value_account(valuations, marks, RATES)):
        assert each.pnl is not None
        assert each.flows is not None
        assert each.equity == each.flows + each.pnl


@given(executions=EXECUTIONS, moves=MOVES)
def test_every_single_correction_leaves_what_a_clean_history_would(
    facts: Any, executions: list[tuple[Any, ...]], moves: list[tuple[Any, ...]]
) -> None:
    stream = stream_of(facts, executions, moves)
    last = {fill.exec_id for fill in newest(stream)}
    books = folded(stream)
    clean = folded([fact for fact in stream if not isinstance(fact, OrderFilled) or fact.exec_id in last])
    for name in {*books.strategies(), *clean.strategies()}:
        ours, theirs = books.book(name), clean.book(name)
        assert {key: each.qty for key, each in ours.positions.items()} == {
            key: each.qty for key, each in theirs.positions.items()
        }
        assert (ours.fees, ours.fills) == (theirs.fees, theirs.fills)


@given(executions=EXECUTIONS, moves=MOVES)
def test_account_cash_is_that_of_one_book_with_all_the_executions(
    facts: Any, executions: list[tuple[Any, ...]], moves: list[tuple[Any, ...]]
) -> None:
    stream = stream_of(facts, executions, moves)
    one_book = folded([replace(fact, strategy="one") if isinstance(fact, OrderFilled) else fact for fact in stream])
    assert folded(stream).account_cash() == one_book.account_cash()
