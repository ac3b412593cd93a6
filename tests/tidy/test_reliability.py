"""The page of other projects' troubles names every thread that a test plays, and every test there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROWS = tomllib.loads((ROOT / "docs" / "reliability.toml").read_text())["row"]
PAGE = ROOT / "docs" / "reliability.md"
_MARK = re.compile(r"@(?:pytest\.mark\.)?thread\(\"([^\"]+)\"\)")


def played() -> set[str]:
    return {name for file in sorted((ROOT / "tests").rglob("test_*.py")) for name in _MARK.findall(file.read_text())}


def test_every_thread_that_a_test_plays_has_a_row() -> None:
    assert played() <= {name for row in ROWS for name in row["threads"]}


def test_page_shows_each_row_and_which_of_them_are_played() -> None:
    names = played()
    for row in ROWS:
        (line,) = [
            line for line in PAGE.read_text().splitlines() if line.startswith(f"| {', '.join(row['threads'])} |")
        ]
        assert row["happened"] in line
        assert line.endswith("not played yet |") is names.isdisjoint(row["threads"]), "run scripts/reliability.py"


def test_every_test_on_the_page_exists() -> None:
    for file, test in re.findall(r"`(test_\w+\.py)::(\w+)`", PAGE.read_text()):
        assert any(f"def {test}(" in found.read_text() for found in sorted((ROOT / "tests").rglob(file)))
