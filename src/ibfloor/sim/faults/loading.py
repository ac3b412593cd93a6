"""Fault plans from files: ``faults.toml``."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import get_args

import msgspec

from ibfloor.model.errors import ConfigError
from ibfloor.sim.faults.actions import AnyAction
from ibfloor.sim.faults.plan import Fault, FaultPlan, check_fault, check_plan


def load_plan(path: Path) -> FaultPlan:
    """Return the plan of a TOML file; raise ``ConfigError`` that names file, fault and key."""
    try:
        plan = msgspec.toml.decode(path.read_bytes(), type=FaultPlan, dec_hook=_exact)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}{_help(str(error))}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML file: {error}") from error
    try:
        check_plan(plan)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return plan


def read_fault(data: bytes) -> Fault:
    """Return a fault from JSON; raise ``ConfigError`` for one of no use."""
    try:
        fault = msgspec.json.decode(data, type=Fault)
    except msgspec.DecodeError as error:
        raise ConfigError(f"the fault cannot be read: {error}{_help(str(error))}") from error
    check_fault(fault)
    return fault


def _help(error: str) -> str:
    if "Invalid value" in error and error.endswith("what.do`"):
        return f"; it can do {', '.join(sorted(str(one.__struct_config__.tag) for one in get_args(AnyAction)))}"
    if "unknown field" in error and "at `" not in error:
        return f"; a plan has the keys {' and '.join(FaultPlan.__struct_fields__)}, as in [[faults]]"
    return ""


def _exact(kind: type, value: object) -> object:
    if kind is Decimal:
        return Decimal(str(value))
    raise TypeError(f"{kind.__name__} cannot be read")
