"""What happens to positions without trading: every move is paid for, and equity follows."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ibfloor.model.ids import AccountId, InstrumentId
from ibfloor.model.instrument import Contract, Future, Instrument, SecurityType, Stock
from ibfloor.model.money import USD, Currency
from ibfloor.model.order import Side
from ibfloor.sim.account import SimAccount
from ibfloor.sim.account.lifecycle import (
    exercise,
    expire_option,
    pay_dividend,
    pay_interest,
    settle_future,
    split,
)
from ibfloor.sim.account.rates import base_rates

EUR, JPY, GBP, CHF = (Currency(name) for name in ("EUR", "JPY", "GBP", "CHF"))
START = Decimal(1_000_000)


def instrument(number: int, contract: Contract, multiplier: int = 1) -> Instrument:
    return Instrument(
        instrument_id=InstrumentId(number),
        contract=contract,
        local_symbol=contract.symbol,
        currency=contract.currency,
        multiplier=Decimal(multiplier),
    )


def option(number: int, right: str, strike: int = 180) -> Instrument:
    contract = Contract(
        security_type=SecurityType.OPTION, symbol="AAPL", strike=Decimal(strike), right=right, multiplier="100"
    )
    return instrument(number, contract, 100)


AAPL = instrument(1, Stock("AAPL"))
ES = instrument(2, Future("ES", "202612", exchange="CME"), 50)
CALL, PUT = option(3, "C"), option(4, "P")


@pytest.fixture
def account() -> SimAccount:
    return SimAccount(AccountId("DU1"), {USD: START})


def qty(account: SimAccount, of: Instrument) -> Decimal:
    position = account.position(of.instrument_id)
    return Decimal(0) if position is None else position.qty


def value(account: SimAccount, key: str, marks: dict[Instrument, str], currency: str = "USD") -> Decimal:
    known = {each.instrument_id: Decimal(px) for each, px in marks.items()}
    (found,) = [text for name, text, where in account.values(known) if (name, where) == (key, currency)]
    return Decimal(found)


def test_settlement_pays_the_days_gain_and_leaves_cost_and_profit_as_they_were(account: SimAccount) -> None:
    account.book(1, ES, Side.BUY, Decimal(2), Decimal(4500), 1)
    before = value(account, "NetLiquidation", {ES: "4510"})
    assert settle_future(account, ES, Decimal(4510), 2, is_last=False)
    assert account.cash[USD] == START - Decimal("4.50") + 1000
    assert value(account, "NetLiquidation", {ES: "4510"}) == before
    assert value(account, "FuturesPNL", {ES: "4510"}) == 0
    assert value(account, "UnrealizedPnL", {ES: "4510"}) == 1000 - Decimal("4.50")
    settle_future(account, ES, Decimal(4505), 3, is_last=False)
    assert account.cash[USD] == START - Decimal("4.50") + 500
    account.book(2, ES, Side.SELL, Decimal(1), Decimal(4507), 4)
    account.book(3, ES, Side.SELL, Decimal(1), Decimal(4509), 5)
    assert account.cash[USD] == START + 50 * (7 + 9) - 9
    assert [move.amount for move in account.moves] == [1000, -500]


def test_a_future_ends_at_its_last_settlement(account: SimAccount) -> None:
    account.book(1, ES, Side.SELL, Decimal(1), Decimal(4500), 1)
    settle_future(account, ES, Decimal(4480), 2, is_last=True)
    assert qty(account, ES) == 0
    assert account.cash[USD] == START + 1000 - Decimal("2.25")
    assert not settle_future(account, ES, Decimal(4470), 3, is_last=False)


def test_in_the_money_options_become_stock_at_the_strike(account: SimAccount) -> None:
    account.book(1, CALL, Side.BUY, Decimal(2), Decimal(5), 1)
    account.book(2, PUT, Side.SELL, Decimal(1), Decimal(3), 1)
    cash = account.cash[USD]
    assert expire_option(account, CALL, AAPL, Decimal(190), 2)
    assert expire_option(account, PUT, AAPL, Decimal(190), 2)
    assert [int(qty(account, each)) for each in (CALL, PUT, AAPL)] == [0, 0, 200]
    assert account.cash[USD] == cash - 200 * 180
    assert [(move.kind, int(move.qty)) for move in account.moves] == [
        ("exercise", -2),
        ("exercise", 200),
        ("expiry", 1),
    ]


def test_an_assigned_put_buys_the_stock(account: SimAccount) -> None:
    account.book(1, PUT, Side.SELL, Decimal(3), Decimal(3), 1)
    cash = account.cash[USD]
    exercise(account, PUT, AAPL, Decimal(-2), 2)
    assert [int(qty(account, each)) for each in (PUT, AAPL)] == [-1, 200]
    assert account.cash[USD] == cash - 200 * 180
    assert {move.kind for move in account.moves} == {"assignment"}
    for wrong in (2, -2, 0):
        with pytest.raises(ValueError, match="cannot be exercised: -1 are held"):
            exercise(account, PUT, AAPL, Decimal(wrong), 3)


def test_an_option_out_of_the_money_ends_worthless_and_its_premium_is_realised(account: SimAccount) -> None:
    account.book(1, CALL, Side.BUY, Decimal(1), Decimal(5), 1)
    expire_option(account, CALL, AAPL, Decimal("180.00"), 2)
    position = account.position(CALL.instrument_id)
    assert position is not None
    assert not position.qty
    assert position.realised_pnl == -501


def test_dividends_are_paid_to_the_long_and_by_the_short(account: SimAccount) -> None:
    account.book(1, AAPL, Side.BUY, Decimal(300), Decimal(180), 1)
    assert pay_dividend(account, AAPL, Decimal("0.245"), 2) == Decimal("73.50")
    account.book(2, AAPL, Side.SELL, Decimal(400), Decimal(180), 3)
    assert pay_dividend(account, AAPL, Decimal("0.245"), 4) == Decimal("-24.50")


def test_interest_is_on_cash_of_a_currency_below_zero_too(account: SimAccount) -> None:
    assert pay_interest(account, USD, Decimal("3.6"), 10, 2) == Decimal(1000)
    account.deposit(Decimal(-36_000), EUR)
    assert pay_interest(account, EUR, Decimal(5), 1, 3) == Decimal("-5.00")
    assert account.cash[EUR] == -36_005


def test_a_split_keeps_cost_and_equity(account: SimAccount) -> None:
    account.book(1, AAPL, Side.BUY, Decimal(100), Decimal(180), 1)
    before = value(account, "NetLiquidation", {AAPL: "200"})
    assert split(account, AAPL, Decimal(4), 2)
    assert qty(account, AAPL) == 400
    assert value(account, "NetLiquidation", {AAPL: "50"}) == before
    position = account.position(AAPL.instrument_id)
    assert position is not None
    assert position.avg_cost == Decimal("45.0025")


def test_rates_go_over_third_currencies_and_both_ways() -> None:
    pairs = [
        (EUR, USD, Decimal("1.10")),
        (GBP, USD, Decimal("1.25")),
        (USD, JPY, Decimal(150)),
    ]
    rates = base_rates(EUR, pairs)
    assert rates[EUR] == 1
    assert {name: round(float(rate), 6) for name, rate in rates.items()} == {
        "EUR": 1.0,
        "USD": round(1 / 1.1, 6),
        "GBP": round(1.25 / 1.1, 6),
        "JPY": round(1 / 150 / 1.1, 6),
    }
    assert CHF not in rates


def test_a_currency_without_a_rate_is_named_and_left_out_of_every_sum(account: SimAccount) -> None:
    account.deposit(Decimal(5), CHF)
    account.deposit(Decimal(150_000), JPY)
    rows = {(key, currency): text for key, text, currency in account.values({}, {JPY: Decimal("0.01")})}
    assert rows["UnconvertedCurrencies", ""] == "CHF"
    assert rows["CashBalance", "CHF"] == "5.00"
    assert ("ExchangeRate", "CHF") not in rows
    assert rows["NetLiquidation", "USD"] == "1001500.00"
    assert rows["CashBalance", "BASE"] == "1001500.00"


def test_a_euro_account_is_told_in_euros() -> None:
    account = SimAccount(AccountId("DU2"), {EUR: START}, base_currency=EUR)
    account.book(1, AAPL, Side.BUY, Decimal(100), Decimal(200), 1)
    rows = {(k, c): v for k, v, c in account.values({AAPL.instrument_id: Decimal(210)}, {USD: Decimal("0.9")})}
    assert rows["NetLiquidation", "EUR"] == "1000899.10"
    assert rows["CashBalance", "USD"] == "-20001.00"
    assert rows["StockMarketValue", "BASE"] == "18900.00"


def test_written_options_need_a_fifth_of_the_underlying_less_what_they_are_out_of_the_money(
    account: SimAccount,
) -> None:
    account.book(1, CALL, Side.SELL, Decimal(1), Decimal(5), 1)
    marks = {CALL.instrument_id: Decimal(5)}
    rows = {key: text for key, text, currency in account.values(marks, {}, {CALL.instrument_id: Decimal(170)})}
    assert rows["InitMarginReq"] == rows["MaintMarginReq"] == "2900.00"  # 500 + 100 x (34 - 10)
    rows = {key: text for key, text, currency in account.values(marks, {}, {CALL.instrument_id: Decimal(100)})}
    assert rows["InitMarginReq"] == "1500.00"  # 500 + a tenth of the underlying


def test_short_stock_needs_more_to_keep_than_long_stock(account: SimAccount) -> None:
    account.book(1, AAPL, Side.SELL, Decimal(100), Decimal(200), 1)
    assert value(account, "InitMarginReq", {AAPL: "200"}) == 10_000
    assert value(account, "MaintMarginReq", {AAPL: "200"}) == 6_000
