"""Fault plans from files: ``faults.toml``."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec

from ibfloor.model.errors import ConfigError
from ibfloor.sim.faults.plan import Fault, FaultPlan, check_fault, check_plan


def load_plan(path: Path) -> FaultPlan:
    """Return the plan of a TOML file; raise ``ConfigError`` that names file, fault and key."""
    try:
        plan = msgspec.toml.decode(path.read_bytes(), type=FaultPlan, dec_hook=_exact)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
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
        raise ConfigError(f"the fault cannot be read: {error}") from error
    check_fault(fault)
    return fault


def _exact(kind: type, value: object) -> object:
    if kind is Decimal:
        return Decimal(str(value))
    raise TypeError(f"{kind.__name__} cannot be read")
