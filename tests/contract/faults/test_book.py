"""The gateway's own book: it has every account, and two of it are compared row by row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from ibfloor.cli.entry import app
from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import AccountId
from ibfloor.model.money import Currency
from ibfloor.sim.account import SimAccount
from ibfloor.sim.faults import Fault, When
from ibfloor.sim.faults import actions as do
from ibfloor.sim.gateway.book import BookReport
from ibfloor.sim.gateway.book_compare import differences, read_book
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.console import Console, ask_console
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.raw_client import RawClient

EUR = Currency("EUR")
FIRST, SECOND = "DU1000001", "DU2000002"
Play = Callable[..., str]


def with_second(lab: GatewayLab) -> SimAccount:
    second = SimAccount(AccountId(SECOND), {EUR: Decimal(500_000)}, base_currency=EUR, session="0000e0d6")
    lab.gateway.broker.add_account(second)
    return second


async def traded(lab: GatewayLab) -> BookReport:
    """Return the book after one order for each account."""
    with_second(lab)
    client = await RawClient.start(lab.port, 1)
    for order_id, account in ((1, FIRST), (2, SECOND)):
        client.place(order_id, 10 * order_id, account=account)
    await client.drain()
    for _ in range(2):
        lab.advance(30)
    client.close()
    return lab.book


def test_the_book_has_cash_positions_orders_and_executions_of_every_account(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        book = await traded(lab)
        assert [(row.account, row.base_currency) for row in book.accounts] == [(FIRST, "USD"), (SECOND, "EUR")]
        assert [row.opening_cash for row in book.accounts] == [
            {"USD": Decimal(1_000_000)},
            {"EUR": Decimal(500_000)},
        ]
        assert [[int(position.qty) for position in row.positions] for row in book.accounts] == [[10], [20]]
        assert [(row.account, int(row.qty)) for row in book.orders] == [(FIRST, 10), (SECOND, 20)]
        assert [(row.account, int(row.qty)) for row in book.executions] == [(FIRST, 10), (SECOND, 20)]
        for row, execution in zip(book.accounts, book.executions, strict=True):
            paid = execution.qty * execution.px + execution.commission
            assert row.cash["USD"] == row.opening_cash.get("USD", 0) - paid

    play(scene)


def test_a_correction_and_a_bust_reach_the_account_of_their_order(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        book = await traded(lab)
        (corrected,) = book.executions
        assert (corrected.account, corrected.exec_id[-3:]) == (FIRST, ".02")
        assert [row.exec_id[-3:] for row in book.bookings] == [".01", ".01", ".02"]
        first, second = book.accounts
        assert first.cash["USD"] == 1_000_000 - corrected.qty * corrected.px - corrected.commission
        assert second.cash["USD"] == 0
        assert [int(row.qty) for row in second.positions] == [0]

    filled = "event:filled"
    play(
        scene,
        Fault(name="corrected", what=do.CorrectFill(), when=When(on=filled, accounts=(FIRST,))),
        Fault(name="busted", what=do.BustFill(), when=When(on=filled, accounts=(SECOND,))),
    )


def test_manual_orders_and_moves_name_their_account(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        await traded(lab)
        manual = do.ManualOrder(symbol="SPY", qty=Decimal(1), limit_px=Decimal("150"), account=SECOND)
        lab.inject(Fault(name="manual", what=manual))
        split = do.MovePosition(symbol="SPY", ratio=Decimal(2))
        lab.inject(Fault(name="split", what=split))
        assigned = do.MovePosition(symbol="SPY", add=Decimal(-5), px=Decimal(160), account=SECOND)
        lab.inject(Fault(name="assigned", what=assigned))
        book = lab.book
        assert (book.orders[-1].account, book.orders[-1].order_id) == (SECOND, 0)
        assert [[int(row.qty) for row in one.positions] for one in book.accounts] == [[20], [35]]
        assert [[(move.kind, int(move.qty)) for move in one.moves] for one in book.accounts] == [
            [("adjustment", 10)],
            [("adjustment", 20), ("adjustment", -5)],
        ]

    play(scene)


def test_a_fault_of_an_account_that_is_none_is_refused(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        for what in (
            do.ManualOrder(symbol="SPY", qty=Decimal(1), limit_px=Decimal(1), account="DU9"),
            do.MovePosition(symbol="SPY", ratio=Decimal(2), account="DU9"),
        ):
            with pytest.raises(ConfigError, match=r"'DU9' is no account here: take one of DU1000001"):
                lab.inject(Fault(name="lost", what=what))
        with pytest.raises(ConfigError, match=r"'NOSUCH' is not listed here"):
            lab.inject(Fault(name="lost", what=do.MovePosition(symbol="NOSUCH", ratio=Decimal(2))))

    play(scene)


def test_what_was_sent_is_kept_with_its_time(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        start_ns = lab.gateway.now_ns()
        sent = (await traded(lab)).sent
        late = [row.ts_ns - start_ns for row in sent if row.message == "commission"]
        assert late == [30_000_000_000, 30_000_000_000]
        assert {row.ts_ns for row in sent if row.message == "exec_details"} == {start_ns}

    play(scene, Fault(name="late", what=do.Delay(seconds=30), when=When(on="out:commission", times=0)))


def test_differences_are_named_row_by_row(play: Play, tmp_path: Path) -> None:
    dumps: list[BookReport] = []

    async def scene(lab: GatewayLab) -> None:
        dumps.append(await traded(lab))

    play(scene)
    play(scene)
    play(scene, Fault(name="corrected", what=do.CorrectFill(ticks=2), when=When(on="event:filled")))
    whole, same, other = dumps
    assert differences(whole, same) == []
    found = differences(whole, other)
    root = whole.executions[0].exec_id[:-3]
    assert f"account {FIRST}: cash USD is 998318.8 here, 998318.6 there" in [one.replace("0 ", " ") for one in found]
    assert f"execution {root}.01: here alone" in found
    assert f"execution {root}.02: there alone" in found
    assert "order 1480000001: avg_px is 168.02 here, 168.04 there" in found
    assert "bookings: 2 here, 3 there" in found
    assert not [one for one in found if SECOND in one]
    lonely = msgspec.structs.replace(other, accounts=other.accounts[:1])
    assert f"account {SECOND}: here alone" in differences(whole, lonely)


def test_the_command_line_compares_two_dumps_or_one_with_a_running_gateway(play: Play, tmp_path: Path) -> None:
    before, after, broken = (tmp_path / name for name in ("before.json", "after.json", "broken.json"))
    broken.write_text("{}")

    async def scene(lab: GatewayLab) -> None:
        before.write_bytes(lab.gateway.dump_book())
        await traded(lab)
        after.write_bytes(lab.gateway.dump_book())

    play(scene)
    run = CliRunner()
    said = run.invoke(app, ["gateway", "book", "--compare", str(before), "--compare", str(after)])
    assert said.exit_code == 1
    assert "order 1480000001: there alone" in said.output
    said = run.invoke(app, ["gateway", "book", "--compare", str(after), "--compare", str(after)])
    assert (said.exit_code, said.output) == (0, "the books are equal\n")
    with pytest.raises(ConfigError, match=r"broken\.json is no book"):
        read_book(broken)
    with pytest.raises(ConfigError, match=r"none\.json: No such file"):
        read_book(tmp_path / "none.json")


def test_a_dump_is_compared_with_the_live_book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = tmp_path / "dump.json"

    async def scene() -> None:
        from ibfloor.sim.gateway.console import console_path

        async with GatewayLab() as lab, Console(lab.gateway, console_path(lab.port)) as console:
            lab.quote("SPY", "168.00", "168.02", size=1000)
            with_second(lab)
            dump = (await asyncio.to_thread(ask_console, console.path, "book")).book
            folder.write_bytes(bytes(dump))
            command = ["gateway", "book", "--compare", str(folder), "--port", str(lab.port)]
            said = await asyncio.to_thread(CliRunner().invoke, app, command)
            assert said.exit_code == 0, said.output
            client = await RawClient.start(lab.port, 1)
            client.place(1, 3, account=SECOND)
            await client.drain()
            client.send(ask.CANCEL_ORDER, order_id=9)
            await client.drain()
            client.close()
            said = await asyncio.to_thread(CliRunner().invoke, app, [*command, "--json"])
            assert said.exit_code == 1
            found = msgspec.json.decode(said.output, type=list[str])
            assert f"account {SECOND}: position 756733 SPY: there alone" in found
            assert "refusals: 0 here, 1 there" in found

    asyncio.run(asyncio.wait_for(scene(), 30))
