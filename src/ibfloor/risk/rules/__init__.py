"""The rules, in the order they are asked: cheap and absolute ones first, those that cost a guard last."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext
from ibfloor.risk.limits import AccountLimits, StrategyLimits
from ibfloor.risk.rules import (
    collar,
    duplicate,
    fat_finger,
    gross_exposure,
    halted,
    hours,
    leverage,
    lock,
    margin,
    max_notional,
    max_qty,
    net_exposure,
    open_orders,
    permission,
    position,
    rate,
    reducing,
    rejects,
    repeated,
    restricted,
    self_trade,
    shape,
    venue,
)

__all__ = ["DISABLING", "FAULTS", "RULES", "Rule", "compiled"]

Check = Callable[[OrderRequest, RuleContext], Refusal | None]


def _always(limits: StrategyLimits, account: AccountLimits) -> bool:
    return True


class Rule(NamedTuple):
    """One rule: its name, its check, and whether it has anything to check under some limits."""

    name: str
    check: Check
    is_on: Callable[[StrategyLimits, AccountLimits], bool] = _always


RULES: tuple[Rule, ...] = (
    Rule(permission.RULE, permission.check),
    Rule(reducing.RULE, reducing.check),
    Rule(rejects.RULE, rejects.check, rejects.is_on),
    Rule(duplicate.RULE, duplicate.check),
    Rule(shape.RULE, shape.check),
    Rule(venue.RULE, venue.check),
    Rule(restricted.RULE, restricted.check, restricted.is_on),
    Rule(hours.RULE, hours.check),
    Rule(halted.RULE, halted.check),
    Rule(lock.RULE, lock.check),
    Rule(max_qty.RULE, max_qty.check, max_qty.is_on),
    Rule(max_notional.RULE, max_notional.check, max_notional.is_on),
    Rule(collar.RULE, collar.check),
    Rule(fat_finger.RULE, fat_finger.check, fat_finger.is_on),
    Rule(self_trade.RULE, self_trade.check, self_trade.is_on),
    Rule(open_orders.RULE, open_orders.check, open_orders.is_on),
    Rule(position.RULE, position.check, position.is_on),
    Rule(gross_exposure.RULE, gross_exposure.check, gross_exposure.is_on),
    Rule(net_exposure.RULE, net_exposure.check, net_exposure.is_on),
    Rule(leverage.RULE, leverage.check, leverage.is_on),
    Rule(margin.RULE, margin.check, margin.is_on),
    Rule(rate.RULE, rate.check, rate.is_on),
    Rule(repeated.RULE, repeated.check, repeated.is_on),
)
DISABLING = frozenset({repeated.RULE, rejects.RULE})
"""Rules whose refusal disables the strategy."""
_FAULTY = (shape, venue, duplicate, restricted, max_qty, max_notional, fat_finger, position, open_orders, rate)
FAULTS = frozenset(each.RULE for each in _FAULTY)
"""Rules that refuse an order for what it is, not for what the floor or the market is like now."""


def compiled(limits: StrategyLimits, account: AccountLimits) -> tuple[Check, ...]:
    """Return the checks that have something to check under some limits, in their order."""
    return tuple(rule.check for rule in RULES if rule.is_on(limits, account))
