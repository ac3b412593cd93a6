"""Examples made as floor.toml makes them, and seeded walks to trade on."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ibfloor.model.ids import StrategyId
from ibfloor.strategy.registry import MadeStrategy, make_strategy

if TYPE_CHECKING:
    from tests.unit.strategy.conftest import Desk

EXAMPLES = Path(__file__).parents[4] / "examples"


def demo_tables() -> dict[str, dict[str, Any]]:
    tables = tomllib.loads((EXAMPLES / "demo_strategies.toml").read_text())["strategy"]
    return {table["name"]: table for table in tables}


def make(name: str, **params: object) -> MadeStrategy:
    table = demo_tables()[name]
    return make_strategy(
        StrategyId(name),
        file=EXAMPLES / table["file"],
        class_name=table["class"],
        params=table["params"] | params,
    )


@pytest.fixture
def demo_desk(make_desk: Callable[..., Desk]) -> Callable[..., Desk]:
    def build(name: str, *, at: str = "09:30", **params: object) -> Desk:
        return make_desk(make(name, **params).strategy, at=at)

    return build


@pytest.fixture
def walk() -> Callable[..., Iterator[float]]:
    def prices(start: float, *, seed: int, step_bps: float) -> Iterator[float]:
        dice, px = random.Random(seed), start
        while True:
            px *= 1 + dice.gauss(0, step_bps) / 10_000
            yield round(px, 2)

    return prices
