"""Strategies that trade with each other on a whole floor: the gateway sees no order, books still are the account."""

from __future__ import annotations

import asyncio
import contextvars
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.sim.books_world import BooksWorld, play

from ibfloor.ledger.verify import verify
from ibfloor.model.command import Done, Kill, StartStrategy, StopStrategy
from ibfloor.model.entry import BookEntry, EntryKind
from ibfloor.model.fact import AnyFact
from ibfloor.model.ids import StrategyId
from ibfloor.model.lots import LotMethod
from ibfloor.model.money import USD
from ibfloor.portfolio.crossing import crossings
from ibfloor.reports.writing import read_chronicle, statements_of

ALPHA, BETA = StrategyId("alpha"), StrategyId("beta")
OFFERS = """
from ibfloor import Refused, Side, Stock, Strategy, StrategyParams

class Params(StrategyParams):
    side: str
    qty: int
    for_s: float = 30.0

class Offerer(Strategy[Params]):
    offered = None

    def on_start(self):
        self.subscribe_quotes(Stock("SPY"))

    def on_quote(self, quote):
        if self.offered is None:
            self.offered = self.offer(quote.contract, Side(self.params.side), self.params.qty, for_s=self.params.for_s)
            if isinstance(self.offered, Refused):
                self.market(quote.contract, self.params.qty, self.offered.reason.rule)

    def on_offer(self, offer):
        held = self.position(offer.contract).qty
        assert abs(held) >= offer.crossed_qty, "the book comes before the word of it"
        if offer.is_over and offer.left:
            self.market(offer.contract, offer.left, offer.text)

    def market(self, contract, qty, note):
        order = self.buy if self.params.side == "BUY" else self.sell
        order(contract, qty, note=note)
"""


def settings(folder: Path, params: dict[str, dict[str, object]], *, enabled: bool = True) -> dict[str, Any]:
    file = folder / "offers.py"
    file.write_text(OFFERS)
    tables = [
        {"name": name, "file": file, "autostart": False, "stop_policy": "keep", "params": each}
        for name, each in params.items()
    ]
    return {"strategy": tables, "crossing": {"enabled": enabled}}


async def started(world: BooksWorld, *names: StrategyId) -> None:
    await world.quote("SPY", "160.00", "160.05")
    for name in names:
        assert isinstance(await world.give(StartStrategy(command_id=name, actor="ann", strategy=name)), Done)
    await quotes(world)


async def quotes(world: BooksWorld, times: int = 4) -> None:
    for number in range(times):  # one that stands still is no news
        await world.quote("SPY", "160.00", "160.05" if number % 2 else "160.06")
    await world.quote("SPY", "160.00", "160.05")


async def crosses(world: BooksWorld) -> list[BookEntry]:
    return await world.ask(lambda state: [each for each in state.books.entries if each.kind is EntryKind.CROSS])


async def notes(world: BooksWorld) -> list[str]:
    return await world.ask(lambda state: [order.request.note for order in state.orders])


def sent(world: BooksWorld) -> int:
    report = world.gateway.book.report(world.gateway.broker)
    return len(report.orders) + len(report.executions)


async def books_are_the_account(world: BooksWorld) -> None:
    assert await world.settle()
    assert await world.ask(lambda state: dict(state.breaks)) == {}
    held = [await world.book(name) for name in ("alpha", "beta", "UNASSIGNED")]
    spy = world.instrument("SPY").instrument_id
    assert sum(book.qty(spy) for book in held) == world.held("SPY")
    cash = await world.ask(lambda state: state.books.cash_total())
    assert cash[USD] == world.account.cash[USD]


PAIR: dict[str, dict[str, object]] = {"alpha": {"side": "BUY", "qty": 30}, "beta": {"side": "SELL", "qty": 20}}


def test_offers_that_meet_are_booked_at_the_middle_and_the_gateway_sees_no_order(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await started(world, ALPHA, BETA)
        (entry,) = await crosses(world)
        assert entry.quote is not None
        assert entry.quote.bid_px == 160
        assert entry.quote.ask_px in {Decimal("160.05"), Decimal("160.06")}
        alpha, beta = await world.book("alpha"), await world.book("beta")
        spy = world.instrument("SPY").instrument_id
        assert (alpha.qty(spy), beta.qty(spy)) == (Decimal(20), Decimal(-20))
        assert alpha.cash[USD] == -beta.cash[USD] == -20 * entry.quote.mid_px
        (shown,) = crossings([entry], await world.ask(lambda state: dict(state.instruments)))
        assert shown.saved.amount == 20 * (entry.quote.ask_px - entry.quote.bid_px)
        assert sent(world) == 0
        assert world.floor._gate.open_reservations == 0
        await books_are_the_account(world)
        await asyncio.sleep(30)
        await quotes(world)  # what did not meet anybody went to the market in the end
        assert await notes(world) == ["its time is over"]
        assert world.held("SPY") == 10
        await books_are_the_account(world)

    play(tmp_path, scene, **settings(tmp_path, PAIR))
    assert verify(tmp_path / "home").problems == ()
    zone = ZoneInfo("America/New_York")
    told = statements_of(read_chronicle(tmp_path / "home", zone, LotMethod.FIFO), None, zone)
    assert {ALPHA, BETA} < set(told)
    assert {statement.bridge.unexplained.value for statement in told.values()} == {0}


def test_without_the_setting_every_offer_is_refused_and_nothing_crosses(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await started(world, ALPHA, BETA)
        assert await crosses(world) == []
        assert "crossing" in await notes(world)

    play(tmp_path, scene, **settings(tmp_path, PAIR, enabled=False))


def test_a_stale_quote_prices_no_cross(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await started(world, ALPHA)
        await asyncio.sleep(20)
        made = world.floor._services.crossing
        offer = next(iter(made._offers.values())).offer
        assert not offer.is_over
        assert isinstance(await world.give(StartStrategy(command_id="b", actor="ann", strategy=BETA)), Done)
        await asyncio.sleep(2)
        assert await crosses(world) == []
        await quotes(world)
        assert len(await crosses(world)) == 1

    play(tmp_path, scene, **settings(tmp_path, PAIR))


def test_nothing_crosses_under_a_kill_switch(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await started(world, ALPHA)
        kill = Kill(command_id="k", actor="ann", reason="test", scope="strategy", target="alpha")
        assert isinstance(await world.give(kill), Done)
        await started(world, BETA)
        assert await crosses(world) == []
        assert sent(world) == 0

    play(tmp_path, scene, **settings(tmp_path, PAIR))


def test_a_strategy_that_ended_crosses_no_more(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await started(world, ALPHA)
        assert len(world.floor._services.crossing._offers) == 1
        assert isinstance(await world.give(StopStrategy(command_id="s", actor="ann", strategy=ALPHA)), Done)
        await quotes(world)
        assert world.floor._services.crossing._offers == {}
        await started(world, BETA)
        assert await crosses(world) == []

    play(tmp_path, scene, **settings(tmp_path, PAIR))


class DyingDisk:
    """A journal of a floor that is killed as it books a cross: nothing of later reaches the disk."""

    def __init__(self, world: BooksWorld, *, takes_it: bool) -> None:
        self._world = world
        self._real = world.floor._queue._journal
        self._takes_it = takes_it
        self.is_dead = False

    def append(self, fact: AnyFact, seq: int) -> None:
        is_last = isinstance(fact, BookEntry) and not self.is_dead
        if not self.is_dead and (not is_last or self._takes_it):
            self._real.append(fact, seq)
        if is_last:
            self.is_dead = True
            asyncio.get_running_loop().call_soon(self._world.kill_floor, context=contextvars.Context())


@pytest.mark.parametrize("takes_it", [False, True], ids=["before", "after"])
def test_a_floor_killed_as_it_books_has_booked_both_sides_or_neither(tmp_path: Path, takes_it: bool) -> None:
    async def scene(world: BooksWorld) -> None:
        await started(world, ALPHA)
        disk = world.floor._queue._journal = DyingDisk(world, takes_it=takes_it)
        await world.give(StartStrategy(command_id="b", actor="ann", strategy=BETA))
        await quotes(world)
        assert disk.is_dead
        await asyncio.sleep(5)
        await world.start_floor()
        spy, crossed = world.instrument("SPY").instrument_id, Decimal(20 if takes_it else 0)
        alpha, beta = await world.book("alpha"), await world.book("beta")
        assert (alpha.qty(spy), beta.qty(spy)) == (crossed, -crossed)
        assert len(await crosses(world)) == takes_it
        assert sent(world) == 0
        await books_are_the_account(world)

    play(tmp_path, scene, **settings(tmp_path, PAIR))
    assert verify(tmp_path / "home").problems == ()
