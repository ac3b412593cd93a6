from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibfloor.model.arrival import Arrival
from ibfloor.model.entry import BookEntry, CashLeg, EntryKind, Leg, PositionLeg
from ibfloor.model.fact import (
    AnyFact,
    BreakCleared,
    BreakFound,
    CashMoved,
    FeeReported,
    InstrumentDefined,
    OrderFilled,
    OrderSubmitted,
    PositionMoved,
)
from ibfloor.model.ids import UNASSIGNED, ClientOrderId, ExecId, InstrumentId, StrategyId
from ibfloor.model.instrument import Contract, Instrument, SecurityType, Stock
from ibfloor.model.marking import BooksMarked, MarkTaken, RateTaken
from ibfloor.model.money import Currency, Money
from ibfloor.model.order import OrderRequest, OrdType, Side
from ibfloor.portfolio.chronicle import chronicle, day_bounds
from ibfloor.portfolio.figures import Figure, cents_that_add_up, to_cents
from ibfloor.portfolio.statement import Statement, StatementError, statements
from ibfloor.portfolio.worth import ACCOUNT

NEW_YORK = ZoneInfo("America/New_York")
DAY = "2026-03-03"
START, END = day_bounds(DAY, NEW_YORK)
HOUR = 3600 * 10**9
USD, EUR = Currency("USD"), Currency("EUR")
SPY, SAP, ES, PAIR = (InstrumentId(key) for key in (1, 2, 3, 4))
ALPHA, BETA = StrategyId("alpha"), StrategyId("beta")


def defined(key: InstrumentId, contract: Contract, multiplier: str = "1") -> InstrumentDefined:
    instrument = Instrument(
        instrument_id=key,
        contract=contract,
        local_symbol=contract.symbol,
        currency=contract.currency,
        multiplier=Decimal(multiplier),
    )
    return InstrumentDefined(ts_event_ns=1, ts_init_ns=1, instrument=instrument)


INSTRUMENTS: tuple[AnyFact, ...] = (
    defined(SPY, Stock("SPY")),
    defined(SAP, Stock("SAP", currency="EUR")),
    defined(ES, Contract(security_type=SecurityType.FUTURE, symbol="ES"), "50"),
    defined(PAIR, Contract(security_type=SecurityType.FOREX, symbol="EUR")),
)


def cash(ts_ns: int, amount: str, currency: Currency = USD, strategy: StrategyId = UNASSIGNED) -> CashMoved:
    money = Money(Decimal(amount), currency)
    return CashMoved(ts_event_ns=ts_ns, ts_init_ns=ts_ns, strategy=strategy, amount=money, reason="opening balance")


def fill(
    ts_ns: int,
    exec_id: str,
    qty: str,
    px: str,
    key: InstrumentId = SPY,
    strategy: StrategyId = ALPHA,
    *,
    told_ns: int = 0,
) -> OrderFilled:
    signed = Decimal(qty)
    return OrderFilled(
        ts_event_ns=ts_ns,
        ts_init_ns=told_ns or ts_ns,
        exec_id=ExecId(exec_id),
        cl_ord_id=ClientOrderId(f"{strategy}:1"),
        strategy=strategy,
        instrument_id=key,
        side=Side.BUY if signed > 0 else Side.SELL,
        last_qty=abs(signed),
        last_px=Decimal(px),
        currency=EUR if key == SAP else USD,
        multiplier=Decimal(50) if key == ES else Decimal(1),
    )


def fee(ts_ns: int, exec_id: str, amount: str, currency: Currency = USD) -> FeeReported:
    return FeeReported(
        ts_event_ns=ts_ns, ts_init_ns=ts_ns, exec_id=ExecId(exec_id), fee=Money(Decimal(amount), currency)
    )


def entry(ts_ns: int, kind: EntryKind, *legs: Leg, entry_id: str = "", reverses: str = "") -> BookEntry:
    return BookEntry(
        ts_event_ns=ts_ns,
        ts_init_ns=ts_ns,
        entry_id=entry_id or f"e{ts_ns}",
        kind=kind,
        legs=legs,
        reason="as told",
        actor="ann",
        reverses=reverses,
    )


def marked(ts_ns: int, *, rate: str | None = None, **px: str) -> BooksMarked:
    keys = {"SPY": SPY, "SAP": SAP, "ES": ES, "PAIR": PAIR}
    return BooksMarked(
        ts_event_ns=ts_ns,
        ts_init_ns=ts_ns,
        base=USD,
        marks=tuple(MarkTaken(keys[name], Decimal(text), ts_ns, "mid") for name, text in px.items()),
        rates=() if rate is None else (RateTaken(EUR, Decimal(rate), ts_ns, "EUR.USD"),),
    )


def stated(facts: Sequence[AnyFact], day: str = DAY) -> dict[StrategyId, Statement]:
    return statements(chronicle([*INSTRUMENTS, *facts], NEW_YORK), day, NEW_YORK)


def amounts(statement: Statement) -> dict[str, Decimal | None]:
    """The bridge's lines that are not zero."""
    bridge = statement.bridge
    lines = {name: getattr(bridge.steps, name).value for name in bridge.steps.__struct_fields__}
    lines |= {name: getattr(bridge, name).value for name in ("opening", "closing", "fx_effect", "unexplained")}
    return {name: value for name, value in lines.items() if value is None or value}


def test_day_of_one_stock_adds_up_by_hand() -> None:
    made = stated(
        [
            cash(START - 2 * HOUR, "10000"),
            cash(START - 2 * HOUR, "5000", strategy=ALPHA),
            fill(START - HOUR, "a.01", "10", "100"),
            fee(START - HOUR, "a.01", "1"),
            marked(START - HOUR // 2, SPY="101"),
            fill(START + HOUR, "b.01", "-4", "105"),
            fee(START + HOUR, "b.01", "0.50"),
            marked(END - HOUR, SPY="110"),
        ]
    )
    # 5000 - 1000 - 1 + 10 x 101 = 5009; then 4 sold for a gain of 20, the other 6 gain 60 - 10 of yesterday's.
    assert amounts(made[ALPHA]) == {
        "opening": Decimal(5009),
        "realised": Decimal(20),
        "unrealised": Decimal(50),
        "fees": Decimal("-0.50"),
        "closing": Decimal("5078.50"),
    }
    assert made[ALPHA].bridge.result == Figure(Decimal("69.50"))
    (line,) = made[ALPHA].instruments
    assert (line.name, line.result.value, line.in_base.value) == ("SPY", Decimal("69.50"), Decimal("69.50"))
    (held,) = made[ALPHA].positions
    assert (held.position.qty, held.mark.value, held.value.value, held.mark_source) == (
        Decimal(6),
        Decimal(110),
        Decimal(660),
        "mid",
    )
    assert amounts(made[ACCOUNT])["closing"] == Decimal("15078.50")


def test_moved_rate_is_told_apart_from_what_was_earned() -> None:
    made = stated(
        [
            cash(START - HOUR, "1000", EUR, ALPHA),
            marked(START - 1, rate="1.10"),
            fill(START + HOUR, "a.01", "10", "50", SAP),
            fee(START + HOUR, "a.01", "2", EUR),
            marked(END - 1, rate="1.20", SAP="55"),
        ]
    )[ALPHA]
    # 1000 EUR were worth 1100 and are worth 1200; 50 EUR earned and 2 EUR paid count at 1.20.
    assert amounts(made) == {
        "opening": Decimal(1100),
        "unrealised": Decimal(60),
        "fees": Decimal("-2.40"),
        "fx_effect": Decimal(100),
        "closing": Decimal("1257.60"),
    }
    (euro,) = made.currencies
    assert (euro.cash, euro.closing.value, euro.rate_source) == (Decimal(498), Decimal(1048), "EUR.USD")


def test_missing_rate_makes_what_needs_it_unknown_and_says_why() -> None:
    made = stated(
        [cash(START - HOUR, "1000", EUR, ALPHA), cash(START - HOUR, "7", USD), marked(START - 1), marked(END - 1)]
    )
    assert made[ALPHA].bridge.closing == Figure(None, "no rate of EUR")
    assert made[ACCOUNT].bridge.closing == Figure(None, "no rate of EUR")
    assert made[UNASSIGNED].bridge.closing == Figure(Decimal(7))
    assert {each.currency: each.closing.value for each in made[ACCOUNT].currencies} == {EUR: 1000, USD: 7}


def test_missing_mark_makes_only_what_needs_it_unknown() -> None:
    made = stated([fill(START + HOUR, "a.01", "10", "100"), marked(START - 1), marked(END - 1)])[ALPHA]
    assert made.bridge.closing == Figure(None, "no price of SPY")
    assert made.bridge.steps.realised == Figure(Decimal(0))
    assert made.currencies[0].cash == -1000
    assert made.positions[0].value == Figure(None, "no price of SPY")


def test_future_moves_cash_only_by_what_was_realised() -> None:
    made = stated(
        [
            cash(START - HOUR, "10000", strategy=ALPHA),
            marked(START - 1),
            fill(START + HOUR, "a.01", "2", "5000", ES),
            fill(START + 2 * HOUR, "b.01", "-1", "5010", ES),
            marked(END - 1, ES="5020"),
        ]
    )[ALPHA]
    assert amounts(made) == {
        "opening": Decimal(10000),
        "realised": Decimal(500),
        "unrealised": Decimal(1000),
        "closing": Decimal(11500),
    }
    assert made.currencies[0].cash == 10500
    assert made.positions[0].value_in_base == Figure(Decimal(1000))


def test_conversion_moves_two_currencies_and_costs_its_spread() -> None:
    made = stated(
        [
            cash(START - HOUR, "10000", strategy=ALPHA),
            marked(START - 1, rate="1.10"),
            fill(START + HOUR, "a.01", "1000", "1.11", PAIR),
            marked(END - 1, rate="1.10", PAIR="1.10"),
        ]
    )[ALPHA]
    assert amounts(made) == {"opening": 10000, "exchanged": -10, "closing": 9990}
    assert {each.currency: each.cash for each in made.currencies} == {EUR: 1000, USD: 8890}


def test_dividends_interest_and_deposits_stand_on_their_own_lines() -> None:
    made = stated(
        [
            cash(START - HOUR, "1000", strategy=ALPHA),
            marked(START - 1, SPY="100"),
            entry(START + 1, EntryKind.DIVIDEND, CashLeg(strategy=ALPHA, amount=Money(Decimal(12), USD))),
            entry(START + 2, EntryKind.BORROW, CashLeg(strategy=ALPHA, amount=Money(Decimal(-3), USD))),
            entry(START + 3, EntryKind.DEPOSIT, CashLeg(strategy=ALPHA, amount=Money(Decimal(500), USD))),
            marked(END - 1, SPY="100"),
        ]
    )[ALPHA]
    assert amounts(made) == {"opening": 1000, "dividends": 12, "borrow": -3, "flows": 500, "closing": 1509}
    assert made.bridge.result == Figure(Decimal(9))
    assert [each.kind for each in made.entries] == [EntryKind.DIVIDEND, EntryKind.BORROW, EntryKind.DEPOSIT]


def test_transfer_between_books_is_a_flow_of_both_and_none_of_the_account() -> None:
    legs: tuple[Leg, ...] = (
        PositionLeg(strategy=ALPHA, instrument_id=SPY, qty=Decimal(-4), px=Decimal(104), currency=USD),
        CashLeg(strategy=ALPHA, amount=Money(Decimal(416), USD)),
        PositionLeg(strategy=BETA, instrument_id=SPY, qty=Decimal(4), px=Decimal(104), currency=USD),
        CashLeg(strategy=BETA, amount=Money(Decimal(-416), USD)),
    )
    made = stated(
        [
            cash(START - HOUR, "1000", strategy=ALPHA),
            fill(START - HOUR, "a.01", "10", "100"),
            marked(START - 1, SPY="100"),
            entry(START + 1, EntryKind.TRANSFER, *legs),
            marked(END - 1, SPY="110"),
        ]
    )
    assert amounts(made[ALPHA]) == {"opening": 1000, "realised": 16, "unrealised": 60, "closing": 1076}
    assert amounts(made[BETA]) == {"unrealised": 24, "closing": 24}
    assert amounts(made[ACCOUNT]) == {"opening": 1000, "realised": 16, "unrealised": 84, "closing": 1100}


def test_undone_entry_takes_back_what_it_booked() -> None:
    made = stated(
        [
            cash(START - HOUR, "1000", strategy=ALPHA),
            entry(START - 5, EntryKind.DIVIDEND, CashLeg(strategy=ALPHA, amount=Money(Decimal(12), USD)), entry_id="d"),
            marked(START - 1),
            entry(START + 1, EntryKind.DIVIDEND, entry_id="u", reverses="d"),
            marked(END - 1),
        ]
    )[ALPHA]
    assert amounts(made) == {"opening": 1012, "dividends": -12, "closing": 1000}
    assert [each.entry_id for each in made.entries] == ["u"]


def test_fill_told_the_next_morning_belongs_to_the_day_it_happened() -> None:
    facts: list[AnyFact] = [
        cash(START - HOUR, "1000", strategy=ALPHA),
        marked(START - 1),
        marked(END - 1, SPY="100"),
        fill(END - HOUR, "a.01", "10", "99", told_ns=END + HOUR),
        fee(END + 2 * HOUR, "a.01", "1"),
        fill(END - HOUR, "a.02", "10", "98", told_ns=END + 3 * HOUR),
        marked(END + 5 * HOUR, SPY="100"),
    ]
    today, tomorrow = stated(facts)[ALPHA], stated(facts, "2026-03-04")[ALPHA]
    assert amounts(today) == {"opening": 1000, "unrealised": 20, "fees": -1, "closing": 1019}
    assert [(each.exec_id, each.px) for each in today.executions] == [(ExecId("a.02"), Decimal(98))]
    assert amounts(tomorrow) == {"opening": 1019, "closing": 1019}
    assert not tomorrow.executions


def test_first_day_begins_where_the_books_were_valued_first() -> None:
    taken_over = PositionMoved(
        ts_event_ns=START + 1,
        ts_init_ns=START + 1,
        strategy=UNASSIGNED,
        instrument_id=SPY,
        qty=Decimal(10),
        px=Decimal(40),
        currency=USD,
        multiplier=Decimal(1),
        reason="opening balance",
    )
    made = stated([taken_over, marked(START + HOUR, SPY="100"), marked(END - 1, SPY="101")])[ACCOUNT]
    assert amounts(made) == {"opening": 1000, "unrealised": 10, "closing": 1010}


def test_execution_is_measured_against_what_the_market_stood_at() -> None:
    order_id = ClientOrderId("alpha:1")
    request = OrderRequest(
        cl_ord_id=order_id,
        strategy=ALPHA,
        instrument_id=SPY,
        side=Side.SELL,
        order_qty=Decimal(10),
        ord_type=OrdType.MARKET,
    )
    submitted = OrderSubmitted(
        ts_event_ns=START + 1,
        ts_init_ns=START + 1,
        request=request,
        client_id=10,
        order_id=1,
        arrival=Arrival(Decimal("100.05"), START, "mid"),
    )
    made = stated([submitted, fill(START + 2, "a.01", "-10", "100"), marked(START - 1), marked(END - 1, SPY="100")])
    assert [each.slippage for each in made[ALPHA].executions] == [Figure(Decimal("0.50"))]
    unknown = stated([fill(START + 2, "a.01", "-10", "100"), marked(START - 1), marked(END - 1, SPY="100")])
    assert [each.slippage for each in unknown[ALPHA].executions] == [Figure(None, "no arrival price")]


def test_breaks_are_those_that_stood_when_the_day_ended() -> None:
    def found(key: str, ts_ns: int) -> BreakFound:
        return BreakFound(
            ts_event_ns=ts_ns, ts_init_ns=ts_ns, key=key, ours=Decimal(1), theirs=Decimal(2), text=f"{key} differs"
        )

    cleared = BreakCleared(ts_event_ns=START + 5, ts_init_ns=START + 5, key="position:2", reason="equal again")
    facts: list[AnyFact] = [
        cash(START - HOUR, "1"),
        marked(START - 1),
        found("position:1", START - 5),
        found("position:2", START - 4),
        cleared,
        found("cash:USD", END + 1),
    ]
    assert [each.key for each in stated(facts)[ACCOUNT].breaks] == ["position:1"]


def test_day_before_the_journal_begins_is_no_empty_statement() -> None:
    with pytest.raises(StatementError, match="nothing was booked up to 2026-03-02"):
        stated([cash(START + 1, "1"), marked(START + 2)], "2026-03-02")
    with pytest.raises(StatementError, match="never valued"):
        stated([cash(START + 1, "1")])


@given(
    trades=st.lists(
        st.tuples(
            st.integers(0, 40),
            st.sampled_from([SPY, SAP, ES, PAIR]),
            st.sampled_from([ALPHA, BETA]),
            st.integers(-50, 50).filter(bool),
            st.integers(1, 20000),
            st.integers(-300, 500),
        ),
        max_size=12,
    ),
    moves=st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from(list(EntryKind)), st.integers(-9999, 9999)), max_size=4
    ),
    rates=st.tuples(st.integers(5000, 20000), st.integers(5000, 20000)),
)
@settings(max_examples=40, deadline=None)
def test_every_statement_adds_up_without_a_remainder(
    trades: list[tuple[int, InstrumentId, StrategyId, int, int, int]],
    moves: list[tuple[int, EntryKind, int]],
    rates: tuple[int, int],
) -> None:
    start = START - 20 * HOUR // 24
    facts: list[AnyFact] = [cash(start - HOUR, "1234.56"), cash(start - HOUR, "-77.7", EUR, ALPHA)]
    for number, (hour, key, strategy, qty, px, paid) in enumerate(trades):
        ts_ns = start + hour * HOUR // 24 + number
        facts += [
            fill(ts_ns, f"x{number}.01", str(qty), str(Decimal(px) / 100), key, strategy),
            fee(ts_ns, f"x{number}.01", str(Decimal(paid) / 100), EUR if number % 3 == 0 else USD),
        ]
    for number, (hour, kind, amount) in enumerate(moves):
        leg = CashLeg(strategy=BETA, amount=Money(Decimal(amount) / 100, EUR if number % 2 else USD))
        facts.append(entry(start + hour * HOUR // 24 + 100 + number, kind, leg))
    prices = {"SPY": "101.37", "SAP": "99.99", "ES": "87.25", "PAIR": "1.1"}
    facts += [marked(START - 1, rate=str(Decimal(rates[0]) / 10000), **prices)]
    facts += [
        marked(END - 1, rate=str(Decimal(rates[1]) / 10000), **{name: f"{text}1" for name, text in prices.items()})
    ]
    made = stated(facts)
    for statement in made.values():
        assert statement.bridge.unexplained == Figure(Decimal(0))
        assert all(each.unexplained == Figure(Decimal(0)) for each in statement.currencies)
        lines = [*statement.bridge.steps.figures(), statement.bridge.fx_effect]
        exact = [line.value for line in lines if line.value is not None]
        opening, closing = statement.bridge.opening.value, statement.bridge.closing.value
        assert opening is not None
        assert closing is not None
        shown = cents_that_add_up(exact, to_cents(closing) - to_cents(opening))
        assert to_cents(opening) + sum(shown) == to_cents(closing)
        assert all(abs(line - text) <= Decimal("0.01") for line, text in zip(exact, shown, strict=True))
    books = [statement for name, statement in made.items() if name != ACCOUNT]
    for part in ("opening", "closing", "fx_effect"):
        assert sum(getattr(each.bridge, part).value for each in books) == getattr(made[ACCOUNT].bridge, part).value


def test_cents_add_up_where_both_ends_lie_on_half_a_cent() -> None:
    assert cents_that_add_up([Decimal("0.01")], Decimal("0.00")) == [Decimal("0.00")]
    assert cents_that_add_up([Decimal("0.004"), Decimal("0.004")], Decimal("0.01")) == [
        Decimal("0.01"),
        Decimal("0.00"),
    ]
    assert cents_that_add_up([], Decimal(0)) == []


def test_account_shows_the_cash_of_a_future_as_the_broker_does() -> None:
    made = stated(
        [
            cash(START - HOUR, "10000"),
            marked(START - 1),
            fill(START + 1, "a.01", "2", "5000", ES, ALPHA),
            fill(START + 2, "b.01", "-2", "5010", ES, BETA),
            marked(END - 1),
        ]
    )
    assert amounts(made[ACCOUNT]) == {"opening": 10000, "unrealised": 1000, "closing": 11000}
    assert made[ACCOUNT].currencies[0].cash == 11000
    assert made[ALPHA].bridge.closing == Figure(None, "no price of ES")


def test_account_kept_in_euro_is_stated_in_euro() -> None:
    def told(ts_ns: int, rate: str, px: str) -> BooksMarked:
        return BooksMarked(
            ts_event_ns=ts_ns,
            ts_init_ns=ts_ns,
            base=EUR,
            marks=(MarkTaken(SPY, Decimal(px), ts_ns, "mid"),),
            rates=(RateTaken(USD, Decimal(rate), ts_ns, "account values"),),
        )

    made = stated(
        [
            cash(START - HOUR, "1000", EUR, ALPHA),
            cash(START - HOUR, "1000", USD, ALPHA),
            told(START - 1, "0.9", "100"),
            fill(START + HOUR, "a.01", "5", "100"),
            told(END - 1, "0.8", "110"),
        ]
    )[ALPHA]
    # 1900 before; 50 USD earned count 40, and the 1000 USD lost 100 by the rate.
    assert (made.base, amounts(made)) == (
        EUR,
        {"opening": Decimal(1900), "unrealised": Decimal(40), "fx_effect": Decimal(-100), "closing": Decimal(1840)},
    )
