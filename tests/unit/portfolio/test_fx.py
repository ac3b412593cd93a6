from __future__ import annotations

from decimal import Decimal

from ibfloor.model.money import Currency
from ibfloor.portfolio.fx import FxRate, choose, pair_rate, usable

EUR, USD, JPY = Currency("EUR"), Currency("USD"), Currency("JPY")
S = 1_000_000_000


def told(px: str, at_s: int, source: str = "account values") -> FxRate:
    return FxRate(currency=USD, px=Decimal(px), ts_ns=at_s * S, source=source)


def test_pair_is_read_either_way_round_and_says_nothing_of_other_currencies() -> None:
    direct = pair_rate(USD, EUR, USD, Decimal("1.25"), 5)
    turned = pair_rate(EUR, EUR, USD, Decimal("1.25"), 5)
    assert direct is not None
    assert turned is not None
    assert (direct.currency, direct.px, direct.source) == (EUR, Decimal("1.25"), "EUR.USD")
    assert (turned.currency, turned.px) == (USD, Decimal("0.8"))
    assert pair_rate(JPY, EUR, USD, Decimal("1.25"), 5) is None
    assert pair_rate(EUR, EUR, USD, Decimal(0), 5) is None


def test_best_source_that_is_young_enough_is_used_and_an_older_one_never() -> None:
    pair, account = told("0.81", 40, "EUR.USD"), told("0.80", 90)
    assert choose(USD, (pair, account), 100 * S, 60 * S).rate == pair
    assert choose(USD, (pair, account), 110 * S, 60 * S).rate == account
    late = choose(USD, (pair, account), 200 * S, 60 * S)
    assert late.rate == account
    assert late.problem == "the rate of USD (account values) is 110 s old, more than 60 s"
    assert choose(JPY, (pair,), 100 * S, 60 * S).problem == "no rate of JPY is known"


def test_figures_of_a_currency_without_a_rate_are_not_known_and_zero_needs_none() -> None:
    rates = usable(EUR, (choose(USD, (told("0.8", 0),), 100 * S, 60 * S), choose(JPY, (), 0, 1)))
    assert rates.convert(Decimal(5), EUR) == 5
    assert rates.convert(Decimal(5), USD) is None
    assert rates.convert(Decimal(0), USD) == 0
    assert "100 s old" in rates.problem(USD)
    assert rates.problem(JPY) == "no rate of JPY is known"
    assert rates.problem(EUR) == ""
