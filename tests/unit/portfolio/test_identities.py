"""What must hold of books under any history: every kind of fact, several currencies, any order of arrival."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibfloor.model.entry import (
    INCOME_KINDS,
    BookEntry,
    CashLeg,
    EntryKind,
    Leg,
    PositionLeg,
    SettleLeg,
    SplitLeg,
    undone,
)
from ibfloor.model.fact import AnyFact, FeeReported, InstrumentDefined, OrderFilled
from ibfloor.model.ids import UNASSIGNED, ClientOrderId, ExecId, InstrumentId, StrategyId, exec_root
from ibfloor.model.instrument import Contract, Instrument, SecurityType
from ibfloor.model.lots import LotMethod
from ibfloor.model.marking import BooksMarked, MarkTaken, RateTaken
from ibfloor.model.money import USD, Currency, Money
from ibfloor.model.order import Side
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.figures import Figure
from ibfloor.portfolio.statement_bridge import base_bridge, currency_bridges
from ibfloor.portfolio.valuation import Mark, Rates, value, value_account
from ibfloor.portfolio.worth import ACCOUNT, merged, prices_of

D = Decimal
ZERO = D(0)
EUR, GBP = Currency("EUR"), Currency("GBP")
BOOKS = (StrategyId("sma"), StrategyId("pair"), UNASSIGNED)


def defined(number: int, kind: SecurityType, symbol: str, currency: Currency = USD, multiplier: int = 1) -> Instrument:
    return Instrument(
        instrument_id=InstrumentId(number),
        contract=Contract(security_type=kind, symbol=symbol, currency=currency),
        local_symbol=symbol,
        currency=currency,
        multiplier=D(multiplier),
    )


INSTRUMENTS = (
    defined(1, SecurityType.STOCK, "AAA"),
    defined(2, SecurityType.STOCK, "BBB", EUR),
    defined(3, SecurityType.FUTURE, "FFF", USD, 50),
    defined(4, SecurityType.OPTION, "AAA", GBP, 100),
    defined(5, SecurityType.FOREX, "EUR", USD),
)
BY_ID = {each.instrument_id: each for each in INSTRUMENTS}
PRICES = st.decimals("1", "200", places=2)
QUANTITIES = st.integers(-60, 60).filter(bool).map(D)
TIMES = st.integers(1, 9)
AN_INSTRUMENT = st.sampled_from(INSTRUMENTS)
A_BOOK = st.sampled_from(BOOKS)
MONEY = st.builds(Money, st.decimals("-500", "500", places=2).filter(bool), st.sampled_from([USD, EUR, GBP]))


@st.composite
def executions(draw: st.DrawFn) -> list[AnyFact]:
    """An execution with its corrections, the last of them perhaps a bust, and its fee, before or after."""
    number, instrument = draw(st.integers(0, 9)), draw(AN_INSTRUMENT)
    owner, ts_ns = draw(A_BOOK), draw(TIMES) * 10
    facts: list[AnyFact] = []
    for revision in range(1, draw(st.integers(1, 3)) + 1):
        qty = draw(QUANTITIES)
        is_bust = revision > 1 and draw(st.booleans())
        facts.append(
            OrderFilled(
                ts_event_ns=ts_ns + revision - 1,
                ts_init_ns=ts_ns,
                exec_id=ExecId(f"x{number}.0{revision}"),
                cl_ord_id=None if owner == UNASSIGNED else ClientOrderId(f"{owner}:{number}"),
                strategy=owner,
                instrument_id=instrument.instrument_id,
                side=Side.BUY if qty > 0 else Side.SELL,
                last_qty=ZERO if is_bust else abs(qty),
                last_px=draw(PRICES),
                currency=instrument.currency,
                multiplier=instrument.multiplier,
            )
        )
    if draw(st.booleans()):
        fee = Money(draw(st.decimals("0", "3", places=2)), draw(st.sampled_from([USD, EUR])))
        facts.append(FeeReported(ts_event_ns=ts_ns, ts_init_ns=ts_ns, exec_id=ExecId(f"x{number}.01"), fee=fee))
    return facts


@st.composite
def entries(draw: st.DrawFn) -> list[AnyFact]:
    """A book entry of any kind, and perhaps the one that reverses it."""
    kind = draw(st.sampled_from([*EntryKind, *[EntryKind.SPLIT] * 6, *[EntryKind.VARIATION] * 3]))
    legs: list[Leg] = []
    if kind is EntryKind.SPLIT:
        new, old = draw(st.sampled_from([(2, 1), (1, 2), (5, 4)]))
        legs += [SplitLeg(strategy=name, instrument_id=InstrumentId(draw(st.integers(1, 2))), new=new, old=old)
                 for name in BOOKS[:1]]  # fmt: skip
    elif kind is EntryKind.VARIATION:
        legs.append(SettleLeg(strategy=BOOKS[0], instrument_id=InstrumentId(3), px=draw(PRICES)))
    elif kind not in INCOME_KINDS:
        for _ in range(draw(st.integers(1, 3))):
            instrument = draw(st.sampled_from(INSTRUMENTS[:4]))
            legs.append(
                PositionLeg(
                    strategy=draw(A_BOOK),
                    instrument_id=instrument.instrument_id,
                    qty=draw(QUANTITIES),
                    px=draw(PRICES),
                    currency=instrument.currency,
                    multiplier=instrument.multiplier,
                    opened_ns=draw(st.sampled_from([0, 5, 25])),
                    lot=draw(st.sampled_from(["", "x1", "x2"])),
                )
            )
    if kind not in (EntryKind.SPLIT, EntryKind.VARIATION):
        legs += [CashLeg(strategy=draw(A_BOOK), amount=draw(MONEY)) for _ in range(draw(st.integers(1, 2)))]
    entry_id, ts_ns = f"e{draw(st.integers(0, 9))}", draw(TIMES) * 10
    made = BookEntry(
        ts_event_ns=ts_ns, ts_init_ns=ts_ns, entry_id=entry_id, kind=kind, legs=tuple(legs), reason="r", actor="a"
    )
    if not draw(st.booleans()):
        return [made]
    undo = msgspec.structs.replace(made, entry_id=f"{entry_id}u", legs=undone(made.legs), reverses=entry_id)
    return [made, undo]


def unique(groups: list[list[AnyFact]]) -> list[AnyFact]:
    """One group per id: two executions of one root would be corrections of each other."""
    found: dict[str, list[AnyFact]] = {}
    for group in groups:
        match group[0]:
            case OrderFilled() as fill:
                found[exec_root(fill.exec_id)[0]] = group
            case BookEntry() as entry:
                found[entry.entry_id] = group
    return [fact for group in found.values() for fact in group]


HISTORIES = st.lists(st.one_of(executions(), entries()), max_size=12).map(unique)
MARKS = st.tuples(*(PRICES for _ in INSTRUMENTS))
RATES = st.tuples(st.decimals("0.5", "2", places=4), st.decimals("0.5", "2", places=4))


def folded(facts: Iterable[AnyFact], method: LotMethod = LotMethod.FIFO) -> Books:
    books = Books(method)
    for instrument in INSTRUMENTS:
        books.apply(InstrumentDefined(ts_event_ns=0, ts_init_ns=0, instrument=instrument))
    for fact in facts:
        books.apply(fact)
    return books


def standing(history: Sequence[AnyFact]) -> tuple[list[tuple[int, OrderFilled]], dict[str, Money], list[BookEntry]]:
    """The plain truth: newest revisions at their first time, fees, and entries nobody reversed."""
    newest: dict[str, OrderFilled] = {}
    first: dict[str, int] = {}
    fees = {exec_root(fact.exec_id)[0]: fact.fee for fact in history if isinstance(fact, FeeReported)}
    gone = {fact.reverses for fact in history if isinstance(fact, BookEntry)}
    for fact in history:
        if isinstance(fact, OrderFilled):
            root = exec_root(fact.exec_id)[0]
            first[root] = min(first.get(root, fact.ts_event_ns), fact.ts_event_ns)
            if root not in newest or fact.exec_id > newest[root].exec_id:
                newest[root] = fact
    counted = [
        fact for fact in history if isinstance(fact, BookEntry) and not fact.reverses and fact.entry_id not in gone
    ]
    return [(first[root], fill) for root, fill in newest.items()], fees, counted


@settings(max_examples=60, deadline=None)
@given(HISTORIES, st.integers(0, 1 << 30), st.sampled_from(list(LotMethod)))
def test_order_of_arrival_repeats_and_looking_do_not_matter(
    history: list[AnyFact], seed: int, method: LotMethod
) -> None:
    once = folded(history, method)
    shuffled = [*history, *history]
    Random(seed).shuffle(shuffled)
    other = folded([], method)
    for fact in shuffled:
        other.apply(fact)
        other.digest()  # books are looked at all the time: that leaves no trace
    assert other.digest() == once.digest()


@settings(max_examples=60, deadline=None)
@given(HISTORIES)
def test_written_and_read_again_the_books_are_the_same(history: list[AnyFact]) -> None:
    written = [msgspec.msgpack.encode(fact) for fact in history]
    read = [msgspec.msgpack.decode(body, type=AnyFact) for body in written]
    assert folded(read).digest() == folded(history).digest()


@settings(max_examples=60, deadline=None)
@given(HISTORIES)
def test_books_add_up_to_the_account_per_instrument(history: list[AnyFact]) -> None:
    fills, _, counted = standing(history)
    for key in BY_ID:
        steps: list[tuple[int, int, Decimal, Decimal]] = [
            (ts_ns, 1, D(1), fill.last_qty * fill.side.sign) for ts_ns, fill in fills if fill.instrument_id == key
        ]
        for entry in sorted(counted, key=lambda each: each.entry_id):
            for leg in entry.legs:
                if not isinstance(leg, CashLeg) and leg.instrument_id == key:
                    is_split = isinstance(leg, SplitLeg)
                    ratio = D(leg.new) / leg.old if isinstance(leg, SplitLeg) else D(1)
                    qty = leg.qty if isinstance(leg, PositionLeg) else ZERO
                    steps.append((entry.ts_event_ns, 0, ratio if is_split else D(1), qty))
        held = ZERO
        for _, _, ratio, qty in sorted(steps, key=lambda step: step[:2]):  # entries of one time in their order
            held = held * ratio + qty
        assert folded(history).position_total(key) == held


@settings(max_examples=60, deadline=None)
@given(HISTORIES)
def test_books_add_up_to_the_account_per_currency(history: list[AnyFact]) -> None:
    fills, fees, counted = standing(history)
    cash = dict.fromkeys((USD, EUR, GBP), ZERO)
    for _, fill in fills:
        instrument = BY_ID[fill.instrument_id]
        signed = fill.last_qty * fill.side.sign
        if instrument.contract.security_type is not SecurityType.FUTURE:
            cash[instrument.currency] -= signed * fill.last_px * instrument.multiplier
        if instrument.contract.security_type is SecurityType.FOREX:
            cash[EUR] += signed
        fee = fees.get(exec_root(fill.exec_id)[0])
        if fee is not None:
            cash[fee.currency] -= fee.amount
    for leg in (leg for entry in counted for leg in entry.legs):
        if isinstance(leg, CashLeg):
            cash[leg.amount.currency] += leg.amount.amount
    books = folded(history)
    future = InstrumentId(3)
    held = [book.positions[future] for book in map(books.book, books.strategies()) if future in book.positions]
    variation = sum((position.realised + position.paid for position in held), ZERO)
    cash[USD] += variation
    ours = books.cash_total()
    assert {currency: ours.get(currency, ZERO) for currency in cash} == cash


@settings(max_examples=60, deadline=None)
@given(HISTORIES, MARKS, RATES)
def test_all_methods_have_the_same_equity_and_the_same_result(
    history: list[AnyFact], marks: tuple[Decimal, ...], rates: tuple[Decimal, Decimal]
) -> None:
    found = set()
    for method in LotMethod:
        books = folded(history, method)
        at = {key: Mark(px, 1, "test") for key, px in zip(BY_ID, marks, strict=True)}
        to_base = Rates(USD, {EUR: rates[0], GBP: rates[1]})
        account = value_account([value(books.book(name), at, to_base) for name in books.strategies()], at, to_base)
        assert account.equity is not None
        assert account.realised is not None
        assert account.unrealised is not None
        found.add((account.equity.quantize(D("1e-6")), (account.realised + account.unrealised).quantize(D("1e-6"))))
    assert len(found) == 1


@pytest.mark.parametrize("base", [USD, EUR])
@settings(max_examples=60, deadline=None)
@given(HISTORIES, st.integers(1, 10), MARKS, MARKS, RATES, RATES)
def test_every_step_of_equity_is_explained_in_any_base_currency(
    base: Currency,
    history: list[AnyFact],
    cut: int,
    marks_then: tuple[Decimal, ...],
    marks_now: tuple[Decimal, ...],
    rates_then: tuple[Decimal, Decimal],
    rates_now: tuple[Decimal, Decimal],
) -> None:
    earlier = folded([fact for fact in history if fact.ts_event_ns < cut * 10])
    later = folded(history)
    names = sorted({*earlier.strategies(), *later.strategies()})
    then, now = (marked(base, marks, rates) for marks, rates in ((marks_then, rates_then), (marks_now, rates_now)))
    pairs = [(earlier.book(name), later.book(name)) for name in names]
    whole = merged(ACCOUNT, (one for one, _ in pairs)), merged(ACCOUNT, (one for _, one in pairs))
    for opening, closing in (*pairs, whole):
        bridges = currency_bridges(opening, closing, then, now, closing.cash)
        bridge = base_bridge(bridges, then, now)
        assert all(each.unexplained.value == 0 for each in bridges)
        assert bridge.unexplained.value is not None
        assert abs(bridge.unexplained.value) < D("1e-15")
        by_rates = [amount(each.opening) * (amount(each.rate) - amount(then.rate(each.currency))) for each in bridges]
        assert bridge.fx_effect.value is not None
        assert abs(bridge.fx_effect.value - sum(by_rates, ZERO)) < D("1e-15")


def amount(figure: Figure) -> Decimal:
    assert figure.value is not None
    return figure.value


def marked(base: Currency, marks: tuple[Decimal, ...], rates: tuple[Decimal, Decimal]) -> Any:
    others = [each for each in (USD, EUR, GBP) if each != base]
    fact = BooksMarked(
        ts_event_ns=1,
        ts_init_ns=1,
        base=base,
        marks=tuple(MarkTaken(key, px, 1, "test") for key, px in zip(BY_ID, marks, strict=True)),
        rates=tuple(RateTaken(each, rate, 1, "test") for each, rate in zip(others, rates, strict=True)),
    )
    return prices_of(fact, base, BY_ID)


@settings(max_examples=30, deadline=None)
@given(HISTORIES, RATES)
def test_a_missing_rate_is_never_one(history: list[AnyFact], rates: tuple[Decimal, Decimal]) -> None:
    books = folded(history)
    at = {key: Mark(D(10), 1, "test") for key in BY_ID}
    for name in books.strategies():
        book = books.book(name)
        lacking = value(book, at, Rates(USD, {EUR: rates[0]}))
        complete = value(book, at, Rates(USD, {EUR: rates[0], GBP: rates[1]}))
        assert lacking.cash == (None if book.cash.get(GBP) else complete.cash)
        assert lacking.realised == (None if book.realised.get(GBP) else complete.realised)
