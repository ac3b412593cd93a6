"""From floor.toml's limits to the gate's."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeVar

from pydantic import BaseModel

from ibfloor.config import FloorSettings
from ibfloor.model.money import Currency
from ibfloor.risk.limits import AccountLimits, LimitValue, Patches, RiskLimits, Scope, ScopeKind, StrategyLimits
from ibfloor.risk.parameters import OF_ACCOUNT, OF_INSTRUMENT, OF_STRATEGY


def limits_of(settings: FloorSettings, base: Currency) -> RiskLimits:
    """Return the gate's limits, version 1."""
    risk = settings.risk
    patches: Patches = {}
    for kind, tables in ((ScopeKind.CLASS, risk.of_class), (ScopeKind.INSTRUMENT, risk.instrument)):
        patches |= {Scope(kind, name): _own(table) for name, table in tables.items()}
    for section in settings.strategies:
        patches[Scope(ScopeKind.STRATEGY, section.name)] = _own(settings.overrides_of(section.name))
    common: dict[str, LimitValue] = {name: _exact(getattr(risk, name)) for name in OF_INSTRUMENT | OF_STRATEGY}
    account: dict[str, LimitValue] = {
        name: _exact(getattr(risk if name == "max_gross_exposure" else risk.account, name)) for name in OF_ACCOUNT
    }
    return RiskLimits(
        version=1,
        base_currency=base,
        account=_made(AccountLimits, account),
        strategy=_made(StrategyLimits, common),
        patches={scope: values for scope, values in patches.items() if values},
    )


def _own(section: BaseModel) -> dict[str, LimitValue]:
    return {name: _exact(getattr(section, name)) for name in section.model_fields_set}


def _exact(value: object) -> LimitValue:
    if value is None or isinstance(value, bool | Decimal):
        return value
    return Decimal(str(value))


T = TypeVar("T")


def _made(kind: type[T], values: dict[str, LimitValue]) -> T:
    return kind(**values)
