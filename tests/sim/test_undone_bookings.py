"""A booking that was wrong is undone on a whole floor: neither its guards nor its pages take that for a loss."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.sim.books_world import BooksWorld, play

from ibfloor.model.booking import AnyBooking, BookCash, MergePosition, UndoEntry
from ibfloor.model.command import ConfirmBooking, Done, PreviewBooking, Previewed
from ibfloor.model.entry import EntryKind
from ibfloor.model.ids import InstrumentId
from ibfloor.model.money import USD, Money
from ibfloor.model.order import Side

OFF = (
    "max_order_qty",
    "max_order_notional",
    "max_position_qty",
    "max_position_notional",
    "collar_pct",
    "max_gross_exposure",
)
RISK = {
    **dict.fromkeys(OFF, "off"),
    "quote_age_max_s": 600.0,
    "order_rate_per_s": 5,
    "order_burst": 10,
    "account": {"drawdown_max_pct": 0.3, "day_loss_max": 3000},
}


async def booked(world: BooksWorld, booking: AnyBooking, number: str) -> str:
    shown = await world.give(PreviewBooking(command_id=number, actor="ann", booking=booking, reason="a slip"))
    assert isinstance(shown, Previewed), shown
    done = await world.give(ConfirmBooking(command_id=f"{number}!", actor="ann", preview_id=shown.preview.preview_id))
    assert isinstance(done, Done), done
    return shown.preview.preview_id


async def account(world: BooksWorld) -> Any:
    await asyncio.sleep(1)
    (row,) = (await world.rows("account")).values()
    return row


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("what", ["dividend", "merger"])
def test_undoing_a_wrong_booking_halts_nobody_and_leaves_no_drawdown(
    tmp_path: Path, what: str, is_restarted: bool
) -> None:
    async def scene(world: BooksWorld) -> None:
        await world.quote("SPY", "160.00", "160.02")
        await world.quote("QQQ", "80.00", "80.02")
        await world.trade_by_hand("SPY", Side.BUY, 300, "160.02")
        await world.trade_by_hand("QQQ", Side.BUY, 1, "80.02")
        assert await world.settle()
        before = await account(world)
        spy, qqq = (InstrumentId(world.instrument(symbol).instrument_id) for symbol in ("SPY", "QQQ"))
        wrong: AnyBooking = MergePosition(instrument_id=spy, into_id=qqq, new=5, old=2)
        if what == "dividend":
            wrong = BookCash(kind=EntryKind.DIVIDEND, amount=Money(Decimal(5000), USD))
        entry_id = await booked(world, wrong, "wrong")
        meanwhile = await account(world)
        assert meanwhile.day_pnl - before.day_pnl > 3000
        if is_restarted:
            world.kill_floor()
            await asyncio.sleep(5)
            await world.start_floor()
        await booked(world, UndoEntry(entry_id=entry_id), "undo")
        after = await account(world)
        assert await world.ask(lambda state: dict(state.kills)) == {}
        assert (after.day_pnl, after.drawdown_pct) == (before.day_pnl, before.drawdown_pct)

    play(tmp_path, scene, risk=RISK)
