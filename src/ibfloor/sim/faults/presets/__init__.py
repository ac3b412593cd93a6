"""Named fault plans, each with one line on what it does."""

from __future__ import annotations

from pathlib import Path

from ibfloor.model.errors import ConfigError
from ibfloor.sim.faults.loading import load_plan
from ibfloor.sim.faults.plan import Fault, FaultPlan
from ibfloor.sim.faults.presets.connections import CONNECTIONS
from ibfloor.sim.faults.presets.data import DATA
from ibfloor.sim.faults.presets.making import Preset
from ibfloor.sim.faults.presets.orders import ORDERS

__all__ = ["PRESETS", "Preset", "plan_of"]

PRESETS: dict[str, Preset] = {**CONNECTIONS, **DATA, **ORDERS}


def plan_of(name_or_file: str, seed: int = 1) -> FaultPlan:
    """Return the plan of a preset or of a file; several presets with commas between.

    Raises ``ConfigError`` for a name that is none, or a file that cannot be read.
    """
    if name_or_file.endswith(".toml"):
        return load_plan(Path(name_or_file))
    faults: list[Fault] = []
    for name in name_or_file.split(","):
        preset = PRESETS.get(name.strip())
        if preset is None:
            raise ConfigError(
                f"{name.strip()!r} is no preset: 'ibfloor gateway fault presets' lists them; a file ends in .toml"
            )
        faults += preset.faults
    return FaultPlan(seed=seed, faults=tuple(faults))
