"""The rules, in the order they are asked: cheap and absolute ones first."""

from __future__ import annotations

from collections.abc import Callable

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext
from ibfloor.risk.rules import (
    collar,
    duplicate,
    gross_exposure,
    hours,
    lock,
    max_notional,
    max_qty,
    permission,
    position,
    rate,
    shape,
    venue,
)

__all__ = ["RULES", "Rule"]

Rule = Callable[[OrderRequest, RuleContext], Refusal | None]

RULES: tuple[tuple[str, Rule], ...] = (
    (permission.RULE, permission.check),
    (duplicate.RULE, duplicate.check),
    (shape.RULE, shape.check),
    (venue.RULE, venue.check),
    (hours.RULE, hours.check),
    (lock.RULE, lock.check),
    (max_qty.RULE, max_qty.check),
    (max_notional.RULE, max_notional.check),
    (collar.RULE, collar.check),
    (position.RULE, position.check),
    (gross_exposure.RULE, gross_exposure.check),
    (rate.RULE, rate.check),
)
