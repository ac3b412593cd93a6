"""European options after Black, Scholes and Merton: price, Greeks, and the volatility that a price implies.

Numbers are floats: a model is no cash. Times are years, volatilities and rates are per year.
"""

from __future__ import annotations

from math import exp, log, sqrt
from statistics import NormalDist

import msgspec

DAYS_PER_YEAR = 365.0
_NORMAL = NormalDist()
_VOLATILITY_MAX = 10.0
_STEPS = 44  # each halves the span


class Greeks(msgspec.Struct, frozen=True, kw_only=True):
    """An option by the model; theta is per calendar day, vega per point (0.01) of volatility."""

    px: float
    delta: float
    gamma: float
    vega: float
    theta: float


def greeks(*, is_call: bool, under_px: float, strike: float, years: float, volatility: float, rate: float) -> Greeks:
    """Return what an option is worth and how that moves; at or after expiry its inner value."""
    sign = 1.0 if is_call else -1.0
    if years <= 0 or volatility <= 0:
        inner = sign * (under_px - strike * exp(-rate * max(years, 0.0)))
        return Greeks(px=max(inner, 0.0), delta=sign if inner > 0 else 0.0, gamma=0.0, vega=0.0, theta=0.0)
    root = sqrt(years)
    d1 = (log(under_px / strike) + (rate + volatility**2 / 2) * years) / (volatility * root)
    d2 = d1 - volatility * root
    discounted = strike * exp(-rate * years)
    density = _NORMAL.pdf(d1)
    yearly = under_px * density * volatility / (2 * root) + sign * rate * discounted * _NORMAL.cdf(sign * d2)
    return Greeks(
        px=sign * (under_px * _NORMAL.cdf(sign * d1) - discounted * _NORMAL.cdf(sign * d2)),
        delta=sign * _NORMAL.cdf(sign * d1),
        gamma=density / (under_px * volatility * root),
        vega=under_px * density * root / 100,
        theta=-yearly / DAYS_PER_YEAR,
    )


def implied_volatility(
    px: float, *, is_call: bool, under_px: float, strike: float, years: float, rate: float
) -> float | None:
    """Return the volatility at which the model gives a price; ``None`` when none does."""
    if years <= 0 or px <= 0 or under_px <= 0 or strike <= 0:
        return None

    def model(volatility: float) -> float:
        return greeks(
            is_call=is_call, under_px=under_px, strike=strike, years=years, volatility=volatility, rate=rate
        ).px

    low, high = 0.0, _VOLATILITY_MAX
    if not model(low) < px <= model(high):
        return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if model(middle) < px:
            low = middle
        else:
            high = middle
    return high
