"""Limits of a running floor: changed from the command line, true for the next order, and there after a restart."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

BUYING = """
from ibfloor import Quote, Stock, Strategy, StrategyParams

class Params(StrategyParams):
    symbol: str = "SPY"

class Buying(Strategy[Params]):
    def on_start(self) -> None:
        self.stock = Stock(self.params.symbol)
        self.subscribe_quotes(self.stock)
        self.due_ns = 0

    def on_quote(self, quote: Quote) -> None:
        room = self.limits_of(self.stock)
        if self.now_ns >= self.due_ns and room is not None and self.limits.can_enter:
            self.due_ns = self.now_ns + 20 * 10**9
            self.buy(self.stock, 4, note=f"left {room.buy_qty}")
"""


def limits_of(scene: Any, *scope: str) -> dict[str, str]:
    told = scene.cli("limits", "show", *scope, "--json")
    assert told.returncode == 0, told.stderr
    return {f"{row['scope']} {row['limit']}": row["value"] for row in json.loads(told.stdout)}


def has_order(scene: Any, field: str, word: str) -> bool:
    return any(word in str(row[field]) for row in scene.view("orders").values())


def end(floor: Any) -> None:
    floor.signal(signal.SIGTERM)
    assert floor.wait(60) == 0


def test_limits_are_changed_for_the_next_order_and_a_restart_keeps_them(scene: Any) -> None:
    file = scene.folder / "buying.py"
    file.write_text(BUYING)
    scene.write_config(
        f'[[strategy]]\nname = "buying"\nfile = "{file}"\n\n[strategy.risk]\nmax_order_notional = "off"\n'
    )
    floor = scene.floor()
    scene.until(lambda: has_order(scene, "status", "FILLED"), floor, 60)

    loose = scene.cli("limits", "set", "risk", "max_order_qty=900")
    assert (loose.returncode, "500 -> 900" in loose.stderr, "--yes" in loose.stderr) == (1, True, True)
    wrong = scene.cli("limits", "set", "strategy.byuing", "max_order_qty=3")
    assert (wrong.returncode, "there are: buying" in wrong.stderr) == (1, True)
    tight = scene.cli("limits", "set", "strategy.buying", "max_order_qty=3", "--reason", "drill")
    assert (tight.returncode, "limits version 2" in tight.stdout) == (0, True), tight.stderr
    scene.until(lambda: has_order(scene, "text", "max_order_qty"), floor, 60)
    assert limits_of(scene, "strategy.buying")["strategy.buying max_order_qty"] == "3"

    end(floor)
    floor = scene.floor()
    scene.until(lambda: limits_of(scene).get("strategy.buying max_order_qty") == "3", floor, 60)
    back = scene.cli("limits", "reset", "--yes")
    assert (back.returncode, "as in floor.toml" in back.stdout) == (0, True), back.stderr
    scene.until(lambda: "strategy.buying max_order_qty" not in limits_of(scene), floor, 30)
    end(floor)
