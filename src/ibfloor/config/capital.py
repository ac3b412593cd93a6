"""``[strategy.capital]``: how much capital a strategy gets."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from ibfloor.config.fields import Positive, Section, not_bool
from ibfloor.model.capital import CapitalBasis, CapitalRule, problem_of

Share = Annotated[Decimal, BeforeValidator(not_bool), Field(ge=0, le=1)]


class CapitalSection(Section):
    """``[strategy.capital]``: what the strategy sees as ``self.capital``, and its returns are measured on."""

    basis: CapitalBasis = Field(
        description='"fixed": an amount; "weight": a share of net liquidation; "volatility": as much as brings the '
        "strategy's share of the account's volatility to volatility_pct."
    )
    amount: Positive | None = Field(None, description='With "fixed": the capital in account currency.')
    weight: Share | None = Field(
        None,
        description='With "weight": the share of net liquidation, 0.2 for a fifth. With "volatility": the share until '
        "20 days of returns are known. All weights together are at most 1.",
    )
    volatility_pct: Positive | None = Field(
        None, description='With "volatility": what the strategy shall add to the account\'s volatility, percent a year.'
    )
    band_min: Share | None = Field(
        None,
        description='With "weight": capital is set anew only when its share of net liquidation falls below; left out, '
        'nine tenths of the weight. With "volatility": the smallest share.',
    )
    band_max: Share | None = Field(
        None, description="As band_min, the other way: left out, eleven tenths of the weight; or the largest share."
    )

    @model_validator(mode="after")
    def _is_sound(self) -> CapitalSection:
        if problem := problem_of(self.rule):
            raise ValueError(problem)
        return self

    @property
    def rule(self) -> CapitalRule:
        """Return the rule that this says."""
        return CapitalRule(
            basis=self.basis,
            amount=self.amount,
            weight=self.weight,
            volatility_pct=self.volatility_pct,
            band_min=self.band_min,
            band_max=self.band_max,
        )
