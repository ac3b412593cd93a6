"""Books by the command line on real processes: what happens at the broker is seen, explained, booked and taken back."""

from __future__ import annotations

import json
import signal
from decimal import Decimal
from typing import Any

import pytest

from ibfloor.model.money import USD
from ibfloor.sim.faults import actions as do
from ibfloor.sim.gateway.console import ask_console, console_path
from ibfloor.sim.gateway.happenings import Deposit, Split

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SPY = 756733


def said(scene: Any, *arguments: str) -> str:
    done = scene.cli(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    text: str = done.stdout
    return text


def test_manual_trade_split_and_deposit_are_booked_by_hand_and_the_broker_agrees(scene: Any, tools: Any) -> None:
    scene.write_config(
        tools.strategy_table("alpha", "sma_cross.py", symbol="QQQ", qty=10).replace(
            "[[strategy]]", "[[strategy]]\nautostart = false"
        )
    )
    floor = scene.floor()
    assert "no breaks" in said(scene, "breaks")

    scene.break_gateway(do.ManualOrder(symbol="SPY", qty=Decimal(30), limit_px=Decimal(10_000)))
    scene.until(lambda: scene.view("positions").get(f"UNASSIGNED/{SPY}", {}).get("qty") == "30", floor)
    looked = said(scene, "book", "assign", "SPY", "alpha", "10", "--reason", "bought for it", "--preview")
    assert "alpha" in looked
    assert scene.view("entries") == {}
    asks = scene.cli("book", "assign", "SPY", "alpha", "10", "--reason", "bought for it")
    assert (asks.returncode, "give --yes" in asks.stderr) == (2, True)
    assert "booked as entry" in said(scene, "book", "assign", "SPY", "alpha", "10", "-r", "bought for it", "--yes")
    scene.until(lambda: scene.view("positions").get(f"alpha/{SPY}", {}).get("qty") == "10", floor)

    happened = (Split(at="", symbol="SPY", ratio=Decimal(2)), Deposit(at="", currency=USD, amount=Decimal(25_000)))
    ask_console(console_path(scene.port), "happen", events=happened)
    scene.until(lambda: len(scene.view("breaks")) == 2, floor)
    words = said(scene, "breaks")
    assert "cause  split: the account has 2 for each 1" in words
    assert "cause  deposit" in words
    said(scene, "book", "resolve", f"position:{SPY}", "-r", "2 for 1", "-y")
    said(
        scene,
        "book",
        "deposit",
        "25000",
        "USD",
        "--to",
        "alpha=25000",
        "-r",
        "its capital",
        "--break",
        "cash:USD",
        "-y",
    )
    scene.until(lambda: not scene.view("breaks"), floor)
    assert [scene.view("positions")[f"{book}/{SPY}"]["qty"] for book in ("alpha", "UNASSIGNED")] == ["20", "40"]

    entries = json.loads(said(scene, "book", "entries", "--json"))
    assert [row["kind"] for row in entries] == ["TRANSFER", "SPLIT", "DEPOSIT"]
    said(scene, "book", "undo", entries[2]["entry_id"], "-r", "the wrong book", "-y")
    scene.until(lambda: "cash:USD" in scene.view("breaks"), floor)
    said(scene, "book", "resolve", "cash:USD", "-r", "to nobody", "-y")
    scene.until(lambda: not scene.view("breaks"), floor)

    floor.signal(signal.SIGTERM)
    summary = json.loads(floor.output().splitlines()[-1])
    assert summary["books_equal_account"] is True
    verified = scene.cli("ledger", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    state, (account,) = scene.ledger(), scene.book().accounts
    assert state.books.cash_total() == {"USD": Decimal(account.cash["USD"])}
    assert state.books.position_total(SPY) == next(row.qty for row in account.positions if row.symbol == "SPY")
    assert sum("bookings" in fact or "Booking" in fact for fact in audit(scene)) >= 8


def audit(scene: Any) -> list[str]:
    from ibfloor.ledger.replay import recover
    from ibfloor.model.fact import CommandTaken

    with recover(scene.home) as recovered:
        return [fact.text for _, fact in recovered.facts() if isinstance(fact, CommandTaken)]
