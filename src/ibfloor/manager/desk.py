"""What a strategy is to the floor: its specification, and how it stands now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ibfloor.config import StrategySection
from ibfloor.model.ids import StrategyId


@dataclass(frozen=True, kw_only=True, slots=True)
class StrategySpec:
    """Which strategy to run, and how: a row of floor.toml or an ``AddStrategy`` command."""

    name: StrategyId
    file: Path
    class_name: str
    params: dict[str, Any]
    stop_policy: str
    """``keep``, ``cancel`` or ``flatten``."""


class DeskNow(msgspec.Struct, frozen=True, kw_only=True):
    """What the StrategyManager knows of one strategy at this moment."""

    name: StrategyId
    class_name: str
    state: str
    reason: str
    restarts: int
    client_id: int
    loop_lag_ms: float
    symbols: tuple[str, ...]


def spec_of(section: StrategySection) -> StrategySpec:
    """Return the strategy that a table of floor.toml describes."""
    return StrategySpec(
        name=section.name,
        file=section.file,
        class_name=section.class_name,
        params=dict(section.params),
        stop_policy=section.stop_policy.value,
    )
