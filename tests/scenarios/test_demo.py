"""The demo as one command: it trades, it ends, and it leaves nothing behind, however it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Start = Callable[..., "Demo"]


class Demo:
    """A demo process, and every process it has started."""

    def __init__(self, home: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "ibfloor", "demo", "--home", str(home), "--no-browser", "--json", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.children: list[psutil.Process] = []

    def wait_until_ready(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if "STOP ALL" in line:  # the last of the five lines on what to look at
                self.children = psutil.Process(self.process.pid).children(recursive=True)
                return
        raise AssertionError("the demo ended before it was ready")

    def summary(self) -> dict[str, Any]:
        out, _ = self.process.communicate(timeout=120)
        assert self.process.returncode == 0
        answer: dict[str, Any] = json.loads(out.splitlines()[-1])
        return answer

    def orphans(self) -> list[psutil.Process]:
        _, alive = psutil.wait_procs(self.children, timeout=15)
        return list(alive)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    demos: list[Demo] = []

    def started(*arguments: str) -> Demo:
        demos.append(Demo(tmp_path / "home", *arguments))
        return demos[-1]

    yield started
    for demo in demos:
        if demo.process.poll() is None:
            demo.process.kill()
        for child in demo.children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        demo.process.communicate()


def test_the_demo_trades_restarts_what_failed_and_ends_with_books_that_agree(start: Start) -> None:
    demo = start("--for", "25")
    demo.wait_until_ready()
    summary = demo.summary()

    strategies = summary["strategies"]
    assert len([name for name, one in strategies.items() if one["fills"] > 0]) >= 4
    assert strategies["faulty-iwm"]["restarts"] >= 1
    assert {one["restarts"] for name, one in strategies.items() if name != "faulty-iwm"} == {0}
    assert "RUNNING" in {one["state_before"] for one in strategies.values()}
    assert {one["state"] for one in strategies.values()} <= {"STOPPED", "FAILED"}, "nothing runs on after the end"
    assert (summary["breaks"], summary["unknown_orders"], summary["books_equal_account"]) == (0, 0, True)
    assert summary["ticks"] > 0
    assert summary["bars_stored"] > 0
    assert demo.orphans() == []


def test_ctrl_c_ends_the_demo_in_good_order(start: Start) -> None:
    demo = start()
    demo.wait_until_ready()
    demo.process.send_signal(signal.SIGINT)
    assert demo.summary()["breaks"] == 0
    assert demo.orphans() == []


def test_a_killed_demo_leaves_no_process_behind(start: Start) -> None:
    demo = start()
    demo.wait_until_ready()
    assert len(demo.children) >= 3  # gateway, recorder, web
    demo.process.kill()
    assert demo.orphans() == []


def test_a_kept_home_starts_afresh_and_keeps_the_earlier_books(start: Start, tmp_path: Path) -> None:
    for _ in range(2):
        demo = start("--for", "1")
        demo.wait_until_ready()
        assert demo.summary()["breaks"] == 0
    assert (tmp_path / "home" / "earlier" / "001" / "ledger.sqlite").is_file()
    assert (tmp_path / "home" / "ledger.sqlite").is_file()
