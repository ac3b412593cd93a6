"""From floor.toml's limits to the gate's."""

from __future__ import annotations

from ibfloor.config import FloorSettings, RiskSection
from ibfloor.model.moment import NS_PER_S
from ibfloor.model.money import Currency
from ibfloor.risk.limits import AccountLimits, RiskLimits, StrategyLimits


def limits_of(settings: FloorSettings, base: Currency) -> RiskLimits:
    """Return the gate's limits, version 1."""
    return RiskLimits(
        version=1,
        base_currency=base,
        account=AccountLimits(max_gross_exposure=settings.risk.max_gross_exposure),
        strategy=_strategy_limits(settings.risk),
        overrides={
            section.name: _strategy_limits(settings.risk_of(section.name))
            for section in settings.strategies
            if section.risk.model_fields_set
        },
    )


def _strategy_limits(section: RiskSection) -> StrategyLimits:
    return StrategyLimits(
        max_order_qty=section.max_order_qty,
        max_order_notional=section.max_order_notional,
        max_position_qty=section.max_position_qty,
        max_position_notional=section.max_position_notional,
        collar_pct=section.collar_pct,
        quote_age_max_ns=int(section.quote_age_max_s * NS_PER_S),
        order_rate_per_s=section.order_rate_per_s,
        order_burst=section.order_burst,
    )
