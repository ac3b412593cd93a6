"""The whole floor as a person runs it: real processes on loopback, the gateway's own book as the oracle."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from tests.scenarios.puppeteer import Puppet

from ibfloor.control.once import fetch_snapshot
from ibfloor.examples_dir import examples_dir
from ibfloor.ledger.replay import recover
from ibfloor.manager.floor_state import FloorState
from ibfloor.model.errors import ConnectivityError
from ibfloor.model.fact import AnyFact
from ibfloor.sim.faults import Fault, When
from ibfloor.sim.faults.actions import AnyAction
from ibfloor.sim.gateway.book import BookReport
from ibfloor.sim.gateway.console import ask_console, console_path

OFTEN = "reconcile_every_s = 2\n"
LIMITS = """
[risk]
max_order_qty = 500
max_order_notional = 500000
max_position_qty = 1000
max_position_notional = 1000000
collar_pct = 5
quote_age_max_s = 60
order_rate_per_s = 5
order_burst = 20
max_gross_exposure = 2000000
"""


class Process:
    """A child process with its words on file; ended by its own pid."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self.log = log
        with log.open("ab") as words:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "ibfloor", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                start_new_session=True,
            )

    @property
    def has_ended(self) -> bool:
        return self._child.poll() is not None

    @property
    def pid(self) -> int:
        return self._child.pid

    def line(self, within_s: float = 30.0) -> str:
        assert self._child.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.stdout, selectors.EVENT_READ)
            assert selector.select(within_s), f"nothing said within {within_s} s: {self.words()}"
        return self._child.stdout.readline().decode()

    def words(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def signal(self, number: int) -> None:
        self._child.send_signal(number)

    def wait(self, within_s: float = 30.0) -> int:
        return self._child.wait(within_s)

    def output(self, within_s: float = 60.0) -> str:
        out, _ = self._child.communicate(timeout=within_s)
        return out.decode()

    def end(self) -> None:
        for push in (self._child.terminate, self._child.kill):
            if self._child.poll() is None:
                push()
                try:
                    self._child.wait(15)
                except subprocess.TimeoutExpired:
                    continue
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()


class Scene:
    """A simulated gateway that lives through the test, and floors that come and go on it."""

    def __init__(self, folder: Path, *, account: str = "DU1000001") -> None:
        self.folder = folder
        self.home = folder / "floor-home"
        self.config = folder / "floor.toml"
        self._book = folder / "book.json"
        self._processes: list[Process] = []
        self._faults = 0
        self._account = account
        self.port = 0
        self.begin_gateway()

    def begin_gateway(self, start: str = "09:29") -> None:
        """Start a gateway that knows nothing of one before it, on its port."""
        self.gateway = self._start(
            [
                *("gateway", "--port", str(self.port), "--speed", "60", "--seed", "7", "--start", start),
                *("--hold-until-client", "--book", str(self._book), "--parent-pipe", "--account", self._account),
            ],
            "gateway.log",
        )
        self.port = int(json.loads(self.gateway.line())["port"])

    def write_config(self, strategies: str, *, extra: str = "", gateway: str = OFTEN, limits: str = LIMITS) -> None:
        self.config.write_text(
            f'[floor]\nhome = "{self.home}"\n[gateway]\nport = {self.port}\n{gateway}'
            f'[clock]\nfollow = "gateway"\n[web]\nenabled = false\n[recorder]\nenabled = false\n'
            f"[restart]\nbackoff_s = 0.2\n{extra}{limits}{strategies}",
            encoding="utf-8",
        )

    def break_gateway(self, what: AnyAction, on: str = "", strikes: tuple[int, ...] = (), **when: Any) -> None:
        """Arm a fault at the running gateway; ``strikes``: it hits these clients alone."""
        self._faults += 1
        fault = Fault(name=f"fault-{self._faults}", what=what, when=When(on=on, **when), strikes=strikes)
        ask_console(console_path(self.port), "inject", faults=[fault])

    def mend_gateway(self) -> None:
        """Take all faults away again."""
        for row in ask_console(console_path(self.port), "list").rows:
            ask_console(console_path(self.port), "clear", name=row.name)

    def start_floor(self, *arguments: str) -> Process:
        """Start a floor that may never come up."""
        return self._start(["run", "--config", str(self.config), "--json", *arguments], "floor.log")

    def floor(self, *arguments: str) -> Process:
        floor = self.start_floor(*arguments)
        self.until(lambda: floor.has_ended or self.view("floor"), floor)
        assert not floor.has_ended, f"the floor has ended: {floor.words()}"
        return floor

    def run(self, *arguments: str, within_s: float = 30.0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ibfloor", *arguments], capture_output=True, text=True, timeout=within_s, check=False
        )

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(*arguments, "--config", str(self.config))

    def secretly(self, *arguments: str, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        """Run a command that reads secrets: the words, a line each, on its standard input."""
        command = [sys.executable, "-m", "ibfloor", *arguments, "--stdin", "--config", str(self.config)]
        typed = "".join(f"{word}\n" for word in words)
        return subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60, check=False)

    def view(self, topic: str) -> dict[str, Any]:
        try:
            return dict(fetch_snapshot(self.home).rows.get(topic, {}))
        except ConnectivityError:
            return {}

    def until(self, condition: Callable[[], Any], floor: Process | None = None, within_s: float = 80.0) -> Any:
        deadline = time.monotonic() + within_s
        while not (found := condition()):
            assert time.monotonic() < deadline, f"not within {within_s} s: {floor.words() if floor else ''}"
            time.sleep(0.05)
        return found

    def book(self) -> BookReport:
        before = self._book.stat().st_mtime_ns if self._book.exists() else 0
        self.gateway.signal(signal.SIGUSR1)
        self.until(lambda: self._book.exists() and self._book.stat().st_mtime_ns > before)
        return msgspec.json.decode(self._book.read_bytes(), type=BookReport)

    def facts(self) -> list[AnyFact]:
        """Return what a stopped floor has journaled, in order."""
        with recover(self.home) as recovered:
            return [fact for _, fact in recovered.facts()]

    def ledger(self) -> FloorState:
        """Return what a stopped floor's ledger says."""
        state = FloorState()
        for fact in self.facts():
            state.apply(fact)
        return state

    def close(self) -> None:
        for process in reversed(self._processes):
            process.end()

    def _start(self, arguments: list[str], log: str) -> Process:
        process = Process(arguments, self.folder / log)
        self._processes.append(process)
        return process


def strategy_table(name: str, file: str, **params: object) -> str:
    path = examples_dir() / file if "/" not in file else Path(file)
    fields = ", ".join(f"{key} = {json.dumps(value)}" for key, value in params.items())
    return f'[[strategy]]\nname = "{name}"\nfile = "{path}"\nparams = {{ {fields} }}\n'


def cash_by_strategy(book: BookReport) -> dict[str, Decimal]:
    """What each strategy's trades did to the account's cash, by the gateway's own record."""
    cash: Counter[str] = Counter()
    for row in book.executions:
        amount = -row.side.sign * row.qty * row.px - row.commission
        cash[row.order_ref.rpartition(":")[0]] += amount  # type: ignore[assignment]
    return dict(cash)  # type: ignore[arg-type]


def position_by_strategy(book: BookReport) -> dict[tuple[str, int], Decimal]:
    """What each strategy holds, by the gateway's own record."""
    held: dict[tuple[str, int], Decimal] = {}
    for row in book.executions:
        key = (row.order_ref.rpartition(":")[0], row.con_id)
        held[key] = held.get(key, Decimal(0)) + row.side.sign * row.qty
    return {key: qty for key, qty in held.items() if qty}


def children_of(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


@pytest.fixture
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    scene = Scene(tmp_path, **getattr(request, "param", {}))
    try:
        yield scene
    finally:
        scene.close()


@pytest.fixture
def puppet(scene: Scene) -> Puppet:
    return Puppet(scene)


@pytest.fixture
def tools() -> Any:
    """The helpers of this folder, for tests that cannot import a conftest."""

    class Tools:
        limits = LIMITS
        strategy_table = staticmethod(strategy_table)
        cash_by_strategy = staticmethod(cash_by_strategy)
        position_by_strategy = staticmethod(position_by_strategy)
        children_of = staticmethod(children_of)
        is_alive = staticmethod(psutil.pid_exists)
        own_pid = os.getpid()

    return Tools
