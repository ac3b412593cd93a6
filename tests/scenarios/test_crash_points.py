"""``kill -9`` at named places of the floor: a slice of the 300 kills of ``python -m tests.scenarios.crash``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.crash.points import POINTS, SLICE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def runs() -> dict[str, dict[str, Any]]:
    """One run of every point of the slice, all by one process."""
    command = [sys.executable, "-m", "tests.scenarios.crash", "--slice"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines, done.stderr
    assert lines[-1]["runs"] == len(SLICE), done.stderr
    return {line["point"]: line for line in lines[:-1]}


@pytest.mark.parametrize("point", SLICE)
def test_floor_killed_there_comes_back_with_every_order_and_fill_once(
    runs: dict[str, dict[str, Any]], point: str
) -> None:
    assert runs[point]["violations"] == []
    assert runs[point]["recovery_s"] > 0


def test_there_are_more_than_sixty_places_each_named_once() -> None:
    names = [point.name for point in POINTS]
    assert len(names) == len(set(names)) >= 60
