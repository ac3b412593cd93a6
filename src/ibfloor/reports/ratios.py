"""Ratios of a record from libraries that others maintain: the extra ``ibfloor[reports]``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date
from decimal import Decimal

import msgspec

from ibfloor.model.errors import FloorError
from ibfloor.model.moment import NS_PER_S, to_datetime
from ibfloor.portfolio.figures import Figure
from ibfloor.portfolio.returns import DayReturn, Stretch, investor_flows

HOW_TO_INSTALL = "these need the extra: pip install 'ibfloor[reports]'"
_TRADING_DAYS = 252
_DAY_S = 86_400


class NoRatios(FloorError):
    """The libraries are not installed; the text says how."""


class Ratios(msgspec.Struct, frozen=True, kw_only=True):
    """What daily returns say; ``None`` where they are too few or all alike. No risk-free rate is taken off."""

    days: int
    annual_return: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    max_drawdown: float | None
    calmar: float | None
    best_day: float | None
    worst_day: float | None
    positive_days: float | None
    """As a share of all days."""


def ratios(days: Sequence[DayReturn]) -> Ratios | str:
    """Return the ratios of daily returns, annualised over 252 days; a text where a day is not known.

    Raises ``NoRatios`` when the extra is not installed.
    """
    try:
        import empyrical
    except ImportError:
        raise NoRatios(HOW_TO_INSTALL) from None
    import numpy as np

    unknown = next((day for day in days if day.growth.value is None), None)
    if unknown is not None:
        return f"{unknown.day}: {unknown.growth.why}"
    returns = np.array([float(day.growth.value) for day in days if day.growth.value is not None])
    if not returns.size:
        return "there is no day yet"
    with np.errstate(divide="ignore", invalid="ignore"):
        return Ratios(
            days=int(returns.size),
            annual_return=_finite(empyrical.annual_return(returns, annualization=_TRADING_DAYS)),
            volatility=_finite(empyrical.annual_volatility(returns, annualization=_TRADING_DAYS)),
            sharpe=_finite(empyrical.sharpe_ratio(returns, annualization=_TRADING_DAYS)),
            sortino=_finite(empyrical.sortino_ratio(returns, annualization=_TRADING_DAYS)),
            max_drawdown=_finite(empyrical.max_drawdown(returns)),
            calmar=_finite(empyrical.calmar_ratio(returns, annualization=_TRADING_DAYS)),
            best_day=_finite(returns.max()),
            worst_day=_finite(returns.min()),
            positive_days=_finite((returns > 0).mean()),
        )


def money_weighted(stretches: Sequence[Stretch]) -> Figure:
    """Return the yearly rate at which all money grew that was there, each sum for its own time (XIRR).

    Dates are days in UTC. Raises ``NoRatios`` when the extra is not installed.
    """
    try:
        import pyxirr
    except ImportError:
        raise NoRatios(HOW_TO_INSTALL) from None
    flows = investor_flows(stretches)
    unknown = next((amount for _, amount in flows if amount.value is None), None)
    if unknown is not None:
        return unknown
    if not flows or flows[-1][0] - flows[0][0] < _DAY_S * NS_PER_S:
        return Figure(None, "less than a day has passed")
    dates = [_day(ts_ns) for ts_ns, _ in flows]
    rate = pyxirr.xirr(dates, [float(amount.value or 0) for _, amount in flows], silent=True)
    if rate is None or not math.isfinite(rate):
        return Figure(None, "no yearly rate explains these flows")
    return Figure(Decimal(repr(rate)))


def over_the_time(rate: Figure, stretches: Sequence[Stretch]) -> Figure:
    """Return what a yearly rate comes to over the stretches' whole time."""
    if rate.value is None:
        return rate
    days = (_day(stretches[-1].end_ns) - _day(stretches[0].start_ns)).days
    return Figure(Decimal(repr((1 + float(rate.value)) ** (days / 365) - 1)))


def _day(ts_ns: int) -> date:
    return to_datetime(ts_ns, UTC).date()


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
