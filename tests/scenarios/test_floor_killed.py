"""``kill -9`` of the floor while it trades: everything comes back, nothing is doubled."""

from __future__ import annotations

import json
import signal
from collections import Counter
from typing import Any

import pytest

from ibfloor.model.ids import UNASSIGNED, StrategyId

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def strategies(tools: Any) -> str:
    return "".join(
        (
            tools.strategy_table("revert", "mean_reversion.py", symbol="QQQ", qty=100, inventory_max=200),
            tools.strategy_table("sma", "sma_cross.py", symbol="SPY", fast=2, slow=4, qty=100),
            tools.strategy_table("pair", "pair.py", first="KO", second="PEP", qty=100, window=5),
        )
    )


@pytest.mark.thread("vnpy #1118")
@pytest.mark.thread("vnpy #2685")
def test_floor_killed_while_trading_comes_back_with_every_fill_once(scene: Any, tools: Any) -> None:
    scene.write_config(strategies(tools))
    first = scene.floor()
    scene.until(lambda: len(scene.view("fills")) >= 12, first)
    first.signal(signal.SIGKILL)
    first.wait()

    second = scene.floor()
    scene.until(lambda: (row := scene.view("floor").get("floor")) and row["gate_open"], second)
    # It trades on under the same client ids, with the orders of before adopted.
    before = len(scene.view("fills"))
    scene.until(lambda: len(scene.view("fills")) >= before + 5, second)
    second.signal(signal.SIGTERM)
    summary = json.loads(second.output().splitlines()[-1])
    assert second.wait() == 0, second.words()

    book, state = scene.book(), scene.ledger()
    assert summary["books_equal_account"] is True
    assert summary["unknown_orders"] == 0
    assert {fill.exec_id for fill in state.fills.values()} == {row.exec_id for row in book.executions}
    per_intent = Counter(row.order_ref for row in book.orders)
    assert max(per_intent.values()) == 1, "an intent reached the broker twice"
    for name, cash in tools.cash_by_strategy(book).items():
        assert state.books.book(StrategyId(name)).cash["USD"] == cash
    ours = {
        (str(name), int(key)): position.qty
        for name in state.books.strategies()
        if name != UNASSIGNED
        for key, position in state.books.book(name).open_positions.items()
    }
    assert ours == tools.position_by_strategy(book)
    assert [row.status for row in book.orders if row.status in ("Submitted", "PreSubmitted")] == []


def test_ledger_of_a_killed_floor_verifies_and_replays_to_the_same_books(scene: Any, tools: Any) -> None:
    scene.write_config(strategies(tools))
    floor = scene.floor()
    scene.until(lambda: len(scene.view("fills")) >= 5, floor)
    floor.signal(signal.SIGKILL)
    floor.wait()
    assert scene.ledger().books.digest() == scene.ledger().books.digest()
    verified = scene.cli("ledger", "verify", "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
