"""Capital per strategy: by which rule it is found, and what was allocated."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

from ibfloor.model.fact_base import Fact
from ibfloor.model.ids import StrategyId
from ibfloor.model.money import AMOUNT_LIMIT, Currency


class CapitalBasis(StrEnum):
    """What a strategy's capital is measured by."""

    FIXED = "fixed"
    WEIGHT = "weight"
    VOLATILITY = "volatility"


class CapitalRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much a strategy gets. Shares are of the account's net liquidation, 0.2 for a fifth."""

    basis: CapitalBasis
    amount: Decimal | None = None
    """``fixed``: in the account's currency."""
    weight: Decimal | None = None
    """``weight``: its share. ``volatility``: its share while the volatility is not known yet."""
    volatility_pct: Decimal | None = None
    """``volatility``: what it shall add to the account's volatility, in percent a year."""
    band_min: Decimal | None = None
    """While its share stays between the bands, nothing is changed; left out, every change is followed."""
    band_max: Decimal | None = None


class CapitalRuled(Fact, frozen=True, kw_only=True):
    """A person set a strategy's rule while the floor ran; it stands until the rule in floor.toml changes."""

    strategy: StrategyId
    rule: CapitalRule
    configured: CapitalRule | None
    """What floor.toml said then."""
    actor: str

    def counts(self, configured: CapitalRule | None) -> bool:
        """Return whether it still stands beside what floor.toml says now: a file changed since then counts more."""
        return self.configured == configured


class CapitalAllocated(Fact, frozen=True, kw_only=True):
    """A strategy's capital was set: what it sizes its orders by, and what its returns are measured on."""

    strategy: StrategyId
    amount: Decimal
    currency: Currency
    reason: str
    net_liquidation: Decimal | None = None
    """What the account was worth then; not known for a fixed amount set before the first valuation."""


def problem_of(rule: CapitalRule) -> str:
    """Return what is wrong with a rule and how to mend it; empty for a sound one."""
    fields = {"amount": rule.amount, "weight": rule.weight, "volatility_pct": rule.volatility_pct}
    needed = {
        CapitalBasis.FIXED: {"amount"},
        CapitalBasis.WEIGHT: {"weight"},
        CapitalBasis.VOLATILITY: {"weight", "volatility_pct"},
    }[rule.basis]
    for name, value in fields.items():
        if name in needed and value is None:
            return f'basis "{rule.basis}" needs {name}: write it'
        if name not in needed and value is not None:
            return f'basis "{rule.basis}" has no {name}: leave it out'
        if value is not None and value <= 0:
            return f"{name} must be above zero"
        if value is not None and value >= AMOUNT_LIMIT:
            return f"{name} must be less than {AMOUNT_LIMIT:,}"
    if rule.weight is not None and rule.weight > 1:
        return f"weight is a share of the account: at most 1, not {rule.weight:f}"
    return _band_problem(rule)


def _band_problem(rule: CapitalRule) -> str:
    given = [band for band in (rule.band_min, rule.band_max) if band is not None]
    if rule.basis is CapitalBasis.FIXED:
        return 'basis "fixed" has no bands: leave band_min and band_max out' if given else ""
    if any(not 0 <= band <= 1 for band in given):
        return "band_min and band_max are shares of the account: from 0 to 1"
    weight = rule.weight or Decimal(0)
    low = weight if rule.band_min is None else rule.band_min
    high = weight if rule.band_max is None else rule.band_max
    if not low <= weight <= high:
        return f"weight {weight:f} must lie between band_min and band_max"
    return ""


def weights_problem(rules: Mapping[StrategyId, CapitalRule]) -> str:
    """Return what is wrong with all rules together; empty where the account can carry them."""
    weights = {name: rule.weight for name, rule in rules.items() if rule.weight is not None}
    whole = sum(weights.values(), Decimal(0))
    if whole <= 1:
        return ""
    parts = " + ".join(f"{name} {weight:f}" for name, weight in weights.items())
    return f"the weights sum up to {whole:f}, more than the whole account: {parts}"
