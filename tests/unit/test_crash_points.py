"""A crash point kills the process that was told so, at the time it was told, and no other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import timeit
from pathlib import Path

import pytest

from ibfloor import crash_points

SCRIPT = """
from pathlib import Path
from ibfloor.crash_points import reach
for number in range(5):
    Path({path!r}).write_text(str(number))
    reach("other")
    reach("here", lambda: Path({path!r}).write_text(f"last words at {{number}}"))
"""


@pytest.mark.parametrize(("spec", "code", "text"), [("here:3", -signal.SIGKILL, "last words at 2"), ("no:1", 0, "4")])
def test_process_dies_at_the_nth_time_and_not_before(tmp_path: Path, spec: str, code: int, text: str) -> None:
    path = tmp_path / "words"
    env = {**os.environ, crash_points.VARIABLE: spec}
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(path=str(path))], env=env, check=False)
    assert (done.returncode, path.read_text()) == (code, text)


def test_place_costs_as_good_as_nothing_while_nobody_asks() -> None:
    assert not crash_points.IS_ARMED
    reach = crash_points.reach
    best_s = min(timeit.repeat(lambda: reach("wire.new.before"), number=10_000, repeat=5)) / 10_000
    assert best_s < 2e-6  # measured: 0.06 us with the lambda around it
