"""Strategy files become classes and objects, or one message that says what to mend."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ibfloor
from ibfloor.model.errors import ConfigError, StrategyError
from ibfloor.model.ids import StrategyId
from ibfloor.strategy.handlers import HANDLERS
from ibfloor.strategy.loader import load_strategy
from ibfloor.strategy.params import StrategyParams
from ibfloor.strategy.registry import make_strategy

GOOD = """
from __future__ import annotations
from ibfloor import Bar, Strategy, StrategyParams

class Params(StrategyParams):
    fast: int = 5
    symbol: str

class Good(Strategy[Params]):
    def on_start(self) -> None: ...
    async def on_bar(self, bar: Bar) -> None: ...
"""
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(source: str) -> Path:
        path = tmp_path / "mine.py"
        path.write_text(source)
        return path

    return to_file


def test_class_parameters_and_handlers_are_found(write: Write) -> None:
    made = make_strategy(StrategyId("good"), file=write(GOOD), params={"symbol": "SPY"})
    assert made.loaded.class_name == "Good"
    assert made.handlers == {"on_start", "on_bar"}
    assert made.params.model_dump() == {"fast": 5, "symbol": "SPY"}
    assert made.strategy.params is made.params
    assert len(made.loaded.version) == 12


def test_two_of_one_class_share_nothing(write: Write) -> None:
    file = write(GOOD)
    first, second = (make_strategy(StrategyId(name), file=file, params={"symbol": name}) for name in "ab")
    assert first.strategy is not second.strategy
    assert first.loaded.strategy_class.__module__ != second.loaded.strategy_class.__module__
    assert (first.params, second.params) != (second.params, first.params)


def test_loading_again_takes_the_file_as_it_is_now(write: Write) -> None:
    before = load_strategy(write(GOOD))
    after = load_strategy(write(GOOD.replace("fast: int = 5", "fast: int = 6")))
    assert after.version != before.version
    assert before.params_class.model_fields["fast"].default == 5
    assert after.params_class.model_fields["fast"].default == 6


def test_strategy_without_parameters_needs_none(write: Write) -> None:
    made = make_strategy(StrategyId("x"), file=write("import ibfloor\nclass X(ibfloor.Strategy): ..."))
    assert type(made.params) is StrategyParams


def test_parameters_of_a_base_class_are_found(write: Write) -> None:
    source = GOOD + "\nclass Better(Good): ...\n"
    assert load_strategy(write(source), "Better").params_class.__name__ == "Params"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import nothing_of_this_name", r"mine\.py:1: the strategy file does not import: ModuleNotFoundError"),
        ("\n\nx = 1 / 0", r"mine\.py:3: .*ZeroDivisionError: division by zero"),
        ("def f(:\n  pass", r"mine\.py:1: .*SyntaxError"),
        ("import sys\nsys.exit(3)", r"mine\.py:2: .*SystemExit: 3"),
        ("\x00", r"mine\.py.*null bytes"),
        ("x = 1", r"mine\.py has no Strategy"),
        ("from ibfloor import Strategy", r"mine\.py has no Strategy"),
        (GOOD + "\nclass Other(Good): ...", r"several strategies \(Good, Other\): say which"),
        (
            "from ibfloor import Strategy\nclass A(Strategy[int]): ...",
            r"A takes <class 'int'> as parameters: make them a subclass of StrategyParams",
        ),
        (
            GOOD + "\n    def on_bra(self, bar: Bar) -> None: ...",
            r"mine\.py:13: Good\.on_bra is no handler and would never be called: did you mean on_bar\?",
        ),
        (
            GOOD + "\n    async def on_blue_moon(self) -> None: ...",
            r"mine\.py:13: Good\.on_blue_moon is no handler .*the handlers are on_start, .*without on_",
        ),
    ],
)
def test_bad_file_is_one_message_with_place_and_mend(write: Write, source: str, message: str) -> None:
    modules = set(sys.modules)
    with pytest.raises(ConfigError, match=message):
        load_strategy(write(source))
    assert not {
        name for name in set(sys.modules) - modules if name.startswith("ibfloor_strategy_mine") and "1 / 0" in source
    }


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no strategy file .*absent\.py"):
        load_strategy(tmp_path / "absent.py")


def test_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the strategy file"):
        load_strategy(tmp_path)


def test_missing_class_lists_those_there_are(write: Write) -> None:
    with pytest.raises(ConfigError, match=r"no strategy class 'Bad'; it has: Good"):
        load_strategy(write(GOOD), "Bad")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, r"strategy 'good': params\.symbol: a value is needed"),
        ({"symbol": "SPY", "fast": "many"}, r"params\.fast: .*valid integer.*got 'many'"),
        ({"symbol": "SPY", "fats": 3}, r"params\.fats: there is no such parameter; did you mean 'fast'\?"),
        ({"symbol": "SPY", "zzz": 3}, r"params\.zzz: .*there are: fast, symbol"),
    ],
)
def test_wrong_parameter_is_named_with_the_strategy(write: Write, params: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_strategy(StrategyId("good"), file=write(GOOD), params=params)


def test_class_that_cannot_be_made_is_the_strategys_fault(write: Write) -> None:
    source = "import ibfloor\nclass X(ibfloor.Strategy):\n  def __init__(self, params): raise KeyError('no')"
    with pytest.raises(StrategyError, match=r"strategy 'x': X cannot be made: KeyError\('no'\)"):
        make_strategy(StrategyId("x"), file=write(source))


def test_the_handlers_are_those_the_floor_calls() -> None:
    names = ["start", "bar", "quote", "trade", "timer", "order", "fill", "position", "offer", "connection", "stop"]
    assert tuple(f"on_{name}" for name in names) == HANDLERS


def test_every_exported_name_is_there() -> None:
    for name in ibfloor.__all__:
        assert getattr(ibfloor, name).__name__ == name
    with pytest.raises(AttributeError):
        _ = ibfloor.Nothing


def test_import_for_authors_brings_no_heavy_library() -> None:
    code = (
        "import sys; from ibfloor import *; "
        "print(sorted({'pandas', 'numpy', 'arcticdb', 'ib_async', 'fastapi', 'asyncio'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
