"""The two processes of a soak: a gateway and a floor on loopback, and the blows that reach them."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec
import psutil
from tests.sim.campaign.soak.weather import Blow

from ibfloor.control.once import fetch_snapshot
from ibfloor.model.errors import ConfigError, ConnectivityError
from ibfloor.sim.faults import Fault
from ibfloor.sim.gateway.book import BookReport
from ibfloor.sim.gateway.console import ask_console, console_path

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
SYMBOLS = ("SPY", "QQQ", "IWM", "AAPL", "BAC", "KO", "PEP")
STRATEGIES = 8
SPEED = 10.0
REST_S = 200.0
"""Market seconds of trading, and of rest, in turn."""
_CONFIG = """
[floor]
home = "{home}"
[gateway]
port = {port}
reconcile_every_s = 5
[clock]
follow = "gateway"
[web]
enabled = false
[recorder]
enabled = false
[restart]
backoff_s = 0.2
[risk]
max_order_qty = 100
max_order_notional = "off"
max_position_qty = 100
max_position_notional = "off"
collar_pct = 10
max_gross_exposure = "off"
quote_age_max_s = 120
order_rate_per_s = 20
order_burst = 40
"""
_STRATEGY = """
[[strategy]]
name = "soak-{n}"
file = "{file}"
stop_policy = "cancel"
params = {{ seed = "{seed}:{n}", symbols = {symbols}, every_s = {every_s}, until_ns = 9000000000000000000, \
told = "{told}", rest_s = {rest_s} }}
"""


class TooLate(AssertionError):
    """Something did not happen in time."""


class Stage:
    """A folder, a gateway and a floor. ``with`` ends whatever is left of them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.config = folder / "floor.toml"
        self.counts = folder / "counts.jsonl"
        self._seed = seed
        arguments = f"--port 0 --speed {SPEED:g} --seed {seed} --start 09:35 --hold-until-client".split()
        self.gateway = self._start(
            ["-m", "ibfloor", "gateway", *arguments, "--symbols", ",".join(SYMBOLS), "--parent-pipe"], "gateway"
        )
        self.port = int(msgspec.json.decode(self._line(self.gateway))["port"])
        self.floor: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self.floor, self.gateway):
            if process is None:
                continue
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait(10)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def start_floor(self) -> subprocess.Popen[bytes]:
        """Start the floor with all its strategies."""
        text = _CONFIG.format(home=self.home, port=self.port)
        for n in range(STRATEGIES):
            pair = [SYMBOLS[n % len(SYMBOLS)], SYMBOLS[(n + 1) % len(SYMBOLS)]]
            text += _STRATEGY.format(
                n=n,
                file=HERE / "trader.py",
                seed=self._seed,
                symbols=msgspec.json.encode(pair).decode(),
                every_s=8 + n,
                told=self.told(n),
                rest_s=REST_S,
            )
        self.config.write_text(text, encoding="utf-8")
        arguments = ["run", "--config", str(self.config), "--no-browser", "--json"]
        self.floor = self._start([str(HERE / "floor.py"), str(self.counts), *arguments], "floor")
        return self.floor

    def told(self, n: int) -> Path:
        """Return where a strategy writes its fills."""
        return self.folder / f"told-{n}"

    # blows

    def strike(self, blow: Blow, n: int) -> bool:
        """Let a blow begin; ``False`` where the gateway stands still and cannot be told."""
        if blow.kind.freezes:
            self._signal(blow.kind.freezes, signal.SIGSTOP)
            return True
        faults = [Fault(name=f"blow-{n}-{part}", what=what, when=when) for part, (what, when) in enumerate(blow.faults)]
        try:
            ask_console(console_path(self.port), "inject", faults=faults)
        except ConnectivityError:
            return False
        return True

    def mend(self, blow: Blow, n: int) -> None:
        """End a blow."""
        if blow.kind.freezes:
            self._signal(blow.kind.freezes, signal.SIGCONT)
            return
        for part in range(len(blow.faults)):
            with contextlib.suppress(ConfigError, ConnectivityError):  # most have ended by themselves
                ask_console(console_path(self.port), "clear", name=f"blow-{n}-{part}")

    # looking

    def view(self, topic: str) -> dict[str, Any]:
        """Return a topic's rows by the floor's own word; empty while it does not answer."""
        try:
            return dict(fetch_snapshot(self.home, timeout_s=3.0).rows.get(topic, {}))
        except ConnectivityError:
            return {}

    def rss_mib(self) -> float:
        """Return what the floor's process holds in memory."""
        assert self.floor is not None
        return float(psutil.Process(self.floor.pid).memory_info().rss) / (1 << 20)

    def cpu_s(self) -> float:
        """Return the core-seconds of both processes so far."""
        alive = [process for process in (self.gateway, self.floor) if process is not None and process.poll() is None]
        times = [psutil.Process(process.pid).cpu_times() for process in alive]
        return float(sum(each.user + each.system for each in times))

    def book(self) -> BookReport:
        """Return the gateway's own book."""
        return msgspec.json.decode(ask_console(console_path(self.port), "book").book, type=BookReport)

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a person would."""
        command = [sys.executable, "-m", "ibfloor", *arguments, "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def until(self, condition: Callable[[], Any], within_s: float, what: str) -> Any:
        """Wait for a condition; raises ``TooLate`` with the floor's last words."""
        deadline_s = time.monotonic() + within_s
        while not (found := condition()):
            if time.monotonic() > deadline_s or (self.floor is not None and self.floor.poll() is not None):
                raise TooLate(f"not within {within_s:g} s: {what}: {self.words()[-1500:]}")
            time.sleep(0.1)
        return found

    def words(self) -> str:
        """Return what the floor said on its way."""
        return (self.folder / "floor.err").read_text(errors="replace")

    def _signal(self, name: str, number: signal.Signals) -> None:
        process = self.gateway if name == "gateway" else self.floor
        assert process is not None
        process.send_signal(number)

    def _start(self, arguments: list[str], name: str) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(ROOT)]).lstrip(os.pathsep)
        with (self.folder / f"{name}.err").open("ab") as words:
            return subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": path},
            )

    def _line(self, process: subprocess.Popen[bytes]) -> bytes:
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(30.0):
                raise TooLate("the gateway did not come up")
        return process.stdout.readline()
