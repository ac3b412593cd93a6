"""The official clients, each installed beside the repository's own packages by ``make judges``."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ibfloor.sim.gateway.lab import GatewayLab

ROOT = Path(__file__).resolve().parents[2]
JUDGES = ROOT / ".judges"
VERSIONS = {"9.81.1.post1": 157, "10.19.4": 176, "10.37.2": 200, "10.45.1": 200}
"""Each build and the version it must come to speak with the gateway."""
_absent: set[str] = set()

Drive = Callable[[str, GatewayLab], Any]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for build in sorted(_absent):
        terminalreporter.write_line(f"JUDGE ABSENT: ibapi {build} is not in .judges/: run make judges", yellow=True)


@pytest.fixture(params=sorted(VERSIONS))
def build(request: pytest.FixtureRequest) -> str:
    """One installed build of the official client; the test is skipped, and said so, where it is absent."""
    name = str(request.param)
    if not (JUDGES / name / "ibapi").is_dir():
        _absent.add(name)
        pytest.skip(f"ibapi {name} is not installed: run make judges")
    return name


@pytest.fixture
def version_of() -> dict[str, int]:
    return VERSIONS


@pytest.fixture
def judge_env() -> Callable[[str], dict[str, str]]:
    """The environment in which a build imports as ``ibapi``."""
    return lambda build: {**os.environ, "PYTHONPATH": str(JUDGES / build), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def drive(judge_env: Callable[[str], dict[str, str]]) -> Drive:
    """Run the drive script of a build against a lab; return its report."""

    async def run(build: str, lab: GatewayLab) -> dict[str, Any]:
        script = str(Path(__file__).with_name("drive.py"))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "ignore",
            script,
            str(lab.port),
            env=judge_env(build),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                said = json.loads(line)
                if "report" in said:
                    return dict(said["report"])
                lab.quote("SPY", "168.01", "168.03", size=500, after_s=0.5)
                lab.trade("SPY", "168.02", 200, after_s=0.5)
                lab.quote("SPY", "168.00", "168.02", after_s=0.5)
                process.stdin.write(b"moved\n")
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
        raise AssertionError("the judge ended without a report")

    return run
