"""A person's mistakes: one clear message, exit code 2, nothing half-started."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

GOOD = "class Params(StrategyParams):\n    qty: int = 1\n\n\nclass Still(Strategy[Params]):\n    pass\n"
HEAD = "from ibfloor import Strategy, StrategyParams\n\n\n"


@contextmanager
def listener(answer: bytes | None) -> Iterator[int]:
    """A server that is not IB: it answers with something else, or holds its tongue."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                held.append(connection)
                if answer is not None:
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        for connection in held:
            connection.close()


def mistaken(scene: Any, expected: str, *, also: str = "") -> None:
    done = scene.run("run", "--config", str(scene.config))
    assert done.returncode == 2, done.stderr
    assert expected in done.stderr, done.stderr
    assert also in done.stderr
    assert "Traceback" not in done.stderr
    assert scene.view("floor") == {}
    assert scene.book().orders == []


def test_absent_gateway_is_named_with_host_port_and_mend(scene: Any) -> None:
    scene.write_config("")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = scene.config.read_text().replace(f"port = {scene.port}", f"port = {port}\nconnect_timeout_s = 2")
    scene.config.write_text(text)
    mistaken(scene, f"127.0.0.1:{port}", also="start TWS or IB Gateway")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\x00\x00\x05hello", None])
def test_peer_that_is_not_ib_is_named(scene: Any, answer: bytes | None) -> None:
    scene.write_config("")
    with listener(answer) as port:
        text = scene.config.read_text().replace(f"port = {scene.port}", f"port = {port}\nconnect_timeout_s = 6")
        scene.config.write_text(text)
        mistaken(scene, f"127.0.0.1:{port}", also="not TWS or IB Gateway")


def test_pages_port_in_use_is_named_before_anything_starts(scene: Any) -> None:
    scene.write_config("")
    with listener(None) as port:
        text = scene.config.read_text().replace("[web]\nenabled = false", f"[web]\nport = {port}")
        scene.config.write_text(text)
        mistaken(scene, f"[web] port: 127.0.0.1:{port} is in use")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import nothing_like_this\n", "broken.py:1"),
        ("def f(:\n", "broken.py:1"),
        ("x = 1\n", "has no Strategy"),
        (HEAD + GOOD.replace("qty: int = 1", "qty: int"), "qty"),
    ],
)
def test_strategy_file_that_is_unfit_is_named_with_its_place(scene: Any, source: str, expected: str) -> None:
    file = scene.folder / "broken.py"
    file.write_text(source)
    scene.write_config(f'[[strategy]]\nname = "mine"\nfile = "{file}"\n')
    mistaken(scene, expected)


def test_wrong_parameter_is_named_with_strategy_and_field(scene: Any, tools: Any) -> None:
    scene.write_config(tools.strategy_table("sma", "sma_cross.py", fst=3))
    mistaken(scene, "fst", also="sma")


def test_second_floor_in_the_same_home_is_refused_by_the_firsts_pid(scene: Any) -> None:
    scene.write_config("")
    floor = scene.floor()
    second = scene.run("run", "--config", str(scene.config))
    assert second.returncode == 2
    assert f"process {floor.pid}" in second.stderr
    assert scene.view("floor")


def test_broken_strategy_added_while_running_disturbs_no_other(scene: Any, tools: Any, tmp_path: Path) -> None:
    scene.write_config(tools.strategy_table("revert", "mean_reversion.py", symbol="QQQ", qty=100, inventory_max=200))
    floor = scene.floor()
    scene.until(lambda: scene.view("fills"), floor)
    broken = tmp_path / "broken.py"
    broken.write_text("import nothing_like_this\n")
    refused = scene.cli("strategy", "add", "unfit", str(broken))
    assert (refused.returncode, "broken.py:1" in refused.stderr) == (1, True), refused.stderr
    broken.write_text(HEAD + GOOD.replace("pass", "def on_start(self):\n        1 / 0"))
    taken = scene.cli("strategy", "add", "late", str(broken))
    assert taken.returncode == 0, taken.stderr
    scene.until(lambda: scene.view("strategies").get("late", {}).get("state") == "FAILED", floor)
    before = len(scene.view("fills"))
    scene.until(lambda: len(scene.view("fills")) > before + 2, floor)
    revert = scene.view("strategies")["revert"]
    assert (revert["state"], revert["restarts"]) == ("RUNNING", 0)
    assert "unfit" not in scene.view("strategies")


@pytest.mark.parametrize("scene", [{"account": "U7654321"}], indirect=True)
def test_live_account_is_refused_while_the_mode_is_paper(scene: Any) -> None:
    scene.write_config("")
    mistaken(scene, "U7654321 is a live account", also='mode = "live"')


def test_account_that_the_login_does_not_have_is_refused_at_once(scene: Any) -> None:
    scene.write_config("")
    scene.config.write_text(scene.config.read_text().replace("[floor]", '[floor]\naccount = "DU999"'))
    mistaken(scene, "DU999 is not among", also="DU1000001")


def test_simulated_clock_is_refused_where_nobody_asked_for_it(scene: Any) -> None:
    scene.write_config("")
    scene.config.write_text(scene.config.read_text().replace('follow = "gateway"', 'follow = "system"'))
    mistaken(scene, "keeps a time of its own", also='follow = "gateway"')


@pytest.mark.parametrize("name", ["UNASSIGNED", "", "../evil", "a:b", "Bad_Name", "master"])
def test_name_unfit_for_a_book_is_refused_while_running_too(scene: Any, name: str, tmp_path: Path) -> None:
    scene.write_config("")
    scene.floor()
    file = tmp_path / "still.py"
    file.write_text(HEAD + GOOD)
    refused = scene.cli("strategy", "add", name, str(file))
    assert refused.returncode in (1, 2), refused.stdout
    assert scene.view("strategies") == {}


def test_strategy_file_that_never_ends_importing_leaves_the_kill_switch_alive(scene: Any, tools: Any) -> None:
    scene.write_config(tools.strategy_table("revert", "mean_reversion.py", symbol="QQQ", qty=100, inventory_max=200))
    floor = scene.floor()
    scene.until(lambda: scene.view("floor")["floor"]["orders_working"], floor)
    endless = scene.folder / "endless.py"
    endless.write_text("while True:\n    pass\n")
    refused = scene.cli("strategy", "add", "endless", str(endless))
    assert (refused.returncode, "did not end within" in refused.stderr) == (1, True), refused.stderr
    assert scene.cli("kill", "frozen").returncode == 0  # the file still spins, on a thread of its own
    assert [row for row in scene.book().orders if row.status in ("PreSubmitted", "Submitted")] == []
