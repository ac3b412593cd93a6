"""What a person does to the books of a whole floor, previewed and confirmed; the gateway's account judges."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.sim.books_world import BooksWorld, play

from ibfloor.model.booking import AnyBooking, BookCash, BookingPreview, TransferCash, TransferLot, UndoEntry
from ibfloor.model.command import ConfirmBooking, Denied, Done, PreviewBooking, Previewed
from ibfloor.model.entry import EntryKind
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.money import USD, Money
from ibfloor.model.order import Side

ALPHA, BETA = StrategyId("alpha"), StrategyId("beta")
SPY = InstrumentId(756733)


async def previewed(world: BooksWorld, booking: AnyBooking, number: str = "p", break_key: str = "") -> BookingPreview:
    command = PreviewBooking(
        command_id=number, actor="ann", booking=booking, reason="as it should be", break_key=break_key
    )
    result = await world.give(command)
    assert isinstance(result, Previewed), result
    return result.preview


async def confirm(world: BooksWorld, preview_id: str, number: str = "c") -> Any:
    return await world.give(ConfirmBooking(command_id=number, actor="ann", preview_id=preview_id))


async def booked(world: BooksWorld, booking: AnyBooking, number: str = "b", break_key: str = "") -> str:
    shown = await previewed(world, booking, number, break_key)
    assert isinstance(await confirm(world, shown.preview_id, f"{number}!"), Done)
    return shown.preview_id


async def digest(world: BooksWorld) -> str:
    return await world.ask(lambda state: state.books.digest())


async def buy_by_hand(world: BooksWorld, qty: int = 30) -> None:
    await world.quote("SPY", "160.00", "160.02")
    await world.trade_by_hand("SPY", Side.BUY, qty, "160.02")
    assert await world.settle()


def test_a_manual_trade_is_nobodys_until_it_is_assigned_and_an_undo_gives_it_back(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await buy_by_hand(world)
        assert (await world.book("UNASSIGNED")).qty(SPY) == world.held("SPY") == 30
        before = await digest(world)
        shown = await previewed(world, TransferLot(taker=ALPHA, instrument_id=SPY))
        assert await digest(world) == before, "a preview changes nothing"
        lines = {f"{line.strategy} {line.what}": f"{line.before:f} {line.after:f}" for line in shown.lines}
        assert lines["alpha SPY"] == "0 30"
        assert lines["UNASSIGNED SPY"] == "30 0"
        assert lines["alpha USD"] == "0 -4800.60"

        assert isinstance(await confirm(world, shown.preview_id), Done)
        alpha = await world.book("alpha")
        assert f"{alpha.qty(SPY)} {alpha.cash[USD]}" == "30 -4800.60"
        assert await world.settle(), "between books nothing changes for the account"

        await booked(world, UndoEntry(entry_id=shown.preview_id), "u")
        assert await digest(world) == before
        again = PreviewBooking(
            command_id="u2", actor="ann", booking=UndoEntry(entry_id=shown.preview_id), reason="once more"
        )
        refused = await world.give(again)
        assert isinstance(refused, Denied)
        assert "reversed already" in refused.text

    play(tmp_path, scene)


def test_one_preview_books_once_however_often_it_is_confirmed_and_over_a_restart(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await buy_by_hand(world)
        shown = await previewed(world, TransferLot(taker=ALPHA, instrument_id=SPY, qty=Decimal(10)))
        assert isinstance(await confirm(world, shown.preview_id, "c1"), Done)
        again = await confirm(world, shown.preview_id, "c2")
        assert "booked already" in again.text
        await world.end_floor()
        await world.start_floor()
        assert "booked already" in (await confirm(world, shown.preview_id, "c3")).text
        assert (await world.book("alpha")).qty(SPY) == 10

    play(tmp_path, scene)


def test_a_floor_killed_between_preview_and_confirmation_has_booked_nothing(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await buy_by_hand(world)
        before = await digest(world)
        shown = await previewed(world, TransferLot(taker=ALPHA, instrument_id=SPY))
        world.kill_floor()
        await asyncio.sleep(5)
        await world.start_floor()
        refused = await confirm(world, shown.preview_id)
        assert isinstance(refused, Denied)
        assert "preview again" in refused.text
        assert await digest(world) == before
        await booked(world, TransferLot(taker=ALPHA, instrument_id=SPY))
        world.kill_floor()  # and what was confirmed is on disk
        await asyncio.sleep(5)
        await world.start_floor()
        assert (await world.book("alpha")).qty(SPY) == 30

    play(tmp_path, scene)


def test_books_that_moved_on_since_the_preview_refuse_it(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await buy_by_hand(world)
        shown = await previewed(world, TransferLot(taker=ALPHA, instrument_id=SPY, qty=Decimal(10)))
        await buy_by_hand(world, 5)
        refused = await confirm(world, shown.preview_id)
        assert isinstance(refused, Denied)
        assert "moved on" in refused.text
        assert (await world.book("alpha")).qty(SPY) == 0

    play(tmp_path, scene)


def test_a_slip_of_the_pen_makes_no_book_and_no_money(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await buy_by_hand(world)
        wrong: list[tuple[AnyBooking, str]] = [
            (TransferLot(taker=StrategyId("alhpa"), instrument_id=SPY), "there is no book alhpa"),
            (TransferLot(taker=ALPHA, instrument_id=SPY, qty=Decimal(31)), "does not hold 31"),
            (TransferLot(giver=BETA, taker=ALPHA, instrument_id=SPY), "beta holds none"),
            (TransferCash(taker=ALPHA, amount=Money(Decimal("NaN"), USD)), "out of bounds"),
            (BookCash(kind=EntryKind.DEPOSIT, amount=Money(Decimal("1e40"), USD)), "out of bounds"),
            (UndoEntry(entry_id="nothing"), "there is no entry nothing"),
        ]
        before = await digest(world)
        for number, (booking, words) in enumerate(wrong):
            command = PreviewBooking(command_id=f"w{number}", actor="ann", booking=booking, reason="why not")
            refused = await world.give(command)
            assert isinstance(refused, Denied), refused
            assert words in refused.text
        assert await digest(world) == before

    play(tmp_path, scene)
