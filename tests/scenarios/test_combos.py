"""Combinations and a roll on a floor of real processes, killed with ``kill -9`` while they trade."""

from __future__ import annotations

import json
import signal
from collections import Counter
from typing import Any

import pytest

from ibfloor.clock import FloorClock
from ibfloor.model.ids import StrategyId
from ibfloor.sim.gateway.clock import last_trading_day
from ibfloor.sim.market.securities import default_master

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SPREADS = """
from pathlib import Path

from ibfloor import Fill, Future, Limit, MarginImpact, Market, Side, Stock, Strategy, StrategyParams

class Params(StrategyParams):
    told: str
    near: str
    far: str

class Spreads(Strategy[Params]):
    def on_start(self) -> None:
        self.spy, self.qqq = Stock("SPY"), Stock("QQQ")
        self.near, self.far = (
            Future("ES", day, exchange="CME") for day in (self.params.near, self.params.far)
        )
        for each in (self.spy, self.qqq, self.near, self.far):
            self.subscribe_quotes(each)
        self.every(10, "act")
        self.is_previewed = False

    def say(self, text: str) -> None:
        with Path(self.params.told).open("a") as file:
            file.write(text + "\\n")

    def on_fill(self, fill: Fill) -> None:
        self.say("fill " + fill.exec_id)

    async def on_timer(self, name: str) -> None:
        if self.orders or any(self.instrument(each) is None for each in (self.spy, self.qqq, self.near, self.far)):
            return
        pair = self.combo([(self.spy, 1, Side.BUY), (self.qqq, 2, Side.SELL)])
        if not self.is_previewed:
            impact = await self.preview(Market(pair, Side.BUY, 5))
            self.is_previewed = isinstance(impact, MarginImpact)
            self.say(f"preview {impact.initial.change > 0}" if isinstance(impact, MarginImpact) else f"no {impact}")
            return
        if self.position(self.near).is_flat and self.position(self.far).is_flat:
            self.say(f"days {self.trading_days_left(self.near)}")
            self.say(f"buy {self.buy(self.near, 2)}")
        elif not self.position(self.near).is_flat:
            self.say(f"roll {self.roll(self.near, self.far)}")
        side = Side.SELL if self.position(self.spy).qty > 0 else Side.BUY
        self.submit(Market(pair, side, 5, note="pair"))
"""


def futures() -> list[str]:
    """Return when the two futures expire that the gateway has now."""
    today = f"{last_trading_day(FloorClock().now_ns()):%Y%m%d}"
    return [each.last_trade_day for each in default_master(today) if each.symbol == "ES"]


@pytest.mark.thread("pst #1569")
@pytest.mark.thread("pst #1246")
def test_legs_are_booked_once_through_a_kill_and_a_roll_leaves_nothing_behind(scene: Any, tools: Any) -> None:
    file, told = scene.folder / "spreads.py", scene.folder / "told.txt"
    file.write_text(SPREADS)
    near, far = futures()
    scene.write_config(tools.strategy_table("spreads", str(file), told=str(told), near=near, far=far))
    first = scene.floor()
    scene.until(lambda: len(scene.view("fills")) >= 9, first)
    first.signal(signal.SIGKILL)
    first.wait()

    second = scene.floor()
    before = len(told.read_text().splitlines())
    scene.until(lambda: len(told.read_text().splitlines()) >= before + 6, second)
    orders = scene.view("orders").values()
    assert {row["symbol"] for row in orders} >= {"+1 SPY -2 QQQ"}
    second.signal(signal.SIGTERM)
    summary = json.loads(second.output().splitlines()[-1])
    assert second.wait() == 0, second.words()

    book, state = scene.book(), scene.ledger()
    assert summary["books_equal_account"] is True
    assert {fill.exec_id for fill in state.fills.values()} == {row.exec_id for row in book.executions}
    assert max(Counter(row.order_ref for row in book.orders).values()) == 1
    words = Counter(line for line in told.read_text().splitlines())
    assert {line: count for line, count in words.items() if line.startswith("fill ") and count > 1} == {}
    assert words["preview True"] == 2, "once in each life"
    assert any(line.startswith("days ") and line != "days None" for line in words)
    cash = tools.cash_by_strategy(book)["spreads"]
    ours = {int(key): held.qty for key, held in state.books.book(StrategyId("spreads")).open_positions.items()}
    assert ours == {key: qty for (_, key), qty in tools.position_by_strategy(book).items()}
    es = {row.symbol: row.qty for row in book.positions if row.symbol.startswith("ES") and row.qty}
    assert list(es.values()) == [2], (es, "the position is in the next future, and nowhere else")
    assert cash
    verified = scene.cli("ledger", "verify", "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr


RESTING = """
from ibfloor import Limit, Side, Stock, Strategy, StrategyParams

class Resting(Strategy[StrategyParams]):
    def on_start(self) -> None:
        self.spy, self.qqq = Stock("SPY"), Stock("QQQ")
        self.mids = {}
        for each in (self.spy, self.qqq):
            self.subscribe_quotes(each)

    def on_quote(self, quote) -> None:
        if quote.mid_px == quote.mid_px:
            self.mids[quote.contract.symbol] = quote.mid_px
        if len(self.mids) < 2 or self.orders:
            return
        pair = self.combo([(self.spy, 1, Side.BUY), (self.qqq, 2, Side.SELL)])
        self.submit(Limit(pair, Side.BUY, 5, self.mids["SPY"] - 2 * self.mids["QQQ"] - 20))
        self.buy(self.spy, 5, limit=self.mids["SPY"] * 0.97)
"""


def test_a_kill_of_one_contract_ends_the_combinations_it_is_a_leg_of(scene: Any) -> None:
    file = scene.folder / "resting.py"
    file.write_text(RESTING)
    scene.write_config(f'[[strategy]]\nname = "resting"\nfile = "{file}"\n')
    floor = scene.floor()

    def working() -> set[str]:
        return {row.order_ref for row in scene.book().orders if row.status in ("PreSubmitted", "Submitted")}

    scene.until(lambda: working() == {"resting:1", "resting:2"}, floor)
    killed = scene.cli("kill", "--instrument", "QQQ", "a drill")
    assert killed.returncode == 0, killed.stdout + killed.stderr
    assert working() == {"resting:2"}, "SPY alone works on"
    orders = scene.view("orders")
    assert {row["status"] for row in orders.values() if "QQQ" in row["symbol"]} == {"CANCELED"}
