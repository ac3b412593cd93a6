"""The emergency stop, on the real floor: held in a browser, judged by the simulated gateway's own book."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from ibfloor.sim.gateway.book import BookReport

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

WORKING = ("PreSubmitted", "Submitted", "PendingSubmit")
Start = Callable[..., Any]


class Demo:
    """The demo as a person starts it, with its login link and its gateway's book."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ibfloor", "demo", "--home", str(home), "--no-browser", "--for", "120"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        line = next(line for line in self.process.stderr if "/login#" in line)
        self.login_link = "http://" + line.partition("http://")[2].strip()

    def book(self) -> BookReport:
        path = self.home / "gateway-book.json"
        before = path.stat().st_mtime_ns if path.exists() else 0
        children = psutil.Process(self.process.pid).children()
        (gateway,) = [child for child in children if "gateway" in child.cmdline()]
        os.kill(gateway.pid, signal.SIGUSR1)
        deadline = time.monotonic() + 10
        while not path.exists() or path.stat().st_mtime_ns == before:
            assert time.monotonic() < deadline, "the gateway wrote no book"
            time.sleep(0.02)
        return msgspec.json.decode(path.read_bytes(), type=BookReport)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    started = Demo(tmp_path / "home")
    yield started
    started.process.terminate()
    started.process.communicate(timeout=60)


def log_in(home: Any, demo: Demo) -> None:
    home.page.goto(demo.login_link)
    home.until("document.querySelectorAll('tr[data-strategy]').length === 5")


def wait_for(home: Any, condition: Callable[[], bool], what: str, within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, what
        home.page.wait_for_timeout(200)


def test_stop_held_in_the_browser_cancels_everything_and_keeps_positions(demo: Demo, visit: Start) -> None:
    home = visit()
    log_in(home, demo)
    home.until("Number(document.querySelector('[data-test=count-orders]').textContent) >= 1", timeout_s=60)
    wait_for(home, lambda: any(row.qty for row in demo.book().positions), "no strategy has a position")
    home.page.click("[data-test=stop-all]")
    home.page.click("[data-test=hold]", delay=2500)
    home.until("document.querySelector('[data-test=banner-halt]') !== null")
    home.until("document.querySelector('[data-test=stop-progress]').textContent.includes('No working order remains')")

    book = demo.book()
    assert [row for row in book.orders if row.status in WORKING] == []
    held = {row.symbol: row.qty for row in book.positions if row.qty}
    assert held, "positions are kept"
    home.page.click("[data-test=stop-close]")
    home.until("document.querySelectorAll('tr[data-state=RUNNING]').length === 0")
    home.page.wait_for_timeout(3_000)  # three market minutes: time enough for five strategies to trade
    later = demo.book()
    assert len(later.orders) == len(book.orders), "nothing is sent while the switch is latched"
    assert {row.symbol: row.qty for row in later.positions if row.qty} == held
    assert home.complaints == []


def test_stop_with_flatten_leaves_every_strategy_flat(demo: Demo, visit: Start) -> None:
    home = visit()
    log_in(home, demo)
    wait_for(home, lambda: sum(row.qty != 0 for row in demo.book().positions) >= 2, "too few positions")
    home.page.click("[data-test=stop-all]")
    home.page.click("[data-test=hold]", delay=2500)
    home.until("document.querySelector('[data-test=stop-closing]') !== null")
    assert any(row.qty for row in demo.book().positions), "closing is asked once more"
    home.page.click("[data-test=stop-closing] [data-test=hold]", delay=2500)
    wait_for(home, lambda: not any(row.qty for row in demo.book().positions), "a position is left", within_s=30)
    home.until("document.querySelector('[data-test=stop-progress]').textContent.includes('no position is open')")
    assert [row for row in demo.book().orders if row.status in WORKING] == []
    assert home.complaints == []
