"""Equity curve, performance and statement of one minute: brokers stamp whole seconds, and what they tell comes late."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibfloor.model.capital import CapitalAllocated
from ibfloor.model.entry import BookEntry, EntryKind, SplitLeg
from ibfloor.model.fact import AnyFact, CashMoved, FeeReported, InstrumentDefined, OrderFilled
from ibfloor.model.ids import UNASSIGNED, ExecId, InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument, Stock
from ibfloor.model.lots import LotMethod
from ibfloor.model.marking import TRADED, BooksMarked, MarkTaken
from ibfloor.model.moment import NS_PER_MINUTE, NS_PER_S
from ibfloor.model.money import USD, Money
from ibfloor.model.order import Side
from ibfloor.portfolio.chronicle import chronicle, day_bounds
from ibfloor.portfolio.curve import curve_points
from ibfloor.portfolio.figures import Figure
from ibfloor.portfolio.statement import Statement, statements
from ibfloor.portfolio.track import Track, tracks
from ibfloor.portfolio.worth import ACCOUNT

NEW_YORK = ZoneInfo("America/New_York")
DAY, NEXT_DAY = "2026-03-03", "2026-03-04"
TEN = day_bounds(DAY, NEW_YORK)[0] + 10 * 60 * NS_PER_MINUTE
SPY, KO, PEP = (InstrumentId(key) for key in (1, 2, 3))
NAMES = {SPY: "SPY", KO: "KO", PEP: "PEP"}
ALPHA, BETA = StrategyId("alpha"), StrategyId("beta")
MS = NS_PER_S // 1000
INSTRUMENTS: list[AnyFact] = [
    InstrumentDefined(
        ts_event_ns=1,
        ts_init_ns=1,
        instrument=Instrument(instrument_id=key, contract=Stock(name), local_symbol=name, currency=USD),
    )
    for key, name in NAMES.items()
]
OPENING = [
    *INSTRUMENTS,
    *(
        CashMoved(
            ts_event_ns=TEN - NS_PER_S,
            ts_init_ns=TEN - NS_PER_S,
            strategy=name,
            amount=Money(Decimal(10_000), USD),
            reason="opening balance",
        )
        for name in (UNASSIGNED, ALPHA, BETA)
    ),
]


def cash(ts_ns: int) -> CashMoved:
    return CashMoved(
        ts_event_ns=ts_ns, ts_init_ns=ts_ns, strategy=ALPHA, amount=Money(Decimal(500), USD), reason="deposit"
    )


def fill(ts_ns: int, key: InstrumentId, px: str, *, told_ns: int = 0, qty: int = 10, by: StrategyId = ALPHA) -> AnyFact:
    return OrderFilled(
        ts_event_ns=ts_ns,
        ts_init_ns=told_ns or ts_ns + 40 * MS,
        exec_id=ExecId(f"{by}{key}x{ts_ns}x{qty}.01"),
        cl_ord_id=None,
        strategy=by,
        instrument_id=key,
        side=Side.BUY if qty > 0 else Side.SELL,
        last_qty=Decimal(abs(qty)),
        last_px=Decimal(px),
        currency=USD,
    )


def marked(ts_ns: int, **px: str) -> BooksMarked:
    keys = {name: key for key, name in NAMES.items()}
    marks = tuple(MarkTaken(keys[name], Decimal(text), ts_ns, "mid") for name, text in px.items())
    return BooksMarked(ts_event_ns=ts_ns, ts_init_ns=ts_ns, base=USD, marks=marks)


def performance(journal: Sequence[AnyFact]) -> dict[StrategyId, Track]:
    return tracks(chronicle(journal, NEW_YORK), NEW_YORK)


def stated(journal: Sequence[AnyFact], day: str = DAY) -> dict[StrategyId, Statement]:
    return statements(chronicle(journal, NEW_YORK), day, NEW_YORK)


def equity(journal: Sequence[AnyFact]) -> dict[StrategyId, float]:
    """Of every book, at the last marks."""
    return {point.book: point.equity for point in curve_points(journal, LotMethod.FIFO)}


def assert_all_agree(journal: Sequence[AnyFact]) -> None:
    """Compare the three at every minute of a journal, asking at once and again right before the next one."""
    ends = [index + 1 for index, fact in enumerate(journal) if isinstance(fact, BooksMarked)]
    for end in ends[1:]:
        so_far = journal[:end]
        shown, told, record = equity(so_far), stated(so_far), performance(so_far)
        assert shown
        for book, amount in shown.items():
            assert math.isfinite(amount), book
            assert told[book].bridge.closing == record[book].bridge.closing, (book, end)
            assert float(record[book].bridge.closing.value or 0) == amount, (book, end)
            assert record[book].time_weighted.value is not None
        until = next((each - 1 for each in ends if each > end), len(journal))
        asked_later = performance(journal[:until])
        for book, amount in shown.items():
            assert float(asked_later[book].bridge.closing.value or 0) == amount, (book, end)
            assert asked_later[book].time_weighted.value is not None
        assert all(each.bridge.closing.value is not None for each in stated(journal[:until]).values())


# The floor's first minute is 10:00:00.05; the next one is marked at 10:01:00.03.
FIRST, MARK = marked(TEN + 50 * MS), TEN + NS_PER_MINUTE + 30 * MS
ON_THE_MINUTE = TEN + NS_PER_MINUTE


@pytest.mark.parametrize(
    "fills_first",
    [
        pytest.param(False, id="told just after the mark and stamped before it"),
        pytest.param(True, id="told just before the mark"),
    ],
)
def test_fill_stamped_on_the_whole_second_counts_where_the_journal_has_it(fills_first: bool) -> None:
    fills = [fill(ON_THE_MINUTE, SPY, "500"), fill(ON_THE_MINUTE, KO, "60", by=BETA)]
    mark = marked(MARK, SPY="501", KO="61") if fills_first else marked(MARK)
    middle = [*fills, mark] if fills_first else [mark, *fills]
    journal = [*OPENING, FIRST, *middle, marked(MARK + NS_PER_MINUTE, SPY="502", KO="62")]
    assert_all_agree(journal)
    assert equity(journal)[ALPHA] == 10_020
    assert [each.ts_ns for each in stated(journal)[ALPHA].executions] == [ON_THE_MINUTE], "shown when it happened"


def test_fill_stamped_after_the_mark_that_knew_of_it_counts_in_it() -> None:
    journal = [*OPENING, FIRST, fill(MARK + 5 * MS, SPY, "500", told_ns=MARK - MS), marked(MARK, SPY="501")]
    assert_all_agree(journal)
    assert performance(journal)[ALPHA].costs.executions == 1


def test_fee_told_after_the_mark_counts_after_it_and_stays_with_its_execution() -> None:
    bought = fill(ON_THE_MINUTE - NS_PER_S, SPY, "500")
    assert isinstance(bought, OrderFilled)
    told_ns = MARK + 9 * MS
    fee = FeeReported(ts_event_ns=told_ns, ts_init_ns=told_ns, exec_id=bought.exec_id, fee=Money(Decimal(2), USD))
    journal = [*OPENING, FIRST, bought, marked(MARK, SPY="501"), fee, marked(MARK + NS_PER_MINUTE, SPY="502")]
    assert_all_agree(journal)
    assert performance(journal)[ALPHA].costs.fees == Figure(Decimal(2))


def test_what_came_in_after_the_last_mark_counts_at_its_own_price_and_says_so() -> None:
    journal = [
        *OPENING,
        FIRST,
        marked(MARK),
        fill(MARK + 9 * NS_PER_S, SPY, "500"),
        fill(MARK + 10 * NS_PER_S, SPY, "503"),
    ]
    made = stated(journal)[ALPHA]
    assert made.bridge.closing == Figure(Decimal(10_030))
    (held,) = made.positions
    assert (held.mark, held.mark_source, held.mark_ts_ns) == (Figure(Decimal(503)), TRADED, MARK + 10 * NS_PER_S)


@pytest.mark.parametrize("kind", ["deposit", "capital"])
def test_money_that_comes_between_a_fill_and_its_first_mark_loses_no_figure(kind: str) -> None:
    ts_ns = MARK + 20 * NS_PER_S
    allocated = CapitalAllocated(
        ts_event_ns=ts_ns, ts_init_ns=ts_ns, strategy=ALPHA, amount=Decimal(20_000), currency=USD, reason="rule"
    )
    came: AnyFact = cash(ts_ns) if kind == "deposit" else allocated
    journal = [
        *OPENING,
        FIRST,
        marked(MARK),
        fill(MARK + NS_PER_S, KO, "60"),
        came,
        marked(MARK + NS_PER_MINUTE, KO="66"),
    ]
    record = performance(journal)[ALPHA]
    growth = 1 + Decimal(60) / (10_500 if kind == "deposit" else 20_000)
    assert record.time_weighted == Figure(growth - 1)
    assert_all_agree(journal)


def test_price_of_long_before_or_of_before_a_split_is_no_price() -> None:
    bought = fill(ON_THE_MINUTE, SPY, "500")
    later = MARK + 5 * NS_PER_MINUTE
    blind = [*OPENING, FIRST, bought, marked(MARK), marked(later)]
    assert stated(blind)[ALPHA].bridge.closing == Figure(None, "no price of SPY")
    split = BookEntry(
        ts_event_ns=later,
        ts_init_ns=later,
        entry_id="s",
        kind=EntryKind.SPLIT,
        legs=(SplitLeg(strategy=ALPHA, instrument_id=SPY, new=2, old=1),),
        reason="2 for 1",
        actor="ann",
    )
    assert stated([*OPENING, FIRST, marked(MARK), fill(MARK + NS_PER_S, SPY, "500"), split])[
        ALPHA
    ].bridge.closing == Figure(None, "no price of SPY")


def test_what_is_told_on_a_later_day_is_put_right_in_its_own() -> None:
    end_ns = day_bounds(DAY, NEW_YORK)[1]
    late = fill(end_ns - 30 * NS_PER_S, SPY, "500", told_ns=end_ns + 600 * NS_PER_S)
    journal = [*OPENING, FIRST, marked(end_ns - 10 * NS_PER_S), marked(end_ns + 60 * NS_PER_S), late]
    journal.append(marked(end_ns + 900 * NS_PER_S, SPY="501"))
    made = stated(journal)[ALPHA]
    assert [each.ts_ns for each in made.executions] == [end_ns - 30 * NS_PER_S]
    assert made.bridge.closing == Figure(Decimal(10_000))
    assert not stated(journal, NEXT_DAY)[ALPHA].executions


def test_every_reason_is_said_once_however_many_days_and_instruments() -> None:
    journal: list[AnyFact] = [*OPENING, FIRST]
    for number, key in enumerate((KO, SPY, PEP)):
        journal.append(fill(TEN + (2 + number * 24 * 60) * NS_PER_MINUTE, key, "50"))
        journal.append(marked(TEN + (5 + number * 24 * 60) * NS_PER_MINUTE))
    assert performance(journal)[ACCOUNT].time_weighted == Figure(None, "no price of KO, SPY, PEP")
    assert performance(journal)[ACCOUNT].bridge.closing == Figure(None, "no price of SPY, KO, PEP")


@st.composite
def journals(draw: st.DrawFn) -> list[AnyFact]:
    """A quarter of an hour of trading: marks know what the journal had before them, stamps are of whole seconds."""
    px = {key: Decimal(100 + key) for key in NAMES}
    held: set[InstrumentId] = set()
    facts: list[AnyFact] = [*OPENING, FIRST]
    for minute in range(1, draw(st.integers(2, 5)) + 1):
        mark_ns = TEN + minute * NS_PER_MINUTE + draw(st.integers(1, 60)) * MS
        for number in range(draw(st.integers(0, 3))):
            key, second = draw(st.sampled_from(sorted(NAMES))), draw(st.integers(-59, 1))
            stamp = TEN + minute * NS_PER_MINUTE + second * NS_PER_S
            qty, by = draw(st.integers(-5, 5).filter(bool)), draw(st.sampled_from((ALPHA, BETA)))
            px[key] += draw(st.integers(-3, 3))
            if not (draw(st.booleans()) and second >= 0):
                facts.append(fill(stamp, key, str(px[key]), qty=qty * 10 + number, by=by))
                held.add(key)
                continue
            facts.append(marked(mark_ns, **{NAMES[each]: str(px[each]) for each in held}))
            mark_ns += 2
            facts.append(fill(stamp, key, str(px[key]), qty=qty * 10 + number, by=by))
            held.add(key)
        facts.append(marked(mark_ns, **{NAMES[each]: str(px[each]) for each in held}))
    return facts


@given(journals())
@settings(max_examples=30, deadline=None)
def test_curve_performance_and_statement_agree_at_every_minute(journal: list[AnyFact]) -> None:
    assert_all_agree(journal)
