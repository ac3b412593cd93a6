"""How much capital a strategy has: rules in, amounts out. Pure; when it is asked decides when it changes."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import assert_never

import msgspec

from ibfloor.model.capital import CapitalBasis, CapitalRule
from ibfloor.portfolio.figures import CENT

BAND = Decimal("0.1")
"""How far a share may move from its target before capital follows, where no bands are given: a tenth of it."""
_HUNDRED = Decimal(100)


class Allotment(msgspec.Struct, frozen=True):
    """An amount to allocate now, and why."""

    amount: Decimal
    reason: str


def allotment(
    rule: CapitalRule, allocated: Decimal | None, net_liquidation: Decimal | None, volatility_pct: Decimal | None
) -> Allotment | None:
    """Return what to allocate now; ``None`` where nothing changes, or where it cannot be known.

    ``volatility_pct``: of the strategy's own returns on its capital, a year; ``None`` while it is not known.
    """
    if rule.basis is CapitalBasis.FIXED:
        assert rule.amount is not None
        return None if allocated == rule.amount else Allotment(rule.amount, "a fixed amount")
    if net_liquidation is None or net_liquidation <= 0:
        return None
    share, why = _target(rule, volatility_pct)
    amount = (net_liquidation * share).quantize(CENT, ROUND_DOWN)
    text = f"{why}: {_percent(share)} of net liquidation"
    if allocated is None:
        return Allotment(amount, text)
    low, high = bands(rule, share)
    now = allocated / net_liquidation
    if low <= now <= high:
        return None
    return Allotment(amount, f"{text}; it was {_percent(now)}, outside {_percent(low)} to {_percent(high)}")


def bands(rule: CapitalRule, target: Decimal) -> tuple[Decimal, Decimal]:
    """Return between which shares of net liquidation nothing is changed.

    Of a weight they are the rule's own; of a volatility target the rule's bound the target itself, and the
    share may move by a tenth around it.
    """
    low, high = target * (1 - BAND), target * (1 + BAND)
    if rule.basis is CapitalBasis.VOLATILITY:
        return low, high
    return (low if rule.band_min is None else rule.band_min), (high if rule.band_max is None else rule.band_max)


def _target(rule: CapitalRule, volatility_pct: Decimal | None) -> tuple[Decimal, str]:
    assert rule.weight is not None
    match rule.basis:
        case CapitalBasis.WEIGHT | CapitalBasis.FIXED:
            return rule.weight, "by weight"
        case CapitalBasis.VOLATILITY:
            if not volatility_pct:
                return _bounded(rule, rule.weight), "its volatility is not known yet, by weight"
            assert rule.volatility_pct is not None
            share = _bounded(rule, rule.volatility_pct / volatility_pct)
            return share, f"{rule.volatility_pct:f} % at its own volatility of {volatility_pct:.1f} %"
        case _:
            assert_never(rule.basis)


def _bounded(rule: CapitalRule, share: Decimal) -> Decimal:
    low = Decimal(0) if rule.band_min is None else rule.band_min
    high = Decimal(1) if rule.band_max is None else rule.band_max
    return min(max(share, low), high)


def _percent(share: Decimal) -> str:
    return f"{(share * _HUNDRED).quantize(Decimal('0.1'))} %"
