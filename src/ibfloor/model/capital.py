"""Capital per strategy: by which rule it is found, and what was allocated."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from ibfloor.model.fact_base import Fact
from ibfloor.model.ids import StrategyId
from ibfloor.model.money import Currency


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


class CapitalAllocated(Fact, frozen=True, kw_only=True):
    """A strategy's capital was set: what it sizes its orders by, and what its returns are measured on."""

    strategy: StrategyId
    amount: Decimal
    currency: Currency
    reason: str
    net_liquidation: Decimal | None = None
    """What the account was worth then; not known for a fixed amount set before the first valuation."""
