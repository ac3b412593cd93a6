"""The command line with a real simulated gateway process behind it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ibfloor.model.errors import ConnectivityError
from ibfloor.ops.gateway_probe import probe_gateway

IBFLOOR = [sys.executable, "-m", "ibfloor"]
pytestmark = pytest.mark.slow


@contextmanager
def simulated_gateway(*arguments: str) -> Iterator[int]:
    child = subprocess.Popen(
        [*IBFLOOR, "gateway", "--port", "0", "--parent-pipe", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdout, child.stdin:
        yield int(json.loads(child.stdout.readline())["port"])
        child.stdin.close()
        assert child.wait(20) == 0


def doctor(folder: Path) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [*IBFLOOR, "doctor", "--json"], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    return {check["name"]: check for check in json.loads(done.stdout)}


@pytest.fixture
def init(tmp_path: Path) -> Callable[[int, str], Path]:
    def made(port: int, extra: str = "") -> Path:
        subprocess.run([*IBFLOOR, "init", "--port", str(port)], cwd=tmp_path, check=True, timeout=30)
        with (tmp_path / "floor.toml").open("a") as file:
            file.write(extra)
        return tmp_path

    return made


def test_the_probe_reads_account_and_time_of_a_gateway_at_real_time() -> None:
    with simulated_gateway("--account", "DU7654321") as port:
        report = probe_gateway("127.0.0.1", port)
    assert report.accounts == ("DU7654321",)
    assert report.server_version >= 157
    assert report.is_simulated_clock is False


def test_the_doctor_wants_a_simulated_clock_to_be_followed(init: Callable[..., Path]) -> None:
    with simulated_gateway("--speed", "60", "--start", "10:00") as port:
        folder = init(port)
        before = doctor(folder)
        with (folder / "floor.toml").open("a") as file:
            file.write('\n[clock]\nfollow = "gateway"\n')
        after = doctor(folder)

    assert before["clock"]["health"] == "fail"
    assert 'follow = "gateway"' in before["clock"]["mend"]
    assert {name: check["health"] for name, check in after.items() if check["health"] != "ok"} == {}


def test_the_doctor_refuses_a_live_account_in_paper_mode(init: Callable[..., Path]) -> None:
    with simulated_gateway("--account", "U1234567") as port:
        account = doctor(init(port))["account"]
    assert account["health"] == "fail"
    assert "live account" in account["text"]


def test_a_demo_whose_gateway_cannot_start_ends_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [*IBFLOOR, "demo", "--home", str(tmp_path), "--market", "replay", "--no-browser"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("ibfloor: the simulated gateway did not start: ")
    assert "--data" in done.stderr
    assert not (tmp_path / "floor.toml").exists()


def test_a_port_in_use_is_told_with_the_port(tmp_path: Path) -> None:
    with simulated_gateway() as port:
        done = subprocess.run(
            [*IBFLOOR, "gateway", "--port", str(port)], capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode in (2, 3)
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_listening_is_a_matter_of_connectivity() -> None:
    with simulated_gateway() as port:
        pass
    with pytest.raises(ConnectivityError, match=str(port)):
        probe_gateway("127.0.0.1", port, timeout_s=2)
