"""Commands to a running floor, the kill switch without one, and bad input."""

from __future__ import annotations

import getpass
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ibfloor.ledger.latch import KillLatch, KillLatches
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.model.command import (
    AddStrategy,
    Command,
    Denied,
    FlattenKilled,
    Kill,
    PauseStrategy,
    ResumeStrategy,
    StartStrategy,
    StopStrategy,
    Unkill,
)

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Desk, Ibfloor


@pytest.mark.parametrize(
    ("verb", "kind"),
    [("start", StartStrategy), ("stop", StopStrategy), ("pause", PauseStrategy), ("resume", ResumeStrategy)],
)
def test_a_strategy_command_reaches_the_floor_under_the_users_name(
    ibfloor: Ibfloor, desk: Desk, verb: str, kind: type[StartStrategy]
) -> None:
    outcome = ibfloor("strategy", verb, "sma-spy")

    (command,) = desk.commands
    assert isinstance(command, kind)
    assert command.strategy == "sma-spy"
    assert command.actor == f"{getpass.getuser()} (cli)"
    assert (outcome.code, outcome.out) == (0, "as you wish\n")


def test_every_command_has_an_id_of_its_own(ibfloor: Ibfloor, desk: Desk) -> None:
    for _ in range(3):
        ibfloor("strategy", "start", "x")
    assert len({command.command_id for command in desk.commands}) == 3


def test_a_denied_command_exits_with_1_and_says_why(ibfloor: Ibfloor, desk: Desk) -> None:
    desk.answer = Denied('there is no strategy "x": the floor has sma-spy')
    outcome = ibfloor("strategy", "stop", "x")
    assert outcome.code == 1
    assert outcome.err == 'denied: there is no strategy "x": the floor has sma-spy\n'


def test_add_sends_the_file_and_parameters_with_their_types(ibfloor: Ibfloor, desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "pair.py").write_text("")
    ibfloor(
        "strategy", "add", "pair", "pair.py", "--class", "Pair", "-p", "qty=50", "-p", "legs=['KO','PEP']", "-p", "a=KO"
    )

    (command,) = desk.commands
    assert isinstance(command, AddStrategy)
    assert command.file == str(tmp_path / "pair.py")
    assert command.params == {"qty": 50, "legs": ["KO", "PEP"], "a": "KO"}
    assert (command.class_name, command.start) == ("Pair", True)


@pytest.mark.parametrize("arguments", [["nofile.py"], ["pair.py", "-p", "qty"], ["pair.py", "-p", "=3"]])
def test_a_wrong_add_asks_the_floor_nothing(ibfloor: Ibfloor, desk: Desk, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "pair.py").write_text("")
    outcome = ibfloor("strategy", "add", "pair", *arguments)
    assert outcome.code == 2
    assert outcome.err.startswith("ibfloor: ")
    assert desk.commands == []


FLOOR_WITH_PAIRS = """
[gateway]
port = 4002
[floor]
home = "floor-home"
[risk]
max_order_qty = "off"
max_order_notional = "off"
max_position_qty = "off"
max_position_notional = "off"
collar_pct = "off"
max_gross_exposure = "off"
order_rate_per_s = 5
order_burst = 10
[[strategy]]
name = "pairs"
file = "pairs.py"
"""


def test_kill_and_unkill_go_to_a_running_floor(ibfloor: Ibfloor, desk: Desk, home: Path) -> None:
    assert ibfloor("kill", "runaway", "--flatten", "--yes").code == 0
    assert ibfloor("unkill", "checked").code == 0

    kill, flatten, unkill = desk.commands
    assert isinstance(kill, Kill)
    assert (kill.reason, kill.scope) == ("runaway", "account")
    assert isinstance(flatten, FlattenKilled)
    assert isinstance(unkill, Unkill)
    latched = KillLatch(LedgerPaths(home).latch).state()  # before anything is asked: it holds whoever is dead
    assert latched is not None
    assert latched.reason == "runaway"


def test_kill_without_a_floor_latches_on_disk_and_does_not_claim_more(ibfloor: Ibfloor, home: Path) -> None:
    outcome = ibfloor("kill", "smoke in the room")

    state = KillLatch(LedgerPaths(home).latch).state()
    assert state is not None
    assert (state.reason, state.actor) == ("smoke in the room", f"{getpass.getuser()} (cli)")
    assert outcome.code == 3
    assert "NOT confirmed" in outcome.err


def test_kill_reaches_the_floor_though_the_latch_cannot_be_written(ibfloor: Ibfloor, desk: Desk, home: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # as a full disk: no file takes a byte
    try:
        outcome = ibfloor("kill", "the disk is full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert outcome.code == 0
    assert KillLatch(LedgerPaths(home).latch).state() is None
    (kill,) = desk.commands
    assert isinstance(kill, Kill)


def test_kill_does_not_claim_to_be_latched_where_home_is_a_file(ibfloor: Ibfloor, home: Path) -> None:
    home.rmdir()
    home.write_text("a file")
    outcome = ibfloor("kill")
    assert outcome.code == 2
    assert "is a file, and a folder is needed" in outcome.err
    assert "latched" not in outcome.out


def test_kill_works_though_floor_toml_is_broken(ibfloor: Ibfloor, desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "floor.toml").write_text('[floor]\nhome = "floor-home"\n[gateway]\nprot = "x"\n[risk]\n')
    assert ibfloor("kill").code == 0
    assert isinstance(desk.commands[0], Command)


def test_unkill_without_a_floor_is_refused(ibfloor: Ibfloor, home: Path) -> None:
    KillLatch(LedgerPaths(home).latch).latch("me", "x")
    assert ibfloor("unkill", "because").code == 3
    assert KillLatch(LedgerPaths(home).latch).state() is not None


BAD_FILES = {
    "broken.toml": "x = [",
    "odd.toml": "nonsense = 1",
    "unheard.toml": '[[faults]]\nname = "x"\nwhat = { do = "boom" }\n',
}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["gateway", "--market", "replay"], "--data"),
        (["gateway", "--market", "dream"], "generated"),
        (["gateway", "--market", "replay", "--data", "nowhere"], "nowhere"),
        (["gateway", "--start", "9:26am"], "HH:MM"),
        (["gateway", "--cash", "much"], "write an amount"),
        (["gateway", "--speed", "5000"], "1000"),
        (["gateway", "--host", "0.0.0.0"], "127.0.0.1, localhost or ::1"),
        (["gateway", "--host", "nowhere"], "127.0.0.1, localhost or ::1"),
        (["gateway", "--currency", "ZZZ"], "EUR, USD; more of them come with --securities world"),
        (["gateway", "--account", "DU 1"], "letters and digits"),
        (["gateway", "--book", "no-such-folder/book.json"], "its folder is not there"),
        (["gateway", "--faults", "broken.toml"], "broken.toml is no TOML file"),
        (["gateway", "--faults", "odd.toml"], "a plan has the keys seed and faults"),
        (["gateway", "--faults", "unheard.toml"], "it can do"),
        (["gateway", "--securities", "broken.toml"], "broken.toml is no TOML file"),
        (["gateway", "--securities", "odd.toml"], "[[stock]], [[future]]"),
        (["gateway", "fault", "inject", "outage", "--port", "1"], "no gateway is running"),
        (["gateway", "book", "--port", "1"], "no gateway is running"),
        (["run"], "floor.toml: there is no such file"),
        (["strategy", "start"], "NAME"),
        (["positons"], "positons"),
        (["orders", "-n", "0"], "--limit"),
    ],
)
def test_bad_input_ends_in_one_message_and_exit_code_2(
    ibfloor: Ibfloor, tmp_path: Path, arguments: list[str], expected: str
) -> None:
    for name, text in BAD_FILES.items():
        (tmp_path / name).write_text(text)
    outcome = ibfloor(*arguments)
    assert outcome.code == (3 if "no gateway is running" in expected else 2)
    assert expected in outcome.err
    assert "Traceback" not in outcome.err


def test_ledger_verify_without_a_ledger_fails_in_one_line(ibfloor: Ibfloor, home: Path) -> None:
    outcome = ibfloor("ledger", "verify")
    assert outcome.code == 1
    assert len(outcome.err.splitlines()) == 1


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ibfloor", "--help"], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0
    assert "Exit codes" in done.stdout


@pytest.mark.parametrize("module", ["pandas", "arcticdb", "ib_async", "fastapi", "numpy"])
def test_help_and_views_load_nothing_heavy(module: str) -> None:
    code = f"import sys, ibfloor.cli.entry, ibfloor.control.once, ibfloor.config;sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0


def test_the_kill_of_a_part_goes_to_the_floor_and_to_disk_where_none_answers(
    ibfloor: Ibfloor, desk: Desk, home: Path
) -> None:
    assert ibfloor("kill", "runaway", "--strategy", "pairs").code == 0
    (kill,) = desk.commands
    assert isinstance(kill, Kill)
    assert (kill.scope, kill.target) == ("strategy", "pairs")
    assert KillLatches(home).states() == {}, "the floor writes it, when it knows the name"


def test_a_kill_that_cannot_ask_whether_to_flatten_halts_all_the_same(ibfloor: Ibfloor, desk: Desk, home: Path) -> None:
    outcome = ibfloor("kill", "x", "--flatten")  # from a script: there is no terminal
    assert outcome.code == 2
    assert "positions are kept" in outcome.err
    assert [type(each) for each in desk.commands] == [Kill]
    assert len(KillLatches(home).states()) == 1


def test_the_kill_of_a_strategy_that_the_file_does_not_name_latches_nothing(ibfloor: Ibfloor, home: Path) -> None:
    file, config = home.parent / "pairs.py", home.parent / "floor.toml"
    file.write_text("")
    config.write_text(FLOOR_WITH_PAIRS)
    outcome = ibfloor("kill", "runaway", "--strategy", "piars")
    assert outcome.code == 2
    assert "has no strategy 'piars'" in outcome.err
    assert "pairs" in outcome.err
    assert KillLatches(home).states() == {}
    assert ibfloor("kill", "runaway", "--strategy", "pairs").code == 3
    config.write_text("[floor\nhome = 'floor-home'")
    assert ibfloor("kill", "runaway", "--strategy", "piars", "--home", str(home)).code == 3, (
        "a broken file stops no kill"
    )
    assert len(KillLatches(home).states()) == 2


def test_the_kill_of_an_instrument_without_a_floor_is_latched_for_the_next_one(ibfloor: Ibfloor, home: Path) -> None:
    outcome = ibfloor("kill", "halted", "--instrument", "BRK B")
    assert outcome.code == 3
    (place,) = KillLatches(home).states()
    assert place.key == "instrument:BRK B"


@pytest.mark.parametrize(
    "arguments",
    [
        ("kill", "x", "--strategy", "a", "--instrument", "SPY"),
        ("unkill", "x", "--strategy"),
    ],
)
def test_an_unclear_kill_asks_the_floor_nothing(ibfloor: Ibfloor, desk: Desk, home: Path, arguments: list[str]) -> None:
    assert ibfloor(*arguments).code == 2
    assert desk.commands == []
    assert KillLatches(home).states() == {}
