"""The demo's list of strategies can be used as it stands."""

from __future__ import annotations

import tomllib
from pathlib import Path

from ibfloor.model.ids import StrategyId
from ibfloor.strategy.registry import make_strategy

EXAMPLES = Path(__file__).parents[4] / "examples"
TABLES = tomllib.loads((EXAMPLES / "demo_strategies.toml").read_text())["strategy"]


def test_every_example_is_in_the_demo_and_can_be_made() -> None:
    made = [
        make_strategy(
            StrategyId(table["name"]),
            file=EXAMPLES / table["file"],
            class_name=table["class"],
            params=table["params"],
        )
        for table in TABLES
    ]
    assert {each.loaded.file.name for each in made} == {
        path.name for path in EXAMPLES.glob("*.py") if not path.name.startswith("risk_tour")
    }
    assert len({each.name for each in made}) == 5


def test_every_example_may_be_loaded_without_naming_its_class() -> None:
    for table in TABLES:
        assert make_strategy(StrategyId("x"), file=EXAMPLES / table["file"]).loaded.class_name == table["class"]


def test_every_parameter_of_an_example_has_a_default_and_a_schema() -> None:
    for table in TABLES:
        made = make_strategy(StrategyId("x"), file=EXAMPLES / table["file"])
        schema = made.loaded.params_class.model_json_schema()
        assert not schema.get("required")
        assert set(table["params"]) <= set(schema["properties"])
