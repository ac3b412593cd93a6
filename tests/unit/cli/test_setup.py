"""init, password, doctor: getting a floor ready."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ibfloor import __version__
from ibfloor.api.passwords import PasswordFile
from ibfloor.config import FloorSection, FloorSettings, GatewaySection, Mode, RiskSection, load_settings
from ibfloor.manager.risk_officer import officer_path, save
from ibfloor.ops.doctor import Health, _clock, _risk_officer
from ibfloor.ops.gateway_probe import GatewayReport
from ibfloor.strategy.registry import make_strategy

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Ibfloor


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@pytest.fixture
def talkative_port() -> Iterator[int]:
    """Something that answers, but is no gateway."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(64)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


@pytest.fixture
def patient(ibfloor: Ibfloor, tmp_path: Path) -> Callable[[int], None]:
    """A fresh floor.toml for a port, without the recorder: to try ArcticDB takes seconds."""

    def made(port: int) -> None:
        ibfloor("init", "--port", str(port))
        with (tmp_path / "floor.toml").open("a") as file:
            file.write("\n[recorder]\nenabled = false\n")

    return made


def risk() -> RiskSection:
    return RiskSection(
        max_order_qty=None,
        max_order_notional=None,
        max_position_qty=None,
        max_position_notional=None,
        collar_pct=None,
        order_rate_per_s=Decimal(1),
        order_burst=1,
        max_gross_exposure=None,
    )


def checks(ibfloor: Ibfloor) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(ibfloor("doctor", "--json").out)}


def test_init_writes_a_floor_that_loads_with_a_strategy_that_can_be_made(ibfloor: Ibfloor, tmp_path: Path) -> None:
    outcome = ibfloor("init", "--port", "7497")
    settings = load_settings(tmp_path / "floor.toml")
    (section,) = settings.strategies

    assert outcome.code == 0
    assert (settings.gateway.port, settings.floor.mode) == (7497, Mode.PAPER)
    made = make_strategy(section.name, file=section.file, class_name=section.class_name, params=section.params)
    assert made.loaded.class_name == "SmaCross"


def test_init_overwrites_nothing(ibfloor: Ibfloor, tmp_path: Path) -> None:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "sma_cross.py").write_text("# mine")
    assert ibfloor("init").code == 0
    assert (tmp_path / "strategies" / "sma_cross.py").read_text() == "# mine"
    before = (tmp_path / "floor.toml").read_text()
    assert ibfloor("init", "--port", "1").code == 2
    assert (tmp_path / "floor.toml").read_text() == before


def test_the_password_is_kept_as_a_hash_for_its_owner_only(
    ibfloor: Ibfloor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ibfloor("init")
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    assert ibfloor("password", "--stdin").code == 0

    file = tmp_path / "floor-home" / "web-password"
    assert "horse" not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert PasswordFile(file).verify("correct horse battery")


def test_a_short_password_is_refused(ibfloor: Ibfloor, monkeypatch: pytest.MonkeyPatch) -> None:
    ibfloor("init")
    monkeypatch.setattr("sys.stdin", io.StringIO("abc\n"))
    assert ibfloor("password", "--stdin").code == 2


def test_the_doctor_says_what_is_wrong_and_how_to_mend_it(
    ibfloor: Ibfloor, patient: Callable[[int], None], closed_port: int
) -> None:
    patient(closed_port)
    outcome = ibfloor("doctor")
    assert outcome.code == 1
    assert f"FAIL  gateway: 127.0.0.1:{closed_port} cannot be reached" in outcome.out
    assert "-> start IB Gateway or TWS" in outcome.out
    assert "OK    strategy sma-spy: SmaCross" in outcome.out


def test_the_doctor_tells_a_gateway_from_something_else(
    ibfloor: Ibfloor, patient: Callable[[int], None], talkative_port: int
) -> None:
    patient(talkative_port)
    gateway = checks(ibfloor)["gateway"]
    assert gateway["health"] == "fail"
    assert "not as an IB gateway" in gateway["text"]


def test_the_doctor_looks_into_strategy_files(
    ibfloor: Ibfloor, patient: Callable[[int], None], tmp_path: Path, closed_port: int
) -> None:
    patient(closed_port)
    (tmp_path / "strategies" / "sma_cross.py").write_text("import nothing_like_this\n")
    strategy = checks(ibfloor)["strategy sma-spy"]
    assert strategy["health"] == "fail"
    assert "sma_cross.py:1" in strategy["text"]


def test_the_doctor_warns_of_a_home_open_to_others(
    ibfloor: Ibfloor, patient: Callable[[int], None], tmp_path: Path, closed_port: int
) -> None:
    patient(closed_port)
    (tmp_path / "floor-home").mkdir()
    (tmp_path / "floor-home").chmod(0o755)
    home = checks(ibfloor)["home"]
    assert (home["health"], home["mend"]) == ("warn", f"chmod 700 {tmp_path / 'floor-home'}")


def test_the_doctor_stops_at_settings_it_cannot_read(ibfloor: Ibfloor, tmp_path: Path) -> None:
    (tmp_path / "floor.toml").write_text("[gateway]\nport = 'x'\n")
    outcome = ibfloor("doctor")
    assert outcome.code == 1
    assert "line 2, [gateway] port" in outcome.out


def test_the_doctor_survives_a_home_that_cannot_be(
    ibfloor: Ibfloor, patient: Callable[[int], None], tmp_path: Path, closed_port: int
) -> None:
    patient(closed_port)
    (tmp_path / "floor-home").write_text("a file")
    home = checks(ibfloor)["home"]
    assert home["health"] == "fail"
    assert "is a file, and a folder is needed" in home["text"]


def test_the_doctor_finds_the_floor_toml_in_a_home(
    ibfloor: Ibfloor, patient: Callable[[int], None], tmp_path: Path, closed_port: int
) -> None:
    patient(closed_port)
    (tmp_path / "floor-home").mkdir(mode=0o700)
    (tmp_path / "floor.toml").rename(tmp_path / "floor-home" / "floor.toml")
    (tmp_path / "strategies").rename(tmp_path / "floor-home" / "strategies")
    outcome = ibfloor("doctor", "--home", "floor-home")
    assert f"OK    home: {tmp_path / 'floor-home'} can be written" in outcome.out


@pytest.mark.parametrize(
    ("mode", "named", "found"),
    [("live", False, Health.WARN), ("live", True, Health.OK), ("paper", True, Health.OK), ("paper", False, None)],
)
def test_the_doctor_warns_of_a_live_floor_that_nobody_may_open_again(
    tmp_path: Path, mode: str, named: bool, found: Health | None
) -> None:
    settings = FloorSettings(
        floor=FloorSection(mode=Mode(mode), home=tmp_path), gateway=GatewaySection(port=4002), risk=risk()
    )
    if named:
        save(officer_path(tmp_path), "correct horse")
    assert [check.health for check in _risk_officer(settings)] == ([found] if found else [])


@pytest.mark.parametrize(("mode", "mend"), [("live", "a live floor cannot run on one"), ("paper", "follow")])
def test_the_doctor_does_not_send_a_live_floor_to_a_simulated_gateway(tmp_path: Path, mode: str, mend: str) -> None:
    report = GatewayReport(server_version=178, accounts=("DU1",), time_ns=0, is_simulated_clock=True)
    settings = FloorSettings(
        floor=FloorSection(mode=Mode(mode), home=tmp_path), gateway=GatewaySection(port=4002), risk=risk()
    )
    check = _clock(settings, report, 0)
    assert check.health is Health.FAIL
    assert mend in f"{check.text} {check.mend}"
    assert ("follow" in check.mend) is (mode == "paper")


def test_the_password_of_a_named_home_is_written_there(
    ibfloor: Ibfloor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ibfloor("init")
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    assert ibfloor("password", "--stdin", "--home", "elsewhere").code == 0
    assert PasswordFile(tmp_path / "elsewhere" / "web-password").verify("correct horse battery")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["run"], "[floor] home"),
        (["password", "--stdin"], "the password's folder"),
        (["demo", "--no-browser", "--home", "taken/x"], "--home"),
        (["init", "-c", "taken/x/floor.toml"], "--config"),
    ],
)
def test_a_folder_that_cannot_be_made_is_one_message_and_exit_code_2(
    ibfloor: Ibfloor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], named: str
) -> None:
    (tmp_path / "taken").write_text("a file")
    ibfloor("init")
    text = (tmp_path / "floor.toml").read_text().replace('"floor-home"', '"taken/x"')
    (tmp_path / "floor.toml").write_text(text)
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    outcome = ibfloor(*arguments)
    assert outcome.code == 2
    assert named in outcome.err
    assert "taken" in outcome.err
    assert "Traceback" not in outcome.err


def test_the_version_is_told(ibfloor: Ibfloor) -> None:
    outcome = ibfloor("--version")
    assert (outcome.code, outcome.out) == (0, f"ibfloor {__version__}\n")


@pytest.mark.parametrize("command", [[], ["strategy"], ["ledger"]])
def test_groups_show_an_example(ibfloor: Ibfloor, command: list[str]) -> None:
    assert "Examples:\n  " in ibfloor(*command, "-h").out
