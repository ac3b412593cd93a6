"""One run's processes: a simulated gateway that lives through it, and floors that come and go."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, Self

import msgspec

from ibfloor.ledger.replay import recover
from ibfloor.manager.floor_state import FloorState
from ibfloor.sim.gateway.book import BookReport

FOLDER = Path(__file__).parent
NAMES = {"alpha": "SPY", "beta": "QQQ"}
_CONFIG = """
[floor]
home = "{home}"
[gateway]
port = {port}
reconcile_every_s = 1
[clock]
follow = "gateway"
[web]
enabled = false
[recorder]
enabled = false
[restart]
backoff_s = 0.2
[risk]
max_order_qty = 1000
max_order_notional = 1000000
max_position_qty = 5000
max_position_notional = 5000000
collar_pct = 10
max_gross_exposure = 10000000
quote_age_max_s = 600
order_rate_per_s = 1000
order_burst = 1000
"""
_STRATEGY = """
[[strategy]]
name = "{name}"
file = "{file}"
stop_policy = "{policy}"
params = {{ symbol = "{symbol}", log = "{log}", seed = {seed}, trade = {trade} }}
"""


class TooLate(AssertionError):
    """Something did not happen in time."""


class Zygote:
    """The process that forks all others; safe from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process = subprocess.Popen(
            ["nice", sys.executable, str(FOLDER / "zygote.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def fork(self, argv: list[str], out: Path, err: Path, env: dict[str, str] | None = None) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"argv": argv, "env": env or {}, "out": str(out), "err": str(err)}
        with self._lock:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(10)


class Stage:
    """A folder, a gateway and the floors of one run."""

    def __init__(self, folder: Path, zygote: Zygote, seed: int) -> None:
        self.folder = folder
        self.home = folder / "floor-home"
        self._zygote = zygote
        self._seed = seed
        self._pids: list[int] = []
        (folder / "floor.out").touch()
        self._book = folder / "book.json"
        arguments = (
            f"gateway --port 0 --speed 60 --seed {seed} --start 09:31 --hold-until-client --symbols SPY,QQQ "
            f"--limits off --book {self._book}"
        )
        self.gateway = self._fork(arguments.split(), "gateway")
        ready = self.until(lambda: (folder / "gateway.out").read_text(), 20, "the gateway is up")
        self.port = int(json.loads(ready.splitlines()[0])["port"])

    def floor(self, *, policy: str = "cancel", trade: bool = True, crash_at: str = "") -> int:
        """Start a floor on the same home; return its pid."""
        config = self.folder / "floor.toml"
        text = _CONFIG.format(home=self.home, port=self.port)
        for name, symbol in NAMES.items():
            text += _STRATEGY.format(
                name=name,
                symbol=symbol,
                file=FOLDER / "strategy.py",
                policy=policy,
                log=self.folder / f"{name}.log",
                seed=self._seed,
                trade=str(trade).lower(),
            )
        config.write_text(text, encoding="utf-8")
        env = {"IBFLOOR_CRASH_AT": crash_at} if crash_at else {}
        return self._fork(["run", "--config", str(config), "--no-browser", "--json"], "floor", env)

    def notes(self, name: str, what: str, pid: int | None = None) -> list[Any]:
        """Return what a strategy wrote of one kind, in one life or in all."""
        path = self.folder / f"{name}.log"
        if not path.exists():
            return []
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        return [value for owner, kind, value in lines if kind == what and pid in (None, owner)]

    def until(self, condition: Callable[[], Any], within_s: float, what: str) -> Any:
        """Wait for a condition; raises ``TooLate`` with the floor's last words."""
        deadline = time.monotonic() + within_s
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise TooLate(f"not within {within_s:g} s: {what}")
            time.sleep(0.02)
        return found

    def ended(self, pid: int, within_s: float, what: str) -> None:
        self.until(lambda: not Path(f"/proc/{pid}").exists(), within_s, what)

    def book(self) -> BookReport:
        """Return the gateway's own book as it stands."""
        self._book.unlink(missing_ok=True)
        os.kill(self.gateway, signal.SIGUSR1)

        def read() -> BookReport | None:
            try:
                return msgspec.json.decode(self._book.read_bytes(), type=BookReport)
            except (FileNotFoundError, msgspec.DecodeError):
                return None

        report: BookReport = self.until(read, 10, "the gateway writes its book")
        return report

    def ledger(self) -> FloorState:
        """Return what the ledger of a floor that has ended says."""
        state = FloorState()
        with recover(self.home) as recovered:
            for _, fact in recovered.facts():
                state.apply(fact)
        return state

    def orderly_ends(self) -> int:
        """Return how many floors have ended with a summary, not by a kill."""
        return sum(line.startswith("{") for line in (self.folder / "floor.out").read_text().splitlines())

    def summary(self) -> dict[str, Any]:
        """Return the last floor's own summary; empty when it did not come to one."""
        lines = [line for line in (self.folder / "floor.out").read_text().splitlines() if line.startswith("{")]
        return dict(json.loads(lines[-1])) if lines else {}

    def words(self) -> str:
        return (self.folder / "floor.err").read_text(errors="replace")[-3000:]

    def close(self) -> None:
        for pid in self._pids:
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGKILL)

    def _fork(self, argv: list[str], name: str, env: dict[str, str] | None = None) -> int:
        out, err = self.folder / f"{name}.out", self.folder / f"{name}.err"
        out.touch()
        pid = self._zygote.fork(argv, out, err, env)
        self._pids.append(pid)
        return pid
