"""What is held has a mark, whether or not the strategy that holds it is there to look."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.sim.books_world import BooksWorld, play

from ibfloor.model.command import Done, StartStrategy, StopStrategy
from ibfloor.model.ids import StrategyId

HOLDER = StrategyId("holder")
HOLDS = """
from ibfloor import Stock, Strategy, StrategyParams

class Params(StrategyParams):
    fails: bool = False

class Holder(Strategy[Params]):
    def on_start(self):
        self.has_bought = False
        self.subscribe_quotes(Stock("KO"))

    def on_quote(self, quote):
        if not self.has_bought:
            self.has_bought = True
            self.buy(quote.contract, 10)

    def on_fill(self, fill):
        if self.params.fails:
            raise RuntimeError("it has what it wanted")
"""


async def held(world: BooksWorld) -> Any:
    """Return the row of what the strategy holds, marked by the quotes that came so far."""
    await world.quote("KO", "41.00", "41.02")
    return (await world.rows("positions"))[f"{HOLDER}/{world.instrument('KO').instrument_id}"]


async def until(world: BooksWorld, state: str) -> None:
    for _ in range(40):
        if (await world.rows("strategies"))[HOLDER].state == state:
            return
        await asyncio.sleep(0.5)
    raise AssertionError((await world.rows("strategies"))[HOLDER])


@pytest.mark.parametrize("fails", [False, True], ids=["stopped", "failed"])
def test_what_a_strategy_that_no_longer_runs_holds_is_marked(tmp_path: Path, fails: bool) -> None:
    async def scene(world: BooksWorld) -> None:
        await world.quote("KO", "40.00", "40.02")
        assert isinstance(await world.give(StartStrategy(command_id="1", actor="ann", strategy=HOLDER)), Done)
        for _ in range(3):
            await world.quote("KO", "40.00", "40.02")
        assert world.held("KO") == 10
        if not fails:
            assert isinstance(await world.give(StopStrategy(command_id="2", actor="ann", strategy=HOLDER)), Done)
        await until(world, "FAILED" if fails else "STOPPED")
        row = await held(world)
        assert (row.qty, row.mark_px) == (10, Decimal("41.01"))

    file = tmp_path / "holder.py"
    file.write_text(HOLDS)
    table = {"name": HOLDER, "file": file, "autostart": False, "stop_policy": "keep", "params": {"fails": fails}}
    play(tmp_path, scene, strategy=[table], restart={"max_restarts": 0})
