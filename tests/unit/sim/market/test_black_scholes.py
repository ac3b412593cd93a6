"""The option model: textbook values, parity, and that implied volatility undoes the price."""

from __future__ import annotations

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibfloor.sim.market.black_scholes import Greeks, greeks, implied_volatility

_UNDER = st.floats(50, 200)
_STRIKE = st.floats(50, 200)
_YEARS = st.floats(0.01, 2)
_VOLATILITY = st.floats(0.05, 1.5)
_RATE = st.floats(0, 0.1)


def option(is_call: bool, under_px: float = 42, strike: float = 40, volatility: float = 0.2) -> Greeks:
    return greeks(is_call=is_call, under_px=under_px, strike=strike, years=0.5, volatility=volatility, rate=0.1)


def test_a_textbook_option_has_its_textbook_price() -> None:
    # stock 42, strike 40, half a year, 10 % rate, 20 % volatility: 4.76 and 0.81
    assert option(is_call=True).px == pytest.approx(4.76, abs=0.005)
    assert option(is_call=False).px == pytest.approx(0.81, abs=0.005)
    assert option(is_call=True).delta == pytest.approx(0.7791, abs=0.0001)


@given(under=_UNDER, strike=_STRIKE, years=_YEARS, volatility=_VOLATILITY, rate=_RATE)
def test_a_call_less_a_put_is_a_forward(
    under: float, strike: float, years: float, volatility: float, rate: float
) -> None:
    call, put = (
        greeks(is_call=kind, under_px=under, strike=strike, years=years, volatility=volatility, rate=rate)
        for kind in (True, False)
    )
    assert call.px - put.px == pytest.approx(under - strike * exp(-rate * years), abs=1e-9)
    assert call.delta - put.delta == pytest.approx(1)
    assert (call.gamma, call.vega) == pytest.approx((put.gamma, put.vega))


@given(is_call=st.booleans(), under=_UNDER, strike=_STRIKE, years=_YEARS, volatility=_VOLATILITY, rate=_RATE)
def test_implied_volatility_gives_the_price_again(
    is_call: bool, under: float, strike: float, years: float, volatility: float, rate: float
) -> None:
    px = greeks(is_call=is_call, under_px=under, strike=strike, years=years, volatility=volatility, rate=rate).px
    implied = implied_volatility(px, is_call=is_call, under_px=under, strike=strike, years=years, rate=rate)
    if implied is None:  # worth no more than without any movement
        assert px < max(0.0, (1 if is_call else -1) * (under - strike * exp(-rate * years))) + 1e-9
        return
    again = greeks(is_call=is_call, under_px=under, strike=strike, years=years, volatility=implied, rate=rate).px
    assert again == pytest.approx(px, abs=1e-7)


@given(is_call=st.booleans(), under=_UNDER, strike=_STRIKE, years=_YEARS, volatility=_VOLATILITY)
def test_greeks_are_the_slopes_of_the_price(
    is_call: bool, under: float, strike: float, years: float, volatility: float
) -> None:
    def px(*, up: float = 0.0, more: float = 0.0, later: float = 0.0) -> float:
        return greeks(
            is_call=is_call,
            under_px=under + up,
            strike=strike,
            years=years - later,
            volatility=volatility + more,
            rate=0.03,
        ).px

    told = greeks(is_call=is_call, under_px=under, strike=strike, years=years, volatility=volatility, rate=0.03)
    step = 1e-4
    assert told.delta == pytest.approx((px(up=step) - px(up=-step)) / (2 * step), abs=1e-4)
    assert told.vega == pytest.approx((px(more=step) - px(more=-step)) / (2 * step) / 100, abs=1e-4)
    assert told.theta == pytest.approx((px(later=1e-6) - px(later=-1e-6)) / 2e-6 / 365, abs=1e-3)


@pytest.mark.parametrize("px", [0.0, -1.0, 41.0, 1000.0])
def test_no_volatility_gives_an_impossible_price(px: float) -> None:
    assert implied_volatility(px, is_call=False, under_px=42, strike=40, years=0.5, rate=0.0) is None


def test_at_expiry_an_option_is_worth_what_exercise_gives() -> None:
    last = greeks(is_call=True, under_px=42, strike=40, years=0, volatility=0.2, rate=0.1)
    assert (last.px, last.delta, last.theta) == (2, 1, 0)
