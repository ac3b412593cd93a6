"""Limits of a running floor: changed from the command line, true for the next order, and there after a restart."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from ibfloor.model.risk_fact import TradingRestricted

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

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
    assert scene.secretly("officer", words=("correct horse",)).returncode == 0
    alone = scene.cli("limits", "reset", "--yes")
    assert (alone.returncode, "use --stdin" in alone.stderr) == (2, True), "nobody is there to ask"
    wrong = scene.secretly("limits", "reset", "--yes", words=("battery staple",))
    assert (wrong.returncode, "not the risk officer" in wrong.stderr) == (1, True)
    back = scene.secretly("limits", "reset", "--yes", words=("correct horse",))
    assert (back.returncode, "as in floor.toml" in back.stdout) == (0, True), back.stderr
    assert "correct horse" not in floor.words()
    scene.until(lambda: "strategy.buying max_order_qty" not in limits_of(scene), floor, 30)
    end(floor)


def test_strategy_that_lost_too_much_today_only_gets_out_until_a_person_enables_it(scene: Any) -> None:
    file = scene.folder / "buying.py"
    file.write_text(BUYING)
    scene.write_config(
        f'[[strategy]]\nname = "buying"\nfile = "{file}"\nstop_policy = "flatten"\n[strategy.risk]\nday_loss_max = 2\n'
    )
    floor = scene.floor()  # fees alone come to more than that within a few orders

    def state() -> str:
        return str(scene.view("strategies").get("buying", {}).get("state"))

    scene.until(lambda: state() == "STOPPED" and scene.view("fills"), floor, 90)
    assert not [row for row in scene.view("positions").values() if row["strategy"] == "buying" and float(row["qty"])]
    assert scene.view("risk")["reducing"]["used"] == "buying"
    end(floor)
    (restricted,) = [fact for fact in scene.facts() if isinstance(fact, TradingRestricted)]
    assert (restricted.strategy, restricted.rule) == ("buying", "day_loss")

    floor = scene.floor()
    scene.until(lambda: scene.view("risk")["reducing"]["used"] == "buying", floor, 30)
    enabled = scene.cli("strategy", "enable", "buying", "the drill is over")
    assert (enabled.returncode, "lost" in enabled.stdout) == (0, True), enabled.stderr
    scene.until(lambda: scene.view("risk")["reducing"]["used"] == "none", floor, 30)
    end(floor)
