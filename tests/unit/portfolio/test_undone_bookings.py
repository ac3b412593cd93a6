"""A booking that is undone leaves peak, drawdown and the day's result as if it had never been."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ibfloor.model.entry import BookEntry, CashLeg, EntryKind, Leg, PositionLeg, SplitLeg, undone
from ibfloor.model.fact import DayOpened, Reconciled
from ibfloor.model.highs import STEPS_KEPT, Booked
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.money import USD, Money
from ibfloor.model.risk_fact import PeakReached
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.entry_effects import booked_since
from ibfloor.portfolio.performance import Performance, advance, resumed
from ibfloor.portfolio.valuation import Mark, Rates, value
from ibfloor.risk.losses import LossBook, losses_of

D = Decimal
SMA = StrategyId("sma")
SPY, NEW = InstrumentId(756733), InstrumentId(9)
RATES = Rates(USD)
_Told = TypeVar("_Told", DayOpened, Reconciled, PeakReached)


def entry(number: int, kind: EntryKind, *legs: Leg) -> BookEntry:
    return BookEntry(
        ts_event_ns=number, ts_init_ns=number, entry_id=f"e{number}", kind=kind, legs=legs, reason="slip", actor="ann"
    )


def undo(original: BookEntry) -> BookEntry:
    return replace(original, entry_id=f"{original.entry_id}-", legs=undone(original.legs), reverses=original.entry_id)


def again(fact: _Told) -> _Told:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(fact), type=type(fact))


class Life:
    """A book that trades, its account's curve and its loss guard's; and all that ever happened, to be told anew."""

    def __init__(self) -> None:
        self.books = Books()
        self.traded = D(0)
        self.day = 1
        self.entries: list[BookEntry] = []
        self.undone: set[str] = set()
        self.seen: list[tuple[int, Decimal, frozenset[str]]] = []
        """Every look: the day, what trades had earned, and the bookings that were in the books."""
        self.curve: Performance | None = None
        self.guard = LossBook(None)
        self.known: PeakReached | None = None
        self.look()

    def trade(self, amount: int) -> None:
        self.traded += amount

    def book(self, kind: EntryKind, amount: int) -> None:
        leg = CashLeg(strategy=SMA, amount=Money(D(amount), USD))
        self.entries.append(entry(len(self.entries), kind, leg))
        self.books.apply(self.entries[-1])

    def undo(self, which: int) -> None:
        left = [each for each in self.entries if each.entry_id not in self.undone]
        if left:
            original = left[which % len(left)]
            self.undone.add(original.entry_id)
            self.books.apply(undo(original))

    def look(self) -> None:
        def booked(seen: int) -> Booked:
            return booked_since(self.books, None, seen, {}, RATES)

        there = {each.entry_id for each in self.entries} - self.undone
        self.seen.append((self.day, self.traded, frozenset(there)))
        worth = value(self.books.book(SMA), {}, RATES)
        assert worth.cash is not None
        assert worth.pnl is not None
        equity = D(100_000) + worth.cash + self.traded
        self.curve = advance(self.curve, str(self.day), equity, worth.flows_by, RATES, booked)
        entries = booked_since(self.books, SMA, self.guard.entries, {}, RATES)
        self.guard.advance(str(self.day), worth.pnl + self.traded, entries)
        self.known = self.guard.due(SMA, D("0.01"), 1) or self.known

    def restart(self) -> None:
        self.look()
        curve = self.curve
        assert curve is not None
        assert self.known is not None
        opened = DayOpened(
            ts_event_ns=1, ts_init_ns=1, day=curve.day, equity=curve.anchor, flows=curve.flows, currency=USD
        )
        told = Reconciled(
            ts_event_ns=1,
            ts_init_ns=1,
            positions=0,
            breaks=0,
            unknown_orders=0,
            equity=curve.equity,
            peak=curve.peak,
            flows=curve.flows,
            flows_by=curve.moneys,
            highs=curve.highs,
        )
        self.curve = resumed(again(opened), again(told))
        self.guard = LossBook(again(self.known))

    def expected(self) -> tuple[Decimal, Decimal]:
        """Return drawdown and the day's result of the history without what was undone."""
        kinds = {each.entry_id: each for each in self.entries}

        def result(traded: Decimal, there: frozenset[str]) -> Decimal:
            real = [kinds[name] for name in there - self.undone if kinds[name].kind is not EntryKind.DEPOSIT]
            legs = [leg for each in real for leg in each.legs if isinstance(leg, CashLeg)]
            return traded + sum((leg.amount.amount for leg in legs), D(0))

        results = [(day, result(traded, there)) for day, traded, there in self.seen]
        before = [each for day, each in results if day < self.day]
        now = results[-1][1]
        return max(each for _, each in results) - now, now - (before[-1] if before else results[0][1])


AMOUNTS = st.integers(-5_000, 5_000)
KINDS = st.sampled_from([EntryKind.DIVIDEND, EntryKind.CHARGE, EntryKind.DEPOSIT])
STEPS = st.one_of(
    st.tuples(st.just("trade"), AMOUNTS),
    st.tuples(st.just("book"), KINDS, AMOUNTS),
    st.tuples(st.just("undo"), st.integers(0, 5)),
    st.tuples(st.sampled_from(["look", "day", "restart"])),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=25), st.booleans())
def test_undone_bookings_leave_no_trace_in_peaks_and_days(steps: list[Any], looks_always: bool) -> None:
    life = Life()
    for name, *args in steps:
        if name == "day":
            life.look()
            life.day += 1
        else:
            getattr(life, name)(*args)
        if looks_always:
            life.look()
    life.look()
    drawdown, of_day = life.expected()
    assert life.curve is not None
    assert life.guard.mark is not None
    assert (life.curve.drawdown, life.curve.day_pnl) == (drawdown, of_day)
    losses = losses_of(life.guard.mark)
    assert (losses.from_peak, losses.of_day) == (drawdown, max(-of_day, D(0)))


def test_booking_on_a_way_down_hides_no_older_peak() -> None:
    life = Life()
    for earned in (100, -60):
        life.trade(earned)
        life.look()
    life.book(EntryKind.DIVIDEND, 5_000)
    life.look()
    life.undo(0)
    life.look()
    assert life.curve is not None
    assert (life.curve.drawdown, life.curve.peak) == (D(60), D(100_100))


def test_only_so_many_bookings_are_kept_apart_and_older_ones_are_undone_whole() -> None:
    life = Life()
    for _ in range(STEPS_KEPT + 5):
        life.book(EntryKind.DIVIDEND, 10)
        life.look()
    assert life.curve is not None
    assert len(life.curve.highs.steps) == STEPS_KEPT
    life.undo(0)
    life.look()
    assert life.curve.drawdown == 0


def position(qty: str, px: str, instrument_id: InstrumentId = SPY) -> PositionLeg:
    return PositionLeg(strategy=SMA, instrument_id=instrument_id, qty=D(qty), px=D(px), currency=USD)


@pytest.mark.parametrize(
    "wrong",
    [
        entry(9, EntryKind.MERGER, position("-100", "100"), position("50", "200", NEW)),
        entry(9, EntryKind.SPLIT, SplitLeg(strategy=SMA, instrument_id=SPY, new=3, old=1)),
        entry(9, EntryKind.ADJUSTMENT, position("40", "90")),
        entry(9, EntryKind.DIVIDEND, CashLeg(strategy=SMA, amount=Money(D(5_000), USD))),
    ],
    ids=lambda each: each.kind.lower(),
)
@pytest.mark.parametrize("is_split_later", [False, True])
def test_what_an_undone_entry_had_added_is_told_to_the_cent(facts: Any, wrong: BookEntry, is_split_later: bool) -> None:
    books, marks = Books(), {SPY: Mark(D(101), 1, "mid"), NEW: Mark(D("230.5"), 1, "mid")}
    books.apply(facts.filled(100, "100", "a.01", None, ts=1))

    def results() -> tuple[Decimal, Decimal]:
        worth = value(books.book(StrategyId("UNASSIGNED")), marks, RATES)
        own = value(books.book(SMA), marks, RATES)
        assert own.pnl is not None
        assert worth.equity is not None
        assert own.equity is not None
        assert worth.flows is not None
        assert own.flows is not None
        return own.pnl, own.equity + worth.equity - own.flows - worth.flows

    books.apply(entry(2, EntryKind.ADJUSTMENT, position("100", "100")))
    books.apply(wrong)
    if is_split_later:
        books.apply(entry(20, EntryKind.SPLIT, SplitLeg(strategy=SMA, instrument_id=SPY, new=2, old=1)))
    before, count = results(), len(books.entries)
    books.apply(undo(wrong))
    after, digest = results(), books.digest()
    assert before != after
    for strategy, then, now in zip((SMA, None), before, after, strict=True):
        (change,) = booked_since(books, strategy, count, marks, RATES).changes
        assert change.added == then - now
    assert books.digest() == digest, "looking at it left nothing"
