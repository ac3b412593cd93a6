"""Limits of the risk gate that stop nothing but what a test is about."""

from __future__ import annotations

from msgspec.structs import replace

from ibfloor.model.money import USD
from ibfloor.risk.limits import AccountLimits, LimitValue, Patches, RiskLimits, StrategyLimits

NO_LIMITS = RiskLimits(
    version=1,
    base_currency=USD,
    account=AccountLimits(max_gross_exposure=None),
    strategy=StrategyLimits(
        max_order_qty=None,
        max_order_notional=None,
        max_position_qty=None,
        max_position_notional=None,
        collar_pct=None,
    ),
)


def limits_but(
    account: AccountLimits = NO_LIMITS.account, patches: Patches = NO_LIMITS.patches, **strategy: LimitValue
) -> RiskLimits:
    """Return no limits but the given ones; those of a strategy by their names."""
    return replace(NO_LIMITS, account=account, patches=patches, strategy=replace(NO_LIMITS.strategy, **strategy))
