"""What a simulation must not look at: the wall's clock, chance without a seed, memory addresses, orders of no order.

The same seed then does the same twice, in another process and on another day; tests/unit/sim/gateway hold that too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SIM = ROOT / "src" / "ibfloor" / "sim"
SOURCES = sorted(SIM.rglob("*.py"))

BANNED = {
    **dict.fromkeys(("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns"), "only the clock tells time"),
    **dict.fromkeys(("time.perf_counter", "time.perf_counter_ns", "time.sleep"), "only the clock tells time"),
    **dict.fromkeys(("datetime.now", "datetime.utcnow", "datetime.today", "date.today"), "only the clock tells time"),
    "FloorClock": "only the clock tells time",
    **dict.fromkeys(
        ("uuid.uuid1", "uuid.uuid4", "uuid1", "uuid4", "os.urandom", "SystemRandom"), "chance needs a seed"
    ),
    **dict.fromkeys(("hash", "id"), "differs from process to process"),
}
ALLOWED = {
    ("gateway/clock.py", "time.monotonic_ns"): "a clock at the speed of the wall's",
    ("gateway/clock.py", "FloorClock"): "a gateway at real time starts now",
    ("gateway/server.py", "FloorClock"): "the last trading day before now",
}
SEEDED = ("Random", "random.Random", "default_rng", "np.random.")
UNORDERED = ("glob", "rglob", "iterdir", "scandir", "listdir")
ORDERLESS_USE = ("sorted", "len", "sum", "min", "max", "any", "all", "set", "frozenset")


def name_of(node: ast.AST) -> str:
    """Return ``a.b.c`` of an expression that is one; empty for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = name_of(node.value)
        return f"{head}.{node.attr}" if head else ""
    return ""


def sets_of(tree: ast.Module) -> set[str]:
    """Return the names that are declared to be sets, as ``self.x`` or ``x``."""
    return {
        name_of(node.target)
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation).startswith(("set[", "frozenset["))
    }


def is_set(node: ast.AST, known: set[str]) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Call):
        return name_of(node.func) in ("set", "frozenset") or (
            name_of(node.func) == "list" and _first_is_set(node, known)
        )
    if isinstance(node, ast.BinOp):
        return is_set(node.left, known) or is_set(node.right, known)
    return name_of(node) in known


def _first_is_set(call: ast.Call, known: set[str]) -> bool:
    return bool(call.args) and is_set(call.args[0], known)


def iterated(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield what is walked through in an order that can matter."""
    harmless = {
        id(argument)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and name_of(node.func) in ORDERLESS_USE
        for argument in node.args
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.For):
            yield node.iter
        elif isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp) and id(node) not in harmless:
            yield from (part.iter for part in node.generators)


def flaws_of(file: str, text: str) -> list[str]:
    """Return what a module does that differs from run to run."""
    tree = ast.parse(text)
    known = sets_of(tree)
    flaws = [f"{line_of(node)}: a set has no order" for node in iterated(tree) if is_set(node, known)]
    in_order = [
        inner for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_sorting(node) for inner in ast.walk(node)
    ]
    for node in ast.walk(tree):
        name = name_of(node)
        if name in BANNED and (file, name) not in ALLOWED and isinstance(getattr(node, "ctx", None), ast.Load):
            flaws.append(f"{line_of(node)}: {name}: {BANNED[name]}")
        elif name.startswith("random.") and name != "random.Random":
            flaws.append(f"{line_of(node)}: {name}: chance needs a seed")
        elif isinstance(node, ast.Call) and not node.args and name_of(node.func).startswith(SEEDED):
            flaws.append(f"{line_of(node)}: {name_of(node.func)}() has no seed")
        elif isinstance(node, ast.Call) and node not in in_order and name_of_method(node) in UNORDERED:
            flaws.append(f"{line_of(node)}: {name_of_method(node)} has no order: put it in sorted()")
    return flaws


def line_of(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0))


def name_of_method(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else name_of(call.func)


def _is_sorting(call: ast.Call) -> bool:
    return name_of(call.func) == "sorted" and bool(call.args)


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.relative_to(SIM).as_posix())
def test_a_module_of_the_simulation_does_the_same_every_time(file: Path) -> None:
    assert flaws_of(file.relative_to(SIM).as_posix(), file.read_text()) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import random\nx = random.random()", "random.random"),
        ("import random\nx = random.choice([1])", "random.choice"),
        ("from random import Random\nx = Random()", "no seed"),
        ("import numpy as np\nx = np.random.default_rng()", "no seed"),
        ("import time\nx = time.time()", "time.time"),
        ("from datetime import datetime\nx = datetime.now()", "datetime.now"),
        ("import uuid\nx = uuid.uuid4()", "uuid.uuid4"),
        ("x = hash('a')", "hash"),
        ("x: set[int] = set()\nfor y in x:\n    print(y)", "a set has no order"),
        (
            "class A:\n    def f(self):\n        self.x: set[int] = set()\n        return [y for y in self.x]",
            "no order",
        ),
        ("for y in {1, 2} - {1}:\n    print(y)", "a set has no order"),
        ("from pathlib import Path\nx = list(Path('.').glob('*'))", "put it in sorted()"),
    ],
)
def test_what_differs_from_run_to_run_is_found(text: str, says: str) -> None:
    assert any(says in flaw for flaw in flaws_of("some.py", text))


@pytest.mark.parametrize(
    "text",
    [
        "from random import Random\nx = Random('seed').random()",
        "x: set[int] = set()\ny = sorted(x)",
        "x: set[int] = set()\ny = all(z > 0 for z in x)",
        "from pathlib import Path\nx = sorted(Path('.').glob('*'))",
        "from pathlib import Path\nx = sorted([*Path('.').glob('*.a'), *Path('.').glob('*.b')])",
    ],
)
def test_what_does_not_is_let_be(text: str) -> None:
    assert flaws_of("some.py", text) == []
