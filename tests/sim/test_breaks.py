"""Breaks on a whole floor: what happened to the gateway's account is named, locks, and is ended by one entry."""

from __future__ import annotations

import asyncio
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.sim.books_world import BooksWorld, play

from ibfloor.model.booking import (
    Adjust,
    AnyBooking,
    BookCash,
    SettleFuture,
    Share,
    SpinOff,
    SplitPosition,
    TransferLot,
    UndoEntry,
)
from ibfloor.model.command import ConfirmBooking, Denied, Done, PreviewBooking, Previewed
from ibfloor.model.entry import EntryKind
from ibfloor.model.ids import StrategyId
from ibfloor.model.money import USD, Money
from ibfloor.model.order import Side
from ibfloor.sim.account.lifecycle import expire_option
from ibfloor.sim.gateway.happenings import AccountEvent, Deposit, Dividend, Exercise, Interest, Split
from ibfloor.sim.market.listing import WORLD, read_listing
from ibfloor.sim.market.securities import default_master

pytestmark = pytest.mark.slow
DAY = date(2026, 12, 17)
PUT = "SPY   261218P00450000"


async def resolved(world: BooksWorld, key: str, booking: AnyBooking | None = None) -> str:
    """End a break by what it proposes, or otherwise; return the entry's id."""
    row = (await world.rows("breaks"))[key]
    chosen = booking or row.proposal
    assert chosen is not None, row
    asked = PreviewBooking(command_id=f"p {key}", actor="ann", booking=chosen, reason="seen", break_key=key)
    shown = await world.give(asked)
    assert isinstance(shown, Previewed), shown
    assert all(not each.after for each in shown.preview.breaks), "nothing of any break would remain"
    preview_id = shown.preview.preview_id
    done = await world.give(ConfirmBooking(command_id=f"c {key}", actor="ann", preview_id=preview_id))
    assert isinstance(done, Done), done
    assert await world.settle()
    assert await world.rows("breaks") == {}
    return preview_id


async def broken(world: BooksWorld, cause: str) -> dict[str, Any]:
    assert not await world.settle()
    rows = await world.rows("breaks")
    assert {row.cause for row in rows.values()} == {cause}
    return rows


async def hold_spy(world: BooksWorld) -> str:
    await world.quote("SPY", "160.00", "160.02")
    await world.trade_by_hand("SPY", Side.BUY, 300, "160.02")
    assert await world.settle()
    await asyncio.sleep(70)  # the marks of this minute are journaled
    assert await world.settle()
    return f"position:{world.instrument('SPY').instrument_id}"


def test_a_split_overnight_is_named_while_the_floor_is_down_and_ended_by_one_entry(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        key = await hold_spy(world)
        await world.end_floor()
        world.happen(Split(at="2013-10-08 02:00", symbol="SPY", ratio=Decimal(3)))
        await world.quote("SPY", "53.34", "53.36")
        await world.start_floor()
        rows = await broken(world, "SPLIT")
        assert "3 for each 1" in rows[key].why
        gate = world.floor._gate._gate
        assert world.instrument("SPY").instrument_id in gate.permissions.locks
        entry_id = await resolved(world, key)
        book = await world.book("UNASSIGNED")
        position = book.positions[world.instrument("SPY").instrument_id]
        assert position.qty == 900
        assert position.cost == 300 * Decimal("160.02")
        assert world.held("SPY") == 900
        assert gate.permissions.locks == {}

        undo = PreviewBooking(command_id="u", actor="ann", booking=UndoEntry(entry_id=entry_id), reason="look again")
        shown = await world.give(undo)
        await world.give(ConfirmBooking(command_id="u!", actor="ann", preview_id=shown.preview.preview_id))
        assert list(await broken(world, "SPLIT")) == [key]
        await resolved(world, key)

    play(tmp_path, scene)


def test_a_spin_off_ends_the_break_of_the_new_shares_and_takes_its_part_of_the_cost_along(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await hold_spy(world)
        spy, qqq = world.instrument("SPY"), world.instrument("QQQ")
        to_alpha = TransferLot(taker=StrategyId("alpha"), instrument_id=spy.instrument_id, qty=Decimal(100))
        shown = await world.give(PreviewBooking(command_id="t", actor="ann", booking=to_alpha, reason="hers"))
        await world.give(ConfirmBooking(command_id="t!", actor="ann", preview_id=shown.preview.preview_id))
        world.account.adjust(qqq, Decimal(1), Decimal(75), Decimal(0))  # 1 for 4, and no cash moves
        (key,) = await broken(world, "UNKNOWN")
        spun = SpinOff(
            instrument_id=spy.instrument_id, child_id=qqq.instrument_id, new=1, old=4, cost_share=Decimal("0.25")
        )
        wrong = msgspec.structs.replace(spun, cost_share=Decimal(1))
        refused = await world.give(PreviewBooking(command_id="w", actor="ann", booking=wrong, reason="form 8937"))
        assert isinstance(refused, Denied)
        await resolved(world, key, spun)
        cost = 300 * Decimal("160.02")
        for name, part in (("UNASSIGNED", 2), ("alpha", 1)):
            held = (await world.book(name)).positions
            assert [held[each.instrument_id].qty for each in (spy, qqq)] == [100 * part, 25 * part]
            assert held[spy.instrument_id].cost == cost * part / 3 * Decimal("0.75")
            assert held[qqq.instrument_id].cost == cost * part / 3 * Decimal("0.25")
            assert held[spy.instrument_id].realised == held[qqq.instrument_id].realised == 0

    play(tmp_path, scene)


def test_an_assignment_moves_the_stock_at_the_strike_in_the_book_that_was_short(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await world.quote("SPY", "440.00", "440.02")
        await world.quote(PUT, "11.00", "11.05")
        await world.trade_by_hand(PUT, Side.SELL, 2, "11.00")
        assert await world.settle()
        world.happen(Exercise(at="2026-12-17 18:00", symbol=PUT, qty=Decimal(-2)))
        rows = await broken(world, "ASSIGNMENT")
        assert len(rows) == 3, "the option, the stock and the cash belong together"
        await resolved(world, f"position:{world.instrument(PUT).instrument_id}")
        book = await world.book("UNASSIGNED")
        assert book.qty(world.instrument("SPY").instrument_id) == world.held("SPY") == 200
        assert book.cash[USD] == world.account.cash[USD]

    master = read_listing(WORLD, DAY).master_with(default_master(f"{DAY:%Y%m%d}"))
    play(tmp_path, scene, master=master, day=DAY)


def test_an_option_that_expired_worthless_is_over(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await world.quote("SPY", "460.00", "460.02")
        await world.quote(PUT, "0.10", "0.12")
        await world.trade_by_hand(PUT, Side.BUY, 3, "0.12")
        assert await world.settle()
        put, spy = world.instrument(PUT), world.instrument("SPY")
        assert expire_option(world.account, put, spy, Decimal(460), world.gateway.now_ns())
        await broken(world, "EXPIRY")
        await resolved(world, f"position:{put.instrument_id}")
        book = await world.book("UNASSIGNED")
        assert book.open_positions == {}
        assert book.cash[USD] == world.account.cash[USD]

    last_day = date(2026, 12, 18)
    master = read_listing(WORLD, DAY).master_with(default_master(f"{DAY:%Y%m%d}"))
    play(tmp_path, scene, master=master, day=last_day)


def test_a_split_is_dated_so_that_what_was_traded_after_it_is_in_new_shares(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        key = await hold_spy(world)
        world.happen(Split(at="2013-10-07 10:02", symbol="SPY", ratio=Decimal(2)))
        ex_ns = world.gateway.now_ns()
        await asyncio.sleep(1)
        await world.quote("SPY", "80.00", "80.02")
        await world.trade_by_hand("SPY", Side.SELL, 100, "80.00")
        assert not await world.settle()
        spy = world.instrument("SPY").instrument_id
        split = SplitPosition(instrument_id=spy, new=2, old=1)
        asked = PreviewBooking(command_id="p", actor="ann", booking=split, reason="2 for 1", break_key=key)
        undated = await world.give(asked)
        assert undated.preview.breaks[0].after, "200 old shares are no 400 new ones"
        dated = await world.give(msgspec.structs.replace(asked, command_id="d", ts_ns=ex_ns))
        assert [left.after for left in dated.preview.breaks] == [0]
        await world.give(ConfirmBooking(command_id="c", actor="ann", preview_id=dated.preview.preview_id))
        assert await world.settle()
        assert (await world.book("UNASSIGNED")).qty(spy) == world.held("SPY") == 500
        future = msgspec.structs.replace(asked, command_id="f", ts_ns=2 * ex_ns)
        assert isinstance(await world.give(future), Denied)

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        (Deposit(at="2013-10-07 12:00", currency=USD, amount=Decimal(50_000)), "DEPOSIT"),
        (Deposit(at="2013-10-07 12:00", currency=USD, amount=Decimal(-7_500)), "WITHDRAWAL"),
        (Dividend(at="2013-10-07 12:00", symbol="SPY", amount=Decimal("0.839")), "DIVIDEND"),
        (Interest(at="2013-10-07 12:00", currency=USD, percent=Decimal("0.5"), days=31), "INTEREST"),
    ],
)
def test_cash_that_came_by_itself_is_named_by_its_size(tmp_path: Path, event: AccountEvent, cause: str) -> None:
    async def scene(world: BooksWorld) -> None:
        await hold_spy(world)
        world.happen(event)
        await broken(world, cause)
        await resolved(world, "cash:USD")
        book = await world.book("UNASSIGNED")
        assert book.cash[USD] == world.account.cash[USD]
        kind = EntryKind(cause)
        assert (kind in book.income) == (kind in (EntryKind.DIVIDEND, EntryKind.INTEREST)), "results, or flows"

    play(tmp_path, scene)


def test_a_deposit_is_allocated_to_the_books_it_is_for(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        world.happen(Deposit(at="2013-10-07 12:00", currency=USD, amount=Decimal(50_000)))
        await broken(world, "DEPOSIT")
        parts = (
            Share(strategy=StrategyId("alpha"), amount=Decimal(30_000)),
            Share(strategy=StrategyId("beta"), amount=Decimal(20_000)),
        )
        money = Money(Decimal(50_000), USD)
        await resolved(world, "cash:USD", BookCash(kind=EntryKind.DEPOSIT, amount=money, shares=parts))
        assert (await world.book("alpha")).cash == {USD: 30_000}
        assert (await world.book("beta")).cash == {USD: 20_000}

    play(tmp_path, scene)


def test_a_trade_no_session_told_is_proposed_at_the_price_that_its_cash_tells(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        key = await hold_spy(world)
        spy = world.instrument("SPY")
        world.account.adjust(spy, Decimal(1), Decimal(50), Decimal("160.01"))
        row = (await broken(world, "MISSED_EXECUTION"))[key]
        assert isinstance(row.proposal, Adjust)
        assert f"{row.proposal.qty:f} at {row.proposal.px:f}" == "50 at 160.01"
        await resolved(world, key)
        assert (await world.book("UNASSIGNED")).qty(spy.instrument_id) == world.held("SPY") == 350

    play(tmp_path, scene)


def test_a_busted_execution_is_taken_out_of_the_book_it_is_in(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        key = await hold_spy(world)
        execution = world.account.executions[-1]
        world.gateway.broker.bust(execution)
        row = (await broken(world, "BUST"))[key]
        assert execution.exec_id in row.why
        await resolved(world, key)
        book = await world.book("UNASSIGNED")
        assert book.qty(world.instrument("SPY").instrument_id) == world.held("SPY") == 0
        assert book.cash[USD] == world.account.cash[USD]

    play(tmp_path, scene)


def test_what_nothing_explains_is_unknown_and_no_booking_is_proposed(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        key = await hold_spy(world)
        world.account.adjust(world.instrument("SPY"), Decimal(1), Decimal(7), Decimal("31.50"))
        rows = await broken(world, "UNKNOWN")
        assert set(rows) == {key, "cash:USD"}
        assert [row.proposal for row in rows.values()] == [None, None]
        by_hand = Adjust(
            instrument_id=world.instrument("SPY").instrument_id,
            qty=Decimal(7),
            px=Decimal("31.50"),
            cash=Money(Decimal("-220.50"), USD),
        )
        await resolved(world, key, by_hand)

    play(tmp_path, scene)


def test_books_are_compared_at_night_without_anybody_asking(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        world.account.deposit(Decimal(9_000), USD)  # no message tells of it
        await asyncio.sleep(60)
        assert await world.rows("breaks") == {}
        await asyncio.sleep(120)
        assert set(await world.rows("breaks")) == {"cash:USD"}

    play(tmp_path, scene, reconcile_every_s=1e6, books={"nightly_at": "10:02"})


def test_what_the_broker_tells_of_the_account_by_itself_is_compared_at_once(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        world.happen(Deposit(at="2013-10-07 10:00", currency=USD, amount=Decimal(9_000)))
        await asyncio.sleep(200)  # IB tells every three minutes
        assert set(await world.rows("breaks")) == {"cash:USD"}

    play(tmp_path, scene, reconcile_every_s=1e6)


def test_a_futures_daily_settlement_is_named_and_cash_agrees_until_it_is_sold(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        es = world.instrument("ES")
        await world.quote("ES", "1700.00", "1700.25")
        await world.trade_by_hand("ES", Side.BUY, 2, "1700.25")
        assert await world.settle()
        await world.quote("ES", "1710.00", "1710.25")  # the future is watched since it is held
        world.account.settle(es.instrument_id, Decimal("1712.50"), world.gateway.now_ns())
        rows = await broken(world, "VARIATION")
        assert "at 1712.5" in rows["cash:USD"].why
        await resolved(world, "cash:USD")
        book = await world.book("UNASSIGNED")
        assert book.cash[USD] == world.account.cash[USD]
        assert book.positions[es.instrument_id].avg_px == Decimal("1700.25")
        assert all(amount == 0 for amount in book.realised.values()), "nothing was closed"
        await world.quote("ES", "1705.00", "1705.25")
        await world.trade_by_hand("ES", Side.SELL, 2, "1705.00")
        assert await world.settle()
        book = await world.book("UNASSIGNED")
        assert book.realised[USD] == 2 * 50 * Decimal("4.75")
        assert book.cash[USD] == world.account.cash[USD]

    play(tmp_path, scene)


def test_what_an_open_future_gains_between_settlements_is_no_difference_of_cash(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        es = world.instrument("ES")
        await world.quote("ES", "1700.00", "1700.25")
        await world.trade_by_hand("ES", Side.BUY, 2, "1700.25")
        for bid, ask in (("1705.00", "1705.25"), ("1699.00", "1699.25"), ("1712.00", "1712.25")):
            await world.quote("ES", bid, ask)  # IB's cash moves with it, and says so beside it
            assert await world.settle()
        assert await world.rows("breaks") == {}
        world.account.settle(es.instrument_id, Decimal("1712.50"), world.gateway.now_ns())
        await broken(world, "VARIATION")
        await resolved(world, "cash:USD")
        await world.quote("ES", "1720.00", "1720.25")
        assert await world.settle(), "of the next day's result nothing is paid yet either"
        assert (await world.book("UNASSIGNED")).cash[USD] == world.account.cash[USD]

    play(tmp_path, scene)


def test_a_floor_that_meets_an_open_future_takes_over_its_result_once(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await world.end_floor()
        for path in (tmp_path / "home").rglob("*"):
            if path.is_file():
                path.unlink()  # as if it had never been
        await world.quote("ES", "1700.00", "1700.25")
        await world.trade_by_hand("ES", Side.BUY, 2, "1700.25")
        await world.quote("ES", "1705.00", "1705.50")
        await world.start_floor()
        assert await world.settle()
        assert (await world.book("UNASSIGNED")).cash[USD] == world.account.cash[USD]
        await world.quote("ES", "1695.00", "1695.25")
        assert await world.settle()

    play(tmp_path, scene)


def test_what_was_settled_before_the_floor_met_a_future_is_put_right_by_two_bookings(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        es = world.instrument("ES")
        await world.end_floor()
        for path in (tmp_path / "home").rglob("*"):
            if path.is_file():
                path.unlink()  # as if it had never been
        await world.quote("ES", "1700.00", "1700.25")
        await world.trade_by_hand("ES", Side.BUY, 2, "1700.25")
        world.account.settle(es.instrument_id, Decimal("1712.50"), world.gateway.now_ns())
        await world.start_floor()
        assert await world.settle()
        paid = 2 * 50 * Decimal("12.25")
        bookings: list[AnyBooking] = [
            SettleFuture(instrument_id=es.instrument_id, px=Decimal("1712.50")),
            Adjust(cash=Money(-paid, USD)),
        ]
        for number, booking in enumerate(bookings):
            asked = PreviewBooking(command_id=f"p{number}", actor="ann", booking=booking, reason="settled before")
            shown = await world.give(asked)
            await world.give(ConfirmBooking(command_id=f"c{number}", actor="ann", preview_id=shown.preview.preview_id))
        assert await world.settle()
        book = await world.book("UNASSIGNED")
        assert book.cash[USD] == world.account.cash[USD]
        assert book.positions[es.instrument_id].paid == paid
        await world.quote("ES", "1719.00", "1719.25")
        world.account.settle(es.instrument_id, Decimal("1720.00"), world.gateway.now_ns())
        rows = await broken(world, "VARIATION")
        assert "at 1720" in rows["cash:USD"].why
        await resolved(world, "cash:USD")
        await world.trade_by_hand("ES", Side.SELL, 2, "1719.00")
        assert await world.settle()
        assert (await world.book("UNASSIGNED")).cash[USD] == world.account.cash[USD]

    play(tmp_path, scene)
