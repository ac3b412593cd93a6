"""The examples of docs/gateway.md run as they stand."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ibfloor.sim.gateway.lab import GatewayLab

pytestmark = pytest.mark.slow
GUIDE = Path(__file__).resolve().parents[2] / "docs" / "gateway.md"
PYTHON_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def example(client: str) -> str:
    (block,) = [text for text in PYTHON_BLOCK.findall(GUIDE.read_text()) if f"from {client}" in text]
    return str(block)


async def output_of(code: str, env: dict[str, str]) -> str:
    async with GatewayLab() as lab:
        lab.quote("SPY", "168.00", "168.02")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "ignore",
            "-c",
            code.replace("4002", str(lab.port)),
            env=env,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), 40)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0
        return out.decode()


def test_the_example_with_ib_async_buys() -> None:
    out = asyncio.run(output_of(example("ib_async"), dict(os.environ)))
    assert out.splitlines() == ["bid 168.0 ask 168.02", "Filled at 168.02", "[('SPY', 100.0)]"]


def test_the_example_with_the_official_client_buys(build: str, judge_env: Callable[[str], dict[str, str]]) -> None:
    out = asyncio.run(output_of(example("ibapi"), judge_env(build)))
    bought, held = out.splitlines()[-2:]
    assert re.fullmatch(r"bought 100(\.0)? SPY at 168\.02", bought)
    assert re.fullmatch(r"DU1000001 SPY 100(\.0)?", held)
