"""Unmodified official clients against the gateway, each at the version it negotiates."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from ibfloor.sim.gateway.lab import GatewayLab

MINUTE_NS = 60 * 1_000_000_000
pytestmark = pytest.mark.slow


def test_an_official_client_goes_through_everything_without_a_complaint(
    build: str, version_of: dict[str, int], drive: Callable[[str, GatewayLab], Coroutine[Any, Any, dict[str, Any]]]
) -> None:
    async def scene() -> None:
        async with GatewayLab() as lab:
            lab.quote("SPY", "168.00", "168.02")
            closes = ["167.5", "167.6", "167.7", "167.8", "168"]
            lab.market.give_history("SPY", lab.start_ns - 5 * MINUTE_NS, MINUTE_NS, closes)
            report = await asyncio.wait_for(drive(build, lab), 50)
        assert report["failures"] == []
        assert report["log"] == []
        assert report["alive"]
        assert report["passed"] == report["steps"]
        assert report["version"] == version_of[build]

    asyncio.run(scene())


def test_every_request_of_an_official_client_is_answered(
    build: str, judge_env: Callable[[str], dict[str, str]]
) -> None:
    # on a market that moves by itself, and asked too quickly for the broker's limits
    options = "--port 0 --parent-pipe --limits off --speed 5 --start 10:00 --seed 7"
    gateway = subprocess.Popen(
        [sys.executable, "-m", "ibfloor", "gateway", *options.split()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert gateway.stdin is not None
    assert gateway.stdout is not None
    try:
        port = json.loads(gateway.stdout.readline())["port"]
        script = str(Path(__file__).with_name("every.py"))
        done = subprocess.run(
            [sys.executable, "-W", "ignore", script, str(port)],
            env=judge_env(build),
            capture_output=True,
            text=True,
            timeout=50,
            check=True,
        )
    finally:
        gateway.stdin.close()
        gateway.wait(10)
        gateway.stdout.close()
    said = json.loads(done.stdout)
    assert {name: flaw for name, flaw in said["report"].items() if flaw} == {}
    assert len(said["report"]) > 60
    assert said["alive"]
