"""Style as tests: modules, functions and classes stay small enough to read at once."""

from __future__ import annotations

import ast
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE_LINES_MAX = 400
TEST_LINES_MAX = 600
MODULE_LINES_MEDIAN_MAX = 120
MODULE_LINES_P90_MAX = 300
FUNCTION_LINES_MAX = 70
PUBLIC_METHODS_MAX = 15

SOURCES = sorted((ROOT / "src" / "ibfloor").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
OTHERS = sorted(file for folder in ("examples", "benchmarks", "scripts") for file in (ROOT / folder).rglob("*.py"))


def lines_of(file: Path) -> int:
    return sum(1 for line in file.read_text().splitlines() if line.strip())


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def test_no_module_is_over_its_size() -> None:
    limits = [(SOURCES + OTHERS, MODULE_LINES_MAX), (TESTS, TEST_LINES_MAX)]
    too_long = {name_of(file): n for files, limit in limits for file in files if (n := lines_of(file)) > limit}
    assert too_long == {}


def test_most_modules_are_short() -> None:
    sizes = [n for file in SOURCES if (n := lines_of(file)) > 0]
    assert median(sizes) <= MODULE_LINES_MEDIAN_MAX
    assert quantiles(sizes, n=10)[-1] <= MODULE_LINES_P90_MAX


@pytest.mark.parametrize("file", SOURCES + OTHERS, ids=name_of)
def test_functions_and_classes_are_small(file: Path) -> None:
    text = file.read_text()
    lines = text.splitlines()
    problems = []
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                assert node.end_lineno is not None
                length = sum(1 for line in lines[node.lineno - 1 : node.end_lineno] if line.strip())
                if length > FUNCTION_LINES_MAX:
                    problems.append(f"{node.name} has {length} lines")
            case ast.ClassDef():
                methods = [item for item in node.body if _is_public_method(item)]
                if len(methods) > PUBLIC_METHODS_MAX:
                    problems.append(f"{node.name} has {len(methods)} public methods")
    assert problems == []


def _is_public_method(item: ast.stmt) -> bool:
    if not isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) or item.name.startswith("_"):
        return False
    return not any(ast.unparse(decorator) == "property" for decorator in item.decorator_list)  # reads as an attribute
