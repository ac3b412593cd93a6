"""IB Gateway under IBC: a stand-in for IBC's start script runs our simulated gateway on the port it is told."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ibfloor.config import GatewaySection, IbcSection, Mode
from ibfloor.manager.supervision import RestartPolicy
from ibfloor.model.errors import ConfigError
from ibfloor.ops.credentials import Credentials
from ibfloor.ops.ibc import IbcGateway, check_ibc

pytestmark = pytest.mark.slow

RunOne = Callable[[Coroutine[Any, Any, None]], None]
USER, PASSWORD = "trader", "p\\ss=w#rd"  # what Java's properties read differently when not escaped
LOGIN = Credentials(USER, PASSWORD)
DEADLINE_S = 30.0
IBFLOOR = (sys.executable, "-m", "ibfloor")
# As IBC's does, it reads the ini file that it is told, and starts what listens on the port named there.
SCRIPT = """#!/bin/bash
printf '%s\\n' "$@" > "{folder}/arguments"
env > "{folder}/environment"
for one in "$@"; do case "$one" in --ibc-ini=*) ini="${{one:10}}" ;; esac; done
[[ -e "$ini" ]] || exit 6
cat "$ini" > "{folder}/seen.ini"
port=$(sed -n 's/^OverrideTwsApiPort=//p' "$ini")
echo started >> "{folder}/starts"
[[ -e "{folder}/exit" ]] && exit "$(cat "{folder}/exit")"
"{python}" -m ibfloor gateway --port "$port" &
echo $! > "{folder}/pid"
trap 'kill -TERM $!' TERM INT
wait $!
"""


class StandIn:
    """A folder that looks like an installed IBC."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        script = folder / "scripts" / "ibcstart.sh"
        script.parent.mkdir()
        script.write_text(SCRIPT.format(folder=folder, python=sys.executable))
        script.chmod(0o755)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    def gateway(self, home: Path, *, stop_with_floor: bool = True, login_timeout_s: float = DEADLINE_S) -> IbcGateway:
        ibc = IbcSection(
            path=self.folder,
            version="1037",
            tws_path=self.folder,
            stop_with_floor=stop_with_floor,
            login_timeout_s=login_timeout_s,
        )
        section = GatewaySection.model_validate({"port": self.port, "launcher": "ibc"})
        quick = RestartPolicy(max_restarts=3, window_s=60.0, backoff_s=0.05, backoff_max_s=0.1)
        return IbcGateway(section, ibc, mode=Mode.PAPER, home=home, restarts=quick, credentials=lambda _: LOGIN)

    @property
    def starts(self) -> int:
        return len((self.folder / "starts").read_text().splitlines())

    @property
    def gateway_pid(self) -> int:
        return int((self.folder / "pid").read_text() or 0)  # it is being written


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    folder = tmp_path / "ibc"
    folder.mkdir()
    return StandIn(folder)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not is_true():  # noqa: ASYNC110 - it waits on other processes
            await asyncio.sleep(0.05)


def files_with(text: str, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def is_up(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_gateway_is_started_with_the_login_in_memory_alone(stand_in: StandIn, home: Path, run: RunOne) -> None:
    async def scene() -> None:
        gateway = stand_in.gateway(home)
        await gateway.open()
        try:
            seen = (stand_in.folder / "seen.ini").read_text().splitlines()
            assert f"IbLoginId={USER}" in seen
            assert "IbPassword=p\\\\ss=w#rd" in seen
            assert "TradingMode=paper" in seen
            told = (stand_in.folder / "arguments").read_text() + (stand_in.folder / "environment").read_text()
            assert PASSWORD not in told
            assert "w#rd" not in (home / "logs" / "ibc.log").read_text()
            assert not files_with("w#rd", home)
        finally:
            await gateway.close()
        assert not is_up(stand_in.port)

    run(scene())


def test_a_gateway_that_dies_is_started_again(stand_in: StandIn, home: Path, run: RunOne) -> None:
    async def scene() -> None:
        gateway = stand_in.gateway(home)
        await gateway.open()
        keeping = asyncio.create_task(gateway.keep())
        first = stand_in.gateway_pid
        try:
            os.kill(first, signal.SIGKILL)
            await until(lambda: stand_in.starts == 2 and stand_in.gateway_pid != first and is_up(stand_in.port))
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            await gateway.close()

    run(scene())


def test_the_next_floor_finds_the_gateway_of_the_last_one_logged_in(stand_in: StandIn, home: Path, run: RunOne) -> None:
    async def scene() -> None:
        earlier = stand_in.gateway(home, stop_with_floor=False)
        await earlier.open()
        await earlier.close()
        assert is_up(stand_in.port)

        later = stand_in.gateway(home)
        await later.open()
        assert stand_in.starts == 1
        await later.close()
        await until(lambda: not is_up(stand_in.port))

    run(scene())


def test_a_login_that_fails_says_why(stand_in: StandIn, home: Path, run: RunOne) -> None:
    (stand_in.folder / "exit").write_text("87")

    async def scene() -> None:
        with pytest.raises(ConfigError, match="second factor was not confirmed"):
            await stand_in.gateway(home).open()

    run(scene())


def test_a_password_in_ibcs_file_is_refused_with_its_line(tmp_path: Path, stand_in: StandIn) -> None:
    ini = tmp_path / "config.ini"
    ini.write_text("FIX=no\nIbPassword=s3cret\n")

    with pytest.raises(ConfigError) as refused:
        check_ibc(IbcSection(path=stand_in.folder, version="1037", ini=ini))

    assert f"{ini}:2: IbPassword" in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_an_absent_ibc_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give the folder where IBC is installed"):
        check_ibc(IbcSection(path=tmp_path, version="1037"))


def test_a_floor_starts_its_gateway_and_trades_on_it(tmp_path: Path, stand_in: StandIn) -> None:
    config = tmp_path / "floor.toml"
    subprocess.run([*IBFLOOR, "init", "--config", str(config)], check=True, capture_output=True, timeout=DEADLINE_S)
    text = re.sub(r"(?m)^port = \d+", f'port = {stand_in.port}\nlauncher = "ibc"', config.read_text(), count=1)
    ibc = {
        "path": f"{stand_in.folder}",
        "tws_path": f"{stand_in.folder}",
        "version": "1037",
        "credentials": "environment",
    }
    table = "".join(f'{key} = "{value}"\n' for key, value in ibc.items())
    config.write_text(f"{text}\n[ibc]\n{table}stop_with_floor = true\n")

    ended = subprocess.run(
        [*IBFLOOR, "run", "--config", str(config), "--no-browser", "--for", "2", "--json"],
        env=os.environ | {"TWSUSERID": USER, "TWSPASSWORD": PASSWORD, "IBFLOOR_WEB__PORT": "0"},
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE_S,
    )

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.splitlines()[-1])["books_equal_account"] is True
    assert not is_up(stand_in.port)
    assert PASSWORD not in ended.stdout + ended.stderr
