"""What is held has a mark, whether or not the strategy that holds it is there to look."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.sim.books_world import BooksWorld, play

from ibfloor.manager.mark_keeper import GRACE_NS
from ibfloor.model.command import Done, StartStrategy, StopStrategy
from ibfloor.model.ids import StrategyId
from ibfloor.model.moment import NS_PER_S
from ibfloor.model.order import Side
from ibfloor.sim.gateway.limits import LimitDesk, Limits
from ibfloor.sim.gateway.streams import StreamKind

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


async def hold(world: BooksWorld, symbol: str, side: Side = Side.BUY) -> None:
    """Have ten traded by hand, and the floor hear of it."""
    await world.quote(symbol, "40.00", "40.02")
    await world.trade_by_hand(symbol, side, 10, "40.02" if side is Side.BUY else "40.00")
    await world.settle()


def lines(world: BooksWorld) -> int:
    return world.gateway.streams.count(StreamKind.QUOTES)


async def marks(world: BooksWorld) -> dict[str, bool]:
    """Return of each symbol held whether it has a mark."""
    names = {f"UNASSIGNED/{world.instrument(symbol).instrument_id}": symbol for symbol in ("KO", "PEP", "BAC")}
    rows = await world.rows("positions")
    return {names[key]: row.mark_px is not None for key, row in rows.items() if row.qty}


def test_what_is_flat_gives_its_line_to_what_is_held_and_had_none(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        world.gateway.limits = LimitDesk(Limits(messages_per_s=0, lines=2), world.gateway.streams, lambda: 0)
        for symbol in ("KO", "PEP", "BAC"):
            await hold(world, symbol)
        assert await marks(world) == {"KO": True, "PEP": True, "BAC": False}
        await hold(world, "KO", Side.SELL)
        assert lines(world) == 2
        assert await marks(world) == {"PEP": True, "BAC": False}, "it may be flat for a moment only"
        await asyncio.sleep(GRACE_NS / NS_PER_S)
        await world.settle()
        await world.quote("BAC", "40.00", "40.02")
        assert await marks(world) == {"PEP": True, "BAC": True}
        assert lines(world) == 2

    with capture_logs() as log:
        play(tmp_path, scene)
    told = [line for line in log if "of what is held" in line["event"]]
    assert ["has come" in line["event"] for line in told] == [False, True]
    assert all("BAC" in line["instruments"] for line in told)


def test_a_floor_that_comes_back_asks_for_what_it_holds_alone(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        for symbol in ("KO", "PEP", "BAC"):
            await hold(world, symbol)
        await hold(world, "KO", Side.SELL)
        await hold(world, "BAC", Side.SELL)
        assert lines(world) == 3
        await world.end_floor()
        await world.start_floor()
        await world.quote("PEP", "40.00", "40.02")
        assert lines(world) == 1
        assert await marks(world) == {"PEP": True}

    play(tmp_path, scene)


def test_a_line_that_a_strategy_uses_outlives_the_position(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await world.quote("KO", "40.00", "40.02")
        assert isinstance(await world.give(StartStrategy(command_id="1", actor="ann", strategy=HOLDER)), Done)
        for _ in range(3):
            await world.quote("KO", "40.00", "40.02")
        await hold(world, "KO", Side.SELL)
        entry = await world.ask(lambda state: state.books.position_total(world.instrument("KO").instrument_id))
        assert entry == 0
        await asyncio.sleep(GRACE_NS / NS_PER_S)
        await world.settle()
        assert lines(world) == 1

    file = tmp_path / "holder.py"
    file.write_text(HOLDS)
    table = {"name": HOLDER, "file": file, "autostart": False, "stop_policy": "keep"}
    play(tmp_path, scene, strategy=[table])
