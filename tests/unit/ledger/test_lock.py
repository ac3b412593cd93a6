"""A home has one floor at a time; the lock dies with its process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ibfloor.ledger.lock import FloorLock, running_pid
from ibfloor.model.errors import ConfigError

HOLD = """
import sys
from pathlib import Path
from ibfloor.ledger.lock import FloorLock
with FloorLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_second_floor_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    path = tmp_path / "home" / "floor.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert running_pid(path) == holder.pid
        with pytest.raises(ConfigError, match=rf"already runs in .*home \(process {holder.pid}\)"):
            FloorLock(path).acquire()
        holder.kill()
    assert running_pid(path) is None
    with FloorLock(path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_released_home_can_be_had_again(tmp_path: Path) -> None:
    for _ in range(2):
        with FloorLock(tmp_path / "floor.lock"), pytest.raises(ConfigError):
            FloorLock(tmp_path / "floor.lock").acquire()


def test_no_floor_runs_where_there_is_no_lock_file(tmp_path: Path) -> None:
    assert running_pid(tmp_path / "floor.lock") is None
