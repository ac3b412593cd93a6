from __future__ import annotations

import builtins
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibfloor.portfolio.chronicle import day_bounds
from ibfloor.portfolio.figures import Figure
from ibfloor.portfolio.returns import NO_BASE, Stretch, by_day, time_weighted, worst_drawdown
from ibfloor.reports.ratios import HOW_TO_INSTALL, NoRatios, Ratios, money_weighted, over_the_time, ratios

UTC = ZoneInfo("UTC")


def stretch(day: str, base: str, pnl: str, inflow: str = "0", *, until: str = "") -> Stretch:
    start_ns, end_ns = day_bounds(day, UTC)
    return Stretch(
        start_ns=start_ns,
        end_ns=day_bounds(until, UTC)[0] if until else end_ns,
        base=Figure(Decimal(base)),
        inflow=Figure(Decimal(inflow)),
        pnl=Figure(Decimal(pnl)),
    )


def days_of(*growths: str) -> list[Stretch]:
    return [stretch(f"2026-03-{number + 2:02}", "1", growth) for number, growth in enumerate(growths)]


def told(*growths: str) -> Ratios:
    found = ratios(by_day(days_of(*growths), UTC))
    assert isinstance(found, Ratios)
    return found


@pytest.mark.slow
def test_ratios_of_four_days_by_hand() -> None:
    found = told("0.01", "-0.02", "0.03", "0")
    # mean 0.005; deviations 0.005 -0.025 0.025 -0.005: variance 0.0013/3; annualised by 252.
    deviation = (0.0013 / 3) ** 0.5
    assert found.volatility == pytest.approx(deviation * 252**0.5)
    assert found.sharpe == pytest.approx(0.005 / deviation * 252**0.5)
    assert found.sortino == pytest.approx(0.005 / (0.0004 / 4) ** 0.5 * 252**0.5)
    assert found.max_drawdown == pytest.approx(-0.02)
    assert found.annual_return == pytest.approx((1.01 * 0.98 * 1.03) ** (252 / 4) - 1)
    assert (found.best_day, found.worst_day, found.positive_days, found.days) == (0.03, -0.02, 0.5, 4)


def test_drawdown_of_the_library_is_ours() -> None:
    parts = days_of("0.1", "-0.2", "0.5", "-0.1")
    ours = worst_drawdown(day.growth for day in by_day(parts, UTC)).value
    assert ours is not None
    assert told("0.1", "-0.2", "0.5", "-0.1").max_drawdown == pytest.approx(float(ours))


def test_ratio_that_has_no_value_is_none_and_never_infinite() -> None:
    assert told("0").sharpe is None
    assert told("0.01", "0.01").sortino is None


def test_day_that_is_not_known_leaves_no_ratio_and_is_named() -> None:
    parts = [*days_of("0.01"), stretch("2026-03-05", "0", "7")]
    assert ratios(by_day(parts, UTC)) == f"2026-03-05: {NO_BASE}"


def test_money_weighted_return_weighs_by_what_was_there() -> None:
    # 1000 earn nothing for a year, then 9000 more come in and the 10000 earn 10 %.
    parts = [
        stretch("2025-01-01", "1000", "0", until="2026-01-01"),
        stretch("2026-01-01", "10000", "1000", inflow="9000", until="2027-01-01"),
    ]
    rate = money_weighted(parts).value
    assert rate is not None
    growth = 1 + float(rate)
    assert 1000 * growth**2 + 9000 * growth == pytest.approx(11000)
    assert 0.08 < float(rate) < 0.1
    assert time_weighted(parts).value == Decimal("0.1")


@given(st.lists(st.decimals("-0.2", "0.3", places=3), min_size=2, max_size=6))
@settings(max_examples=25, deadline=None)
def test_without_flows_money_weighted_is_time_weighted(growths: list[Decimal]) -> None:
    level, parts = Decimal(1000), []
    for number, growth in enumerate(growths):
        day, after = f"2026-{number + 1:02}-01", f"2026-{number + 2:02}-01"
        parts.append(stretch(day, str(level), str(level * growth), until=after))
        level += level * growth
    rate, whole = money_weighted(parts), time_weighted(parts).value
    assert whole is not None
    earned = over_the_time(rate, parts).value
    assert earned is not None
    assert float(earned) == pytest.approx(float(whole), abs=1e-6)


def test_money_weighted_return_that_cannot_be_is_told() -> None:
    short = Stretch(start_ns=0, end_ns=10, base=Figure(Decimal(1)), inflow=Figure(Decimal(0)), pnl=Figure(Decimal(0)))
    assert money_weighted([short]) == Figure(None, "less than a day has passed")
    lost = Stretch(start_ns=0, end_ns=10**18, base=Figure(None, "no rate of EUR"), inflow=short.inflow, pnl=short.pnl)
    assert money_weighted([lost]) == Figure(None, "no rate of EUR")


def test_missing_extra_is_told_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *args: Any, **more: Any) -> Any:
        if name in ("empyrical", "pyxirr"):
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    for ask in (lambda: ratios(by_day(days_of("0.1"), UTC)), lambda: money_weighted(days_of("0.1"))):
        with pytest.raises(NoRatios, match=r"pip install 'ibfloor\[reports\]'"):
            ask()
    assert "ibfloor[reports]" in HOW_TO_INSTALL
