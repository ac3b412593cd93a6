"""Whole trading platforms, each in an environment of its own made by ``make peers``, against a spawned gateway."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ibfloor.sim.gateway.book import BookReport
from ibfloor.sim.gateway.console import ask_console, console_path

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".peers"
_absent: set[str] = set()

Drive = Callable[[str], Coroutine[Any, Any, tuple[dict[str, Any], BookReport]]]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for peer in sorted(_absent):
        terminalreporter.write_line(f"PEER ABSENT: {peer} is not in .peers/: run make peers", yellow=True)


async def _run(python: Path, script: str, home: Path) -> tuple[dict[str, Any], BookReport]:
    gateway = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ibfloor", "gateway", "--port", "0", "--parent-pipe"),
        *("--speed", "5", "--start", "10:00", "--seed", "7", "--securities", "world"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert gateway.stdout is not None
    peer = None
    try:
        port = int(json.loads(await gateway.stdout.readline())["port"])
        peer = await asyncio.create_subprocess_exec(
            *(python, "-W", "ignore", Path(__file__).with_name(script), str(port)),
            cwd=home,
            env={**os.environ, "HOME": str(home)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await peer.communicate()
        said = [json.loads(line) for line in out.decode().splitlines() if line.startswith('{"report"')]
        assert said, f"the peer ended with code {peer.returncode} and no report: {err.decode()[-2000:]}"
        book = msgspec.json.decode(ask_console(console_path(port), "book").book, type=BookReport)
        return said[0]["report"], book
    finally:
        for process in (peer, gateway):
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()


@pytest.fixture
def drive(tmp_path: Path) -> Drive:
    """Run a peer's script to its end; return its report and the gateway's own book after it."""

    async def run(peer: str) -> tuple[dict[str, Any], BookReport]:
        python = PEERS / peer / "bin" / "python"
        if not (PEERS / peer / ".done").is_file():
            _absent.add(peer)
            pytest.skip(f"{peer} is not installed: run make peers")
        (tmp_path / ".vntrader").mkdir()  # where vn.py keeps its files, else in the user's home
        return await asyncio.wait_for(_run(python, f"drive_{peer}.py", tmp_path), 100)

    return run


@pytest.fixture
def held() -> Callable[[BookReport], dict[str, Decimal]]:
    """The positions of a book by symbol, without those that are flat."""
    return lambda book: {row.symbol: row.qty for row in book.positions if row.qty}
