"""The limits an order is checked against. ``None`` means written down as off, never forgotten."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.ids import StrategyId
from ibfloor.model.money import Currency


class StrategyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one strategy may do at most. Notionals in the base currency, times in market time."""

    max_order_qty: Decimal | None
    max_order_notional: Decimal | None
    max_position_qty: Decimal | None
    """Per instrument, all working orders on the worse side counted as filled."""
    max_position_notional: Decimal | None
    collar_pct: Decimal | None
    """How far through the market an order's price may be."""
    quote_age_max_ns: int
    """Oldest price a market order may rest on."""
    order_rate_per_s: Decimal | None
    order_burst: int


class AccountLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What all books together may do at most."""

    max_gross_exposure: Decimal | None
    max_position_qty: Decimal | None = None
    order_rate_per_s: Decimal | None = None
    order_burst: int = 1


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True):
    """All limits; every approval records the version it was given under."""

    version: int
    base_currency: Currency
    account: AccountLimits
    strategy: StrategyLimits
    overrides: dict[StrategyId, StrategyLimits] = {}

    def of(self, strategy: StrategyId) -> StrategyLimits:
        """Return a strategy's limits: its own where it has some, else the common ones."""
        return self.overrides.get(strategy, self.strategy)
