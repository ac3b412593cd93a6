"""Gateways that restart: twenty times in a row unattended, and at a time that the floor was told of."""

from __future__ import annotations

import json
import signal
from collections import Counter
from typing import Any

import pytest

from ibfloor.sim.faults import actions as do

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PROTECTED = """
from ibfloor import Fill, Quote, Stock, Strategy, StrategyParams

class Params(StrategyParams):
    symbol: str = "SPY"

class Protected(Strategy[Params]):
    def on_start(self) -> None:
        self.stock = Stock(self.params.symbol)
        self.subscribe_quotes(self.stock)
        self.is_placed = False

    def on_quote(self, quote: Quote) -> None:
        if not self.is_placed and quote.bid_px == quote.bid_px:
            self.is_placed = True
            self.buy(self.stock, 10)

    def on_fill(self, fill: Fill) -> None:
        if fill.side.sign > 0:
            self.sell(self.stock, 10, stop=round(float(fill.px) * 0.97, 2))
"""


def all_connected(scene: Any) -> bool:
    rows = scene.view("sessions").values()
    return bool(rows) and all(row["state"] == "CONNECTED" for row in rows)


@pytest.mark.thread("vnpy #2076")
@pytest.mark.thread("vnpy #3084")
@pytest.mark.thread("vnpy #3087")
def test_twenty_restarts_in_a_row_need_nobody(scene: Any, tools: Any) -> None:
    scene.write_config(tools.strategy_table("revert", "mean_reversion.py", symbol="QQQ", qty=100, inventory_max=200))
    floor = scene.floor()
    scene.until(lambda: len(scene.view("fills")) >= 2, floor)
    # Every 2.5 s on the wall the gateway goes for half a second, and hands out order ids it gave before.
    scene.break_gateway(do.Restart(for_s=30, rollback=3), every_s=150, times=20)

    def restarts() -> int:
        words: str = floor.log.read_text(errors="replace")
        return words.count("Logged on to server")

    before = restarts()
    scene.until(lambda: restarts() >= before + 40, floor, 120)  # three sessions, most of them every time
    scene.until(lambda: all_connected(scene) and scene.view("floor")["floor"]["gate_open"], floor, 60)
    fills = len(scene.view("fills"))
    scene.until(lambda: len(scene.view("fills")) > fills, floor, 60)
    floor.signal(signal.SIGTERM)
    summary = json.loads(floor.output().splitlines()[-1])
    assert floor.wait() == 0, floor.words()
    book = scene.book()
    assert summary["books_equal_account"] is True
    assert summary["unknown_orders"] == 0
    assert max(Counter(row.order_ref for row in book.orders).values()) == 1
    assert summary["fills"] == len(book.executions)


def test_entries_wait_through_a_restart_window_and_stops_are_proven_to_rest_at_ib(scene: Any, tools: Any) -> None:
    file = scene.folder / "protected.py"
    file.write_text(PROTECTED)
    scene.write_config(f'[[strategy]]\nname = "protected"\nfile = "{file}"\n')
    text = scene.config.read_text().replace(
        "reconcile_every_s = 2\n",
        'reconcile_every_s = 2\nrestart_windows = ["09:50-10:00"]\nrestart_lead_s = 60\n',
    )
    scene.config.write_text(text)
    floor = scene.floor()
    reason = scene.until(lambda: "restarts" in (row := scene.view("floor")["floor"])["gate_reason"] and row, floor, 60)
    assert reason["gate_open"] is False
    assert "entries wait" in reason["gate_reason"]
    scene.until(lambda: "ready for the restart" in floor.words(), floor, 30)
    (ready,) = [line for line in floor.words().splitlines() if "ready for the restart" in line]
    assert "stops_at_ib=1" in ready
    assert "not_proven=0" in ready
    scene.break_gateway(do.Restart(for_s=60))
    scene.until(lambda: all_connected(scene) and scene.view("floor")["floor"]["gate_open"], floor, 60)
    assert [row.status for row in scene.book().orders if row.order_ref == "protected:2"] == ["PreSubmitted"]


def test_a_gateway_that_lets_only_read_makes_a_floor_that_only_watches(scene: Any, tools: Any) -> None:
    scene.write_config(tools.strategy_table("revert", "mean_reversion.py", symbol="QQQ", qty=100, inventory_max=200))
    scene.break_gateway(do.ReadOnly())
    floor = scene.floor()
    scene.until(lambda: "Read-Only API" in scene.view("floor")["floor"]["gate_reason"], floor)
    scene.until(lambda: scene.view("floor")["floor"]["rejected"], floor)
    assert scene.book().orders == []
