"""How long 200 working orders of 8 strategies work on after the kill switch is pulled, by the gateway's own word.

A floor and a simulated gateway, each a process of its own on loopback; the gateway writes its book whenever
it is asked to. Three ways to pull the switch: the control socket, the signal, the file.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness import cpu_name, options
from ibfloor.control.once import fetch_snapshot
from ibfloor.model.errors import ConnectivityError

STRATEGIES, ORDERS = 8, 25
LIMIT_S = 60.0
WORKING = ("PreSubmitted", "Submitted", "PendingSubmit", "PendingCancel")
STRATEGY = """
from ibfloor import Quote, Stock, Strategy, StrategyParams

class Params(StrategyParams):
    orders: int

class Many(Strategy[Params]):
    def on_start(self) -> None:
        self.stock = Stock("SPY")
        self.subscribe_quotes(self.stock)
        self.every(1, "more")
        self.bid_px = 0.0

    def on_quote(self, quote: Quote) -> None:
        if quote.bid_px == quote.bid_px:
            self.bid_px = quote.bid_px

    def on_timer(self, name: str) -> None:
        if self.bid_px and len(self.orders) < self.params.orders:
            self.buy(self.stock, 1, limit=round(self.bid_px * (0.96 + len(self.orders) / 10_000), 2))
"""
LIMITS = """
[risk]
max_order_qty = "off"
max_order_notional = "off"
max_position_qty = "off"
max_position_notional = "off"
collar_pct = "off"
quote_age_max_s = 600
order_rate_per_s = 1000
order_burst = 1000
max_gross_exposure = "off"
"""


class Child:
    """A process of ours and its first line."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        with log.open("ab") as words:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ibfloor", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
            )

    def line(self) -> str:
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(LIMIT_S):
                raise TimeoutError("a process says nothing")
        return self.process.stdout.readline().decode()

    def end(self) -> None:
        for push in (self.process.terminate, self.process.kill):
            push()
            try:
                self.process.wait(20)
                return
            except subprocess.TimeoutExpired:
                continue


@contextmanager
def stage(folder: Path, strategies: int, orders: int) -> Any:
    """Run a gateway and a floor with that many orders at work; yields (home, port, floor's pid, book)."""
    with ExitStack() as stack:
        book = folder / "book.json"
        gateway = Child(
            [
                *("gateway", "--port", "0", "--speed", "10", "--seed", "7", "--start", "09:31", "--hold-until-client"),
                *("--book", str(book), "--parent-pipe"),
            ],
            folder / "gateway.log",
        )
        stack.callback(gateway.end)
        port = int(json.loads(gateway.line())["port"])
        home, file = folder / "home", folder / "many.py"
        file.write_text(STRATEGY)
        tables = "".join(
            f'[[strategy]]\nname = "many-{n}"\nfile = "{file}"\nparams = {{ orders = {orders} }}\n'
            for n in range(strategies)
        )
        (folder / "floor.toml").write_text(
            f'[floor]\nhome = "{home}"\n[gateway]\nport = {port}\n[clock]\nfollow = "gateway"\n'
            f"[web]\nenabled = false\n[recorder]\nenabled = false\n{LIMITS}{tables}"
        )
        floor = Child(["run", "--config", str(folder / "floor.toml")], folder / "floor.log")
        stack.callback(floor.end)
        _until(lambda: _floor_row(home).get("orders_working") == strategies * orders, "all orders work")
        yield home, port, floor.process.pid, gateway.process.pid, book


def _floor_row(home: Path) -> dict[str, Any]:
    try:
        row: dict[str, Any] = fetch_snapshot(home).rows["floor"]["floor"]  # type: ignore[assignment]
        return row
    except (ConnectivityError, KeyError):
        return {}


def _until(condition: Any, what: str) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"not in time: {what}")
        time.sleep(0.05)


def working(gateway: int, book: Path) -> int:
    """Count the orders that work, by the book that the gateway writes when it is asked to."""
    before = book.stat().st_mtime_ns if book.exists() else 0
    os.kill(gateway, signal.SIGUSR1)
    while not book.exists() or book.stat().st_mtime_ns == before:
        time.sleep(0.001)
    return sum(row["status"] in WORKING for row in json.loads(book.read_bytes())["orders"])


def pull(how: str, home: Path, floor: int) -> None:
    if how == "file":
        (home / "kill.json").touch()
    elif how == "signal":
        os.kill(floor, signal.SIGUSR1)
    else:
        command = [sys.executable, "-c", _COMMAND, str(home)]
        subprocess.Popen(command, stdout=subprocess.DEVNULL)


_COMMAND = """
import sys
from pathlib import Path
from ibfloor.control.once import send_command
from ibfloor.model.command import Kill
send_command(Path(sys.argv[1]), Kill(command_id="bench", actor="bench", reason="bench"), timeout_s=30)
"""


def trial(how: str, strategies: int, orders: int) -> dict[str, float]:
    with (
        tempfile.TemporaryDirectory() as name,
        stage(Path(name), strategies, orders) as (home, _, floor, gateway, book),
    ):
        _until(lambda: working(gateway, book) == strategies * orders, "all orders work at the gateway")
        begun_s = time.monotonic()
        pull(how, home, floor)
        while working(gateway, book):
            if time.monotonic() > begun_s + LIMIT_S:
                raise TimeoutError("orders work on")
        zero_s = time.monotonic() - begun_s
        _until(lambda: _phase(home) == "verified", "the floor has verified it")
        return {"zero_s": zero_s, "verified_s": time.monotonic() - begun_s}


def _phase(home: Path) -> str:
    try:
        rows: dict[str, Any] = fetch_snapshot(home).rows.get("kills", {})
    except ConnectivityError:
        return ""
    return str(rows["account"]["phase"]) if "account" in rows else ""


def main() -> None:
    given = options()
    strategies, orders, rounds = (2, 5, 1) if given.quick else (STRATEGIES, ORDERS, given.rounds or 3)
    ours: dict[str, float] = {}
    for how in ("command", "signal", "file"):
        runs = [trial(how, strategies, orders) for _ in range(rounds)]
        ours[f"{how}_zero_s"] = round(max(run["zero_s"] for run in runs), 3)
        ours[f"{how}_verified_s"] = round(max(run["verified_s"] for run in runs), 3)
    print(
        json.dumps(
            {
                "benchmark": "kill_switch",
                "what": "worst seconds from the kill to no working order in the gateway's book, and to its proof",
                "working_orders": strategies * orders,
                "strategies": strategies,
                "rounds": rounds,
                "cpu": cpu_name(),
                "ours": ours,
                "limit": {"zero_s": 2.0},
            }
        )
    )


if __name__ == "__main__":
    main()
