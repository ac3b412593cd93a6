"""What can be limited: every parameter with its rule, where it may stand, and which way it loosens."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from enum import Enum

import msgspec

from ibfloor.model.money import AMOUNT_LIMIT
from ibfloor.risk.limits import LimitValue, Scope, ScopeKind


class Kind(Enum):
    """How a parameter's value is written."""

    LIMIT = "a number above zero, or off"
    COUNT = "a whole number above zero, or off"
    NUMBER = "a number above zero"
    WHOLE = "a whole number above zero"
    SWITCH = "true or false"


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One limit's name and nature."""

    rule: str
    kind: Kind = Kind.LIMIT
    is_looser_below: bool = False
    """A smaller number lets more pass (a longer window does not)."""
    is_looser_true: bool = False


def _number(rule: str, kind: Kind = Kind.LIMIT) -> Parameter:
    return Parameter(rule=rule, kind=kind)


def _window(rule: str, kind: Kind = Kind.LIMIT) -> Parameter:
    return Parameter(rule=rule, kind=kind, is_looser_below=True)


def _switch(rule: str, *, is_looser_true: bool) -> Parameter:
    return Parameter(rule=rule, kind=Kind.SWITCH, is_looser_true=is_looser_true)


OF_INSTRUMENT: dict[str, Parameter] = {
    "max_order_qty": _number("R1"),
    "max_order_notional": _number("R2"),
    "collar_pct": _number("R3"),
    "collar_atr": _number("R3"),
    "quote_age_max_s": _number("R3, R12", Kind.NUMBER),
    "fat_finger_median": _number("R4"),
    "fat_finger_adv_pct": _number("R4"),
    "duplicate_window_s": _window("R5"),
    "max_position_qty": _number("R8"),
    "max_position_notional": _number("R8"),
    "max_account_position_qty": _number("R8"),
    "margin_pct": _window("R9", Kind.NUMBER),
    "preview_above": _number("R9"),
    "preview_age_max_s": _number("R9", Kind.NUMBER),
    "allow_self_trade": _switch("R11", is_looser_true=True),
    "entries_when_closed": _switch("R12", is_looser_true=True),
    "allow_short": _switch("R14", is_looser_true=True),
    "restricted": _switch("R14", is_looser_true=False),
}
"""May stand in ``[risk]`` and in the tables of strategies, classes and instruments."""

OF_STRATEGY: dict[str, Parameter] = {
    "order_rate_per_s": _number("R6", Kind.NUMBER),
    "order_burst": _number("R6", Kind.WHOLE),
    "repeat_entries_max": _number("R7", Kind.COUNT),
    "repeat_window_s": _window("R7", Kind.NUMBER),
    "day_loss_max": _number("R10"),
    "drawdown_max": _number("R10"),
    "paper_only": _switch("R14", is_looser_true=False),
    "max_open_orders": _number("guard", Kind.COUNT),
    "max_rejects_in_a_row": _number("guard", Kind.COUNT),
    "loop_lag_max_s": _number("guard"),
}
"""May stand in ``[risk]`` and in the tables of strategies."""

OF_ACCOUNT: dict[str, Parameter] = {
    "max_gross_exposure": _number("R9"),
    "max_net_exposure": _number("R9"),
    "max_leverage": _number("R9"),
    "margin_budget_pct": _number("R9"),
    "order_rate_per_s": _number("R6"),
    "order_burst": _number("R6", Kind.WHOLE),
    "session_rate_per_s": _number("R6"),
    "max_open_orders": _number("guard", Kind.COUNT),
    "day_loss_max": _number("R10"),
    "drawdown_max": _number("R10"),
    "drawdown_max_pct": _number("R10"),
}
"""May stand in ``[risk.account]``; ``max_gross_exposure`` stands in ``[risk]``."""


def parameters_of(kind: ScopeKind) -> dict[str, Parameter]:
    """Return what may be limited in a kind of scope."""
    match kind:
        case ScopeKind.ACCOUNT:
            return OF_ACCOUNT
        case ScopeKind.COMMON | ScopeKind.STRATEGY:
            return OF_INSTRUMENT | OF_STRATEGY
        case ScopeKind.CLASS | ScopeKind.INSTRUMENT:
            return OF_INSTRUMENT


def read_value(scope: Scope, name: str, text: str) -> LimitValue:
    """Return the value a text writes; raise ``ValueError`` that says what is wrong and what would be right."""
    parameter = parameters_of(scope.kind).get(name)
    if parameter is None:
        known = ", ".join(parameters_of(scope.kind))
        raise ValueError(f"{scope} has no limit {name!r}; there are: {known}")
    word = text.strip().lower()
    if parameter.kind is Kind.SWITCH:
        if word not in ("true", "false"):
            raise ValueError(f"{name} is {parameter.kind.value}, not {text!r}")
        return word == "true"
    if word == "off" and parameter.kind in (Kind.LIMIT, Kind.COUNT):
        return None
    try:
        value = Decimal(text.replace("_", ""))
    except InvalidOperation:
        raise ValueError(f"{name} is {parameter.kind.value}, not {text!r}") from None
    is_whole = value.is_finite() and value == value.to_integral_value()
    if not value.is_finite() or value <= 0 or (parameter.kind in (Kind.COUNT, Kind.WHOLE) and not is_whole):
        raise ValueError(f"{name} is {parameter.kind.value}, not {text!r}")
    if value >= AMOUNT_LIMIT:
        raise ValueError(f"{name} is out of bounds: it must be less than {AMOUNT_LIMIT:,}; off switches a limit off")
    return value


def is_loosening(scope: Scope, name: str, before: LimitValue, after: LimitValue) -> bool:
    """Tell whether more may pass under the new value than under the old one."""
    parameter = parameters_of(scope.kind)[name]
    if before == after and type(before) is type(after):
        return False
    if parameter.kind is Kind.SWITCH:
        return bool(after) is parameter.is_looser_true
    if before is None or after is None:
        return after is None
    return after < before if parameter.is_looser_below else after > before


def shown(value: LimitValue) -> str:
    """Return a value as it is written in floor.toml."""
    if value is None:
        return "off"
    return str(value).lower() if isinstance(value, bool) else f"{value:f}"
