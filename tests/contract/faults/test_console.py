"""The fault console of a running gateway: from another process, by a token."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ibfloor.model.errors import ConfigError, ConnectivityError
from ibfloor.sim.faults import FaultPlan
from ibfloor.sim.faults.plan import aimed_at, check_fault, check_plan
from ibfloor.sim.faults.presets import plan_of
from ibfloor.sim.gateway.book import BookReport
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.console import Console, ask_console, console_path, running_consoles
from ibfloor.sim.gateway.faults.points import check_points
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.raw_client import RawClient

IBFLOOR = [sys.executable, "-m", "ibfloor", "gateway"]


@pytest.fixture(autouse=True)
def runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def test_faults_are_armed_listed_and_cleared_and_the_book_is_read(tmp_path: Path) -> None:
    async def scene() -> None:
        async with GatewayLab() as lab, Console(lab.gateway, tmp_path / "console.json") as console:
            client = await RawClient.start(lab.port, 1)
            await client.drain()
            idle = {"name": "idle", "what": {"do": "notice", "code": 2108, "text": "inactive"}}
            answer = await asyncio.to_thread(ask_console, console.path, "inject", faults=[idle])
            assert [(row.name, row.fired) for row in answer.rows] == [("idle", 1)]
            assert (await client.until("error", code=2108))[-1].values["text"] == "inactive"
            with pytest.raises(ConfigError, match="armed already"):
                await asyncio.to_thread(ask_console, console.path, "inject", faults=[idle])
            answer = await asyncio.to_thread(ask_console, console.path, "clear", name="idle")
            assert answer.rows == []
            with pytest.raises(ConfigError, match="no fault is named 'idle'"):
                await asyncio.to_thread(ask_console, console.path, "clear", name="idle")
            book = json.loads(bytes((await asyncio.to_thread(ask_console, console.path, "book")).book))
            assert [row["account"] for row in book["accounts"]] == ["DU1000001"]
            client.close()
        assert not console.path.exists()

    asyncio.run(scene())


def test_the_guides_plan_is_a_plan() -> None:
    guide = Path(__file__).resolve().parents[3] / "docs" / "gateway.md"
    plans = [block for block in re.findall(r"```toml\n(.*?)```", guide.read_text(), re.DOTALL) if "[[faults]]" in block]
    assert plans
    for text in plans:
        plan = msgspec.toml.decode(text.encode(), type=FaultPlan)
        check_plan(plan)
        for fault in plan.faults:
            check_points(fault)


def test_a_fault_is_aimed_at_clients() -> None:
    muted, lost = (plan_of(name).faults[0] for name in ("half-open", "late-fees"))
    assert aimed_at(muted, (3,)).strikes == (3,)
    assert aimed_at(lost, (3,)).when.clients == (3,)
    with pytest.raises(ConfigError, match="hits the whole gateway"):
        check_fault(aimed_at(plan_of("auto-restart").faults[0], (3,)))


def test_without_the_token_nothing_is_told_or_done(tmp_path: Path) -> None:
    async def scene() -> None:
        async with GatewayLab() as lab, Console(lab.gateway, tmp_path / "console.json") as console:
            assert console.path.stat().st_mode & 0o777 == 0o600
            endpoint = json.loads(console.path.read_text())
            for body in (b'{"token":"guess","call":"book"}', b"{}", b"\xff" * 20):
                answer = await asyncio.to_thread(_ask, endpoint["port"], struct.pack(">I", len(body)) + body)
                assert any(word in str(answer["error"]) for word in ("token is not", "cannot be read"))
                assert answer["book"] is None
            assert await asyncio.to_thread(_ask, endpoint["port"], b"\xff" * 50) == {}

    asyncio.run(scene())


def _ask(port: int, data: bytes) -> dict[str, str | None]:
    with socket.create_connection(("127.0.0.1", port), 5) as link:
        link.sendall(data)
        received = b""
        while chunk := link.recv(65536):
            received += chunk
    return dict(json.loads(received[4:])) if received else {}


def test_where_no_gateway_runs_the_console_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConnectivityError, match="no gateway is running here"):
        ask_console(console_path(1), "list")


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    process = subprocess.Popen(
        [*IBFLOOR, "--port", "0", "--start", "09:29", "--symbols", "SPY", "--faults", "tif-preset", "--parent-pipe"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process, json.loads(process.stdout.readline())["port"]
    finally:
        process.kill()
        process.wait(10)
        process.stdin.close()
        process.stdout.close()


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*IBFLOOR, *arguments], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.slow
def test_a_person_breaks_a_running_gateway_from_the_command_line(
    gateway: tuple[subprocess.Popen[str], int],
) -> None:
    process, port = gateway

    async def flood() -> None:
        client = await RawClient.start(port, 1)
        for _ in range(60):
            client.send(ask.REQ_IDS)
        assert await client.is_cut()
        client.close()

    asyncio.run(flood())  # IB's limits hold by default
    listed = json.loads(_run("fault", "list", "--json").stdout)
    assert [row["name"] for row in listed] == ["tif-preset"]
    assert "late-fees" in _run("fault", "inject", "late-fees", "--port", str(port), "--client", "3").stdout
    assert "cannot strike single clients" in _run("fault", "inject", "auto-restart", "--client", "3").stderr
    assert _run("fault", "clear", "nothing").returncode == 2
    assert msgspec.json.decode(_run("book", "--json").stdout, type=BookReport).account == "DU1000001"
    assert "hash" in _run("book").stdout
    assert "one line" not in _run("fault", "presets").stdout
    _run("fault", "inject", "crash")
    assert process.wait(10) == -signal.SIGKILL
    assert running_consoles() == []
    assert _run("fault", "list").returncode == 3
