"""The broker's own book: every cent of it follows from its executions."""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st

from ibfloor.model.ids import AccountId, InstrumentId
from ibfloor.model.instrument import Contract, Forex, Future, Instrument, SecurityType, Stock
from ibfloor.model.money import USD, Currency
from ibfloor.model.order import Side
from ibfloor.sim.account import SimAccount

EUR = Currency("EUR")
START = Decimal(1_000_000)
CENT = Decimal("0.01")


def instrument(number: int, contract: Contract, multiplier: int = 1) -> Instrument:
    return Instrument(
        instrument_id=InstrumentId(number),
        contract=contract,
        local_symbol=contract.symbol,
        currency=contract.currency,
        multiplier=Decimal(multiplier),
    )


SPY = instrument(1, Stock("SPY"))
KO = instrument(2, Stock("KO"))
ES = instrument(3, Future("ES", "202612", exchange="CME"), 50)
EURUSD = instrument(4, Forex("EURUSD"))
ALL = (SPY, KO, ES, EURUSD)


def account() -> SimAccount:
    return SimAccount(AccountId("DU1"), {USD: START})


def value(
    book: SimAccount, key: str, marks: dict[InstrumentId, Decimal] | None = None, currency: str = "USD"
) -> Decimal:
    found = [text for name, text, where in book.values(marks or {}) if (name, where) == (key, currency)]
    assert len(found) == 1
    return Decimal(found[0])


def test_average_cost_holds_the_opening_commissions() -> None:
    book = account()
    execution = book.book(1, SPY, Side.BUY, Decimal(100), Decimal("450.00"), 5)
    assert execution.commission == Decimal("1.00")
    assert execution.realised_pnl is None
    position = book.position(SPY.instrument_id)
    assert position is not None
    assert position.avg_cost == Decimal("450.01")
    assert book.cash == {USD: START - 45_000 - 1}


def test_closing_realises_net_of_the_fees_of_both_sides() -> None:
    book = account()
    book.book(1, SPY, Side.BUY, Decimal(100), Decimal(450), 5)
    execution = book.book(2, SPY, Side.SELL, Decimal(40), Decimal(451), 6)
    assert execution.realised_pnl == Decimal(40) - Decimal("0.40") - Decimal("1.00")


def test_a_fill_that_turns_the_position_closes_the_old_and_opens_the_new() -> None:
    book = account()
    book.book(1, SPY, Side.SELL, Decimal(100), Decimal(450), 5)
    execution = book.book(2, SPY, Side.BUY, Decimal(400), Decimal(440), 6)
    assert execution.commission == Decimal("2.00")
    assert execution.realised_pnl == Decimal(1000) - Decimal("1.00") - Decimal("0.50")
    position = book.position(SPY.instrument_id)
    assert position is not None
    assert (position.qty, position.avg_cost) == (Decimal(300), Decimal("440.005"))


def test_futures_cost_counts_the_multiplier_and_cash_moves_by_profit_alone() -> None:
    book = account()
    book.book(1, ES, Side.BUY, Decimal(2), Decimal(4500), 5)
    position = book.position(ES.instrument_id)
    assert position is not None
    assert position.avg_cost == Decimal("225002.25")
    assert book.cash[USD] == START - Decimal("4.50")
    marks = {ES.instrument_id: Decimal(4510)}
    assert value(book, "FuturesPNL", marks) == 1000
    for tag in ("TotalCashValue", "TotalCashBalance", "CashBalance"):
        assert value(book, tag, marks) == book.cash[USD] + 1000, "IB tells cash with what futures have gained"
    assert value(book, "NetLiquidation", marks) == book.cash[USD] + 1000, "which counts once"
    book.book(2, ES, Side.SELL, Decimal(2), Decimal(4510), 6)
    assert book.cash[USD] == START + 1000 - 9


def test_currency_trade_moves_cash_of_both_currencies() -> None:
    book = account()
    book.book(1, EURUSD, Side.BUY, Decimal(20_000), Decimal("1.10"), 5)
    assert book.cash == {USD: START - 22_000 - 2, EUR: Decimal(20_000)}
    marks = {EURUSD.instrument_id: Decimal("1.20")}
    assert value(book, "NetLiquidation", marks) == START - 2 + 2000
    assert value(book, "CashBalance", marks, "EUR") == 20_000
    assert value(book, "ExchangeRate", marks, "EUR") == Decimal("1.2")


def test_a_currency_without_a_rate_is_left_out_and_not_guessed() -> None:
    book = account()
    book.deposit(Decimal(5), EUR)
    assert value(book, "NetLiquidation") == START
    assert value_with_rate(book) == START + 6


def value_with_rate(book: SimAccount) -> Decimal:
    rows = book.values({}, {EUR: Decimal("1.2")})
    return next(Decimal(text) for key, text, _ in rows if key == "NetLiquidation")


def test_fills_of_one_order_have_ids_average_and_sum_of_their_own() -> None:
    book = account()
    first = book.book(7, SPY, Side.BUY, Decimal(100), Decimal(450), 5)
    second = book.book(7, SPY, Side.BUY, Decimal(300), Decimal(452), 6)
    assert (first.cum_qty, second.cum_qty, second.avg_px) == (Decimal(100), Decimal(400), Decimal("451.5"))
    assert first.exec_id == "0000e0d5.65a10001.01.01"
    assert second.exec_id == "0000e0d5.65a10002.01.01"
    assert (first.commission, second.commission) == (Decimal("1.00"), Decimal("1.00"))


def test_margins_are_half_at_first_and_a_quarter_or_three_tenths_later() -> None:
    book = account()
    book.book(1, SPY, Side.BUY, Decimal(100), Decimal(400), 5)
    book.book(2, KO, Side.SELL, Decimal(1000), Decimal(60), 5)
    marks = {SPY.instrument_id: Decimal(410), KO.instrument_id: Decimal(59)}
    assert value(book, "GrossPositionValue", marks) == 100_000
    assert value(book, "InitMarginReq", marks) == 50_000
    assert value(book, "MaintMarginReq", marks) == 41_000 * Decimal("0.25") + 59_000 * Decimal("0.30")
    net = value(book, "NetLiquidation", marks)
    assert value(book, "AvailableFunds", marks) == net - 50_000
    assert value(book, "ExcessLiquidity", marks) == net - 27_950
    assert value(book, "BuyingPower", marks) == 4 * (net - 50_000)


fills = st.tuples(
    st.sampled_from(ALL), st.sampled_from(Side), st.integers(1, 900), st.integers(1_00, 900_00), st.integers(0, 4)
)


@given(st.lists(fills, max_size=40), st.lists(st.integers(1_00, 900_00), min_size=4, max_size=4))
def test_cash_fees_and_positions_reconcile_with_executions_to_the_cent(
    history: list[tuple[Instrument, Side, int, int, int]], marked: list[int]
) -> None:
    book = account()
    for ts, (traded, side, qty, cents, order) in enumerate(history):
        key = order * 10 + int(traded.instrument_id)
        book.book(key, traded, side, Decimal(qty), cents * CENT, ts)
    marks = {each.instrument_id: cents * CENT for each, cents in zip(ALL, marked, strict=True)}
    # an independent reckoning: what was paid for everything, and what everything is worth
    paid = fees = worth = Decimal(0)
    held: defaultdict[InstrumentId, Decimal] = defaultdict(Decimal)
    for execution in book.executions:
        signed = execution.side.sign * execution.qty
        paid += signed * execution.px * execution.instrument.multiplier
        fees += execution.commission
        held[execution.instrument.instrument_id] += signed
    for each in ALL:
        worth += held.get(each.instrument_id, Decimal(0)) * marks[each.instrument_id] * each.multiplier
    equity = (START - paid - fees + worth).quantize(CENT, rounding=ROUND_HALF_UP)
    assert value(book, "NetLiquidation", marks) == equity
    pnl = value(book, "RealizedPnL", marks, "BASE") + value(book, "UnrealizedPnL", marks, "BASE")
    assert abs(pnl - (equity - START)) <= CENT  # two roundings
    assert {position.instrument.instrument_id: position.qty for position in book.positions} == dict(held)
    realised = sum((execution.realised_pnl or 0 for execution in book.executions), Decimal(0))
    assert abs(realised - value(book, "RealizedPnL", marks, "BASE")) <= CENT / 2


@given(st.lists(fills, max_size=40))
def test_futures_and_stocks_leave_cash_exact_when_flat(history: list[tuple[Instrument, Side, int, int, int]]) -> None:
    book = account()
    for ts, (traded, side, qty, cents, _) in enumerate(history):
        book.book(ts, traded, side, Decimal(qty), cents * CENT, ts)
        book.book(1000 + ts, traded, side.opposite, Decimal(qty), (cents + 1) * CENT, ts)
    assert all(position.qty == 0 and position.avg_cost == 0 for position in book.positions)
    gained = sum(
        (side.sign * qty * CENT * traded.multiplier for traded, side, qty, _, _ in history),
        Decimal(0),
    )
    fees = sum((execution.commission for execution in book.executions), Decimal(0))
    assert book.cash[USD] == START + gained - fees
    assert book.cash.get(EUR, 0) == 0


def test_option_market_value_is_kept_apart_from_stocks() -> None:
    book = account()
    call = instrument(9, Contract(security_type=SecurityType.OPTION, symbol="SPY", multiplier="100"), 100)
    book.book(1, call, Side.BUY, Decimal(2), Decimal("1.50"), 5)
    assert value(book, "OptionMarketValue", {call.instrument_id: Decimal(2)}) == 400
    assert value(book, "StockMarketValue", {call.instrument_id: Decimal(2)}) == 0
