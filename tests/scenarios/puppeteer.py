"""The one who pulls the strings: a floor with strategies on strings, and what they said."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

AWAY = 0.95  # a limit nobody reaches


class Puppet:
    """One strategy on strings, and the floor it is on."""

    def __init__(self, scene: Any, name: str = "puppet", symbol: str = "SPY", bar: str = "") -> None:
        self.scene, self.name, self.symbol, self.bar = scene, name, symbol, bar
        self._strings = scene.folder / f"{name}.strings"
        self._notes = scene.folder / f"{name}.notes"
        self._strings.touch()
        self.floor: Any = None

    def config(self, policy: str = "keep") -> str:
        params = {"symbol": self.symbol, "strings": str(self._strings), "notes": str(self._notes), "bar": self.bar}
        fields = ", ".join(f"{key} = {json.dumps(value)}" for key, value in params.items())
        file = Path(__file__).with_name("puppet.py")
        return (
            f'[[strategy]]\nname = "{self.name}"\nfile = "{file}"\nstop_policy = "{policy}"\nparams = {{ {fields} }}\n'
        )

    def begin(self, policy: str = "keep", beside: str = "", **more: str) -> None:
        self.scene.write_config(self.config(policy) + beside, **more)
        self.floor = self.scene.floor()
        self.wait(lambda: self.notes("quoted"))
        self.wait(lambda: self.scene.view("floor")["floor"]["gate_open"])

    def do(self, *words: object) -> None:
        with self._strings.open("a") as file:
            file.write(json.dumps(words) + "\n")

    def notes(self, what: str, *, every: bool = False) -> list[dict[str, Any]]:
        if not self._notes.exists():
            return []
        lines = [json.loads(line) for line in self._notes.read_bytes().splitlines()]
        return [line for line in lines if line["what"] == what and (every or line["pid"] == self.floor.pid)]

    def wait(self, condition: Callable[[], Any], within_s: float = 40.0) -> Any:
        return self.scene.until(condition, self.floor, within_s)

    def order(self, number: int) -> dict[str, Any]:
        row: dict[str, Any] = self.scene.view("orders").get(f"{self.name}:{number}", {})
        return row

    def at_broker(self, number: int) -> list[Any]:
        return [row for row in self.scene.book().orders if row.order_ref == f"{self.name}:{number}"]

    def working(self, number: int) -> list[Any]:
        return [row for row in self.at_broker(number) if row.status in ("Submitted", "PreSubmitted", "PendingSubmit")]

    def rest(self, number: int, qty: int = 10) -> None:
        """Have an order work that nobody fills."""
        self.do("limit", "buy", qty, AWAY)
        self.wait(lambda: self.order(number).get("status") == "NEW")

    def end(self) -> dict[str, Any]:
        self.floor.signal(signal.SIGTERM)
        summary: dict[str, Any] = json.loads(self.floor.output().splitlines()[-1])
        assert self.floor.wait() == 0, self.floor.words()
        return summary


def equal_books(puppet: Puppet) -> Any:
    """End the floor; books and account agree, every fill is in its owner's book once. Return the ledger's state."""
    summary = puppet.end()
    state, book = puppet.scene.ledger(), puppet.scene.book()
    assert (summary["books_equal_account"], summary["unknown_orders"], summary["breaks"]) == (True, 0, 0)
    assert {fill.exec_id for fill in state.fills.values()} == {row.exec_id for row in book.executions}
    return state
