"""Kills on a whole floor in virtual time: what comes at the same moment, and what a person does meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.sim.books_world import BooksWorld, play

from ibfloor.model.command import CommandResult, Denied, Done, FlattenKilled, Kill, StartStrategy, Unkill
from ibfloor.model.ids import StrategyId
from ibfloor.model.order import Side
from ibfloor.sim.faults import Fault, When
from ibfloor.sim.faults import actions as do

ALPHA = StrategyId("alpha")
RESTS = """
from ibfloor import Stock, Strategy, StrategyParams

class Resting(Strategy[StrategyParams]):
    def on_start(self):
        self.is_placed = False
        self.subscribe_quotes(Stock("SPY"))

    def on_quote(self, quote):
        if not self.is_placed:
            self.is_placed = True
            self.buy(quote.contract, 10, {how})
"""


def resting(folder: Path, how: str = "limit=155") -> dict[str, Any]:
    file = folder / "rests.py"
    file.write_text(RESTS.format(how=how))
    return {"strategy": [{"name": ALPHA, "file": file, "autostart": False, "stop_policy": "keep"}]}


async def trading(world: BooksWorld) -> None:
    await world.quote("SPY", "160.00", "160.05")
    assert isinstance(await world.give(StartStrategy(command_id="1", actor="ann", strategy=ALPHA)), Done)
    for tick in ("160.06", "160.05", "160.06"):
        await world.quote("SPY", "160.00", tick)


def given(world: BooksWorld, command: Any) -> asyncio.Task[CommandResult]:
    return asyncio.create_task(world.give(command))


def drop(world: BooksWorld, *messages: str) -> None:
    for name in messages:
        world.gateway.faults.inject(Fault(name=name, what=do.Drop(), when=When(on=f"in:{name}", times=0)))


def mend(world: BooksWorld) -> None:
    for row in list(world.gateway.faults.rows()):
        world.gateway.faults.clear(row.name)


def kill(number: int) -> Kill:
    return Kill(command_id=f"kill-{number}", actor="ann", reason="drill")


def test_a_kill_that_comes_twice_is_one_and_leaves_what_a_person_placed_after_it(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await trading(world)
        drop(world, "req_global_cancel", "cancel_order")
        both = [given(world, kill(1)), given(world, kill(2))]  # as its file and its command are
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        by_hand = await world.order_by_hand("SPY", Side.BUY, 5, "150")
        mend(world)
        assert [type(each) for each in await asyncio.gather(*both)] == [Denied, Denied]
        await asyncio.sleep(60)
        assert by_hand.status == "Submitted"
        assert not await world.ask(lambda state: state.orders.working())

    play(tmp_path, scene, **resting(tmp_path))


def test_a_switch_is_not_reset_while_positions_are_being_closed(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await trading(world)
        assert world.held("SPY") == 10
        assert isinstance(await world.give(kill(1)), Done)
        # The comparison that a reset waits for takes its time; meanwhile somebody else closes what is held.
        drop(world, "req_positions")
        reset = given(world, Unkill(command_id="reset", actor="ann", reason="all is well"))
        await asyncio.sleep(1)
        drop(world, "place_order")
        closing = given(world, FlattenKilled(command_id="flat", actor="bob"))
        await asyncio.sleep(2)
        world.gateway.faults.clear("req_positions")
        denied = await reset
        assert isinstance(denied, Denied)
        assert "positions are being closed" in denied.text
        assert world.floor._kill_switch.is_latched
        mend(world)
        await closing
        assert world.floor._kill_switch.is_latched

    play(tmp_path, scene, **resting(tmp_path, "limit=161"))
