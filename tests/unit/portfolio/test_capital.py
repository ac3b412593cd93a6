from __future__ import annotations

from decimal import Decimal

import pytest

from ibfloor.model.capital import CapitalBasis, CapitalRule, problem_of, weights_problem
from ibfloor.model.ids import StrategyId
from ibfloor.portfolio.capital import allotment

D = Decimal


def weight(share: str, low: str | None = None, high: str | None = None) -> CapitalRule:
    return CapitalRule(
        basis=CapitalBasis.WEIGHT,
        weight=D(share),
        band_min=None if low is None else D(low),
        band_max=None if high is None else D(high),
    )


def targeting(volatility_pct: str, share: str = "0.2", low: str | None = None, high: str | None = None) -> CapitalRule:
    return CapitalRule(
        basis=CapitalBasis.VOLATILITY,
        weight=D(share),
        volatility_pct=D(volatility_pct),
        band_min=None if low is None else D(low),
        band_max=None if high is None else D(high),
    )


def amount(rule: CapitalRule, allocated: str | None, worth: str | None, volatility: str | None = None) -> str | None:
    found = allotment(
        rule,
        None if allocated is None else D(allocated),
        None if worth is None else D(worth),
        None if volatility is None else D(volatility),
    )
    return None if found is None else f"{found.amount:f}"


def test_fixed_amount_is_allocated_once_whatever_the_account_is_worth() -> None:
    rule = CapitalRule(basis=CapitalBasis.FIXED, amount=D(25000))
    assert amount(rule, None, None) == "25000"
    assert amount(rule, "25000", "10") is None
    assert amount(rule, "20000", "1000000") == "25000"


def test_weight_follows_the_account_only_outside_its_bands() -> None:
    rule = weight("0.2", "0.18", "0.25")
    assert amount(rule, None, "100000") == "20000.00"
    assert amount(rule, "20000", "111111") is None  # 18.0 %
    assert amount(rule, "20000", "111112") == "22222.40"
    assert amount(rule, "20000", "80000") is None  # 25 %
    assert amount(rule, "20000", "79999") == "15999.80"


def test_deposit_moves_every_weight_and_no_fixed_amount() -> None:
    rules = [weight("0.5"), weight("0.3"), CapitalRule(basis=CapitalBasis.FIXED, amount=D(1000))]
    before = [amount(rule, None, "10000") for rule in rules]
    after = [amount(rule, told, "20000") for rule, told in zip(rules, before, strict=True)]
    assert before == ["5000.00", "3000.00", "1000"]
    assert after == ["10000.00", "6000.00", None]


def test_weight_without_bands_may_move_by_a_tenth() -> None:
    assert amount(weight("0.2"), "20000", "110000") is None
    assert amount(weight("0.2"), "20000", "112000") == "22400.00"


def test_volatility_target_gives_the_wild_less_and_the_calm_more() -> None:
    # 2 % of the account's volatility from a strategy that moves 10 % a year: a fifth of the account.
    assert amount(targeting("2"), None, "100000", "10") == "20000.00"
    assert amount(targeting("2"), "20000", "100000", "20") == "10000.00"
    assert amount(targeting("2", high="0.3"), "20000", "100000", "4") == "30000.00"
    assert amount(targeting("2", low="0.05"), "20000", "100000", "80") == "5000.00"
    assert amount(targeting("2"), "20000", "100000", "10.5") is None


def test_volatility_that_is_not_known_falls_back_to_the_weight() -> None:
    assert amount(targeting("2", "0.15"), None, "100000") == "15000.00"
    assert amount(targeting("2", "0.15"), None, "100000", "0") == "15000.00"


def test_nothing_is_allocated_on_a_value_nobody_knows() -> None:
    assert amount(weight("0.2"), None, None) is None
    assert amount(weight("0.2"), "20000", "0") is None


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (CapitalRule(basis=CapitalBasis.FIXED), "needs amount"),
        (CapitalRule(basis=CapitalBasis.FIXED, amount=D(1), weight=D("0.1")), "has no weight"),
        (CapitalRule(basis=CapitalBasis.FIXED, amount=D(1), band_min=D("0.1")), "has no bands"),
        (CapitalRule(basis=CapitalBasis.WEIGHT), "needs weight"),
        (weight("0"), "weight must be above zero"),
        (weight("1.2"), "at most 1, not 1.2"),
        (weight("0.2", "0.3"), "must lie between"),
        (weight("0.2", None, "0.1"), "must lie between"),
        (weight("0.2", "-0.1"), "from 0 to 1"),
        (CapitalRule(basis=CapitalBasis.VOLATILITY, weight=D("0.2")), "needs volatility_pct"),
    ],
)
def test_rule_that_makes_no_sense_says_what_to_mend(rule: CapitalRule, text: str) -> None:
    assert text in problem_of(rule)


def test_sound_rules_have_no_problem() -> None:
    for rule in (CapitalRule(basis=CapitalBasis.FIXED, amount=D(1)), weight("1"), weight("0.2", "0", "1")):
        assert problem_of(rule) == ""
    assert problem_of(targeting("5", "0.2", "0.1", "0.4")) == ""


def test_weights_of_more_than_the_account_are_refused_by_name() -> None:
    rules = {StrategyId("one"): weight("0.7"), StrategyId("two"): weight("0.4")}
    assert weights_problem(rules) == "the weights sum up to 1.1, more than the whole account: one 0.7 + two 0.4"
    assert weights_problem({StrategyId("one"): weight("0.6"), StrategyId("two"): weight("0.4")}) == ""
