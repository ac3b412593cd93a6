"""What a Flex report tells beside executions: each is booked once, to the books it concerns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from ibfloor.cli.entry import app
from ibfloor.ledger.flex import read_report
from ibfloor.ledger.flex_import import ImportPlan, import_report
from ibfloor.ledger.journal import JournalWriter
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.replay import recover
from ibfloor.ledger.verify import verify
from ibfloor.manager.floor_state import FloorState
from ibfloor.model.entry import BookEntry, CashLeg, EntryKind
from ibfloor.model.fact import CashMoved
from ibfloor.model.ids import UNASSIGNED, InstrumentId, StrategyId
from ibfloor.model.moment import from_datetime
from ibfloor.model.money import USD, Money
from ibfloor.portfolio.reconciliation import OPENING

EVENTS = Path(__file__).with_name("events.xml")
NEW_YORK = ZoneInfo("America/New_York")
SMA, PAIRS = StrategyId("sma"), StrategyId("pairs")
SPY, BAC, PUT, CALL = (InstrumentId(each) for each in (756733, 10098, 801000010, 801000011))
OPENED = from_datetime(datetime(2026, 3, 2, 9, 30, tzinfo=NEW_YORK))
D = Decimal
Import = Callable[..., ImportPlan]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    LedgerPaths(home).make_folders()
    opening = CashMoved(
        ts_event_ns=OPENED,
        ts_init_ns=OPENED,
        strategy=UNASSIGNED,
        amount=Money(D(100_000), USD),
        reason=OPENING,
    )
    with JournalWriter(LedgerPaths(home).facts_journal) as journal:
        journal.append(opening, 1)
    return home


@pytest.fixture
def run(home: Path) -> Import:
    def run(*, dry: bool = False) -> ImportPlan:
        report = read_report(EVENTS, NEW_YORK)
        return import_report(home, report, OPENED + 1, account="DU1000001", is_dry_run=dry)

    return run


def state(home: Path) -> FloorState:
    state = FloorState()
    with recover(home) as recovered:
        for _, fact in recovered.facts():
            state.apply(fact)
    return state


def cash(entry: BookEntry) -> dict[StrategyId, Decimal]:
    return {leg.strategy: leg.amount.amount for leg in entry.legs if isinstance(leg, CashLeg)}


def test_canceled_trade_is_taken_back_with_its_fee(home: Path, run: Import) -> None:
    (canceled,) = run().canceled
    assert (str(canceled.exec_id), str(canceled.strategy), int(canceled.last_qty)) == ("e3.01.02", "sma", 0)
    after = state(home)
    assert after.books.book(SMA).positions[SPY].qty == 100
    fee = after.books.fee_of(canceled.exec_id)
    assert fee is not None
    assert fee.amount == 0


def test_dividend_and_its_tax_go_to_who_held_the_stock_when_it_was_due(run: Import) -> None:
    entries = {entry.entry_id: entry for entry in run().entries}
    assert (entries["flex:331"].kind, cash(entries["flex:331"])) == (EntryKind.DIVIDEND, {SMA: D(100), PAIRS: D(50)})
    assert (entries["flex:332"].kind, cash(entries["flex:332"])) == (EntryKind.CHARGE, {SMA: D(-15), PAIRS: D("-7.5")})


def test_interest_fees_and_money_in_and_out_are_nobodys_until_somebody_allocates_them(run: Import) -> None:
    entries = {entry.entry_id: entry for entry in run().entries}
    found = {key: (entries[f"flex:{key}"].kind, cash(entries[f"flex:{key}"])) for key in range(333, 337)}
    assert found == {
        333: (EntryKind.INTEREST, {UNASSIGNED: D("3.21")}),
        334: (EntryKind.CHARGE, {UNASSIGNED: D(-10)}),
        335: (EntryKind.DEPOSIT, {UNASSIGNED: D(50_000)}),
        336: (EntryKind.WITHDRAWAL, {UNASSIGNED: D(-20_000)}),
    }


def test_assignment_delivers_the_stock_to_each_book_that_was_short(home: Path, run: Import) -> None:
    (assigned,) = [entry for entry in run().entries if entry.kind is EntryKind.ASSIGNMENT]
    assert assigned.entry_id == "flex:81"
    assert cash(assigned) == {SMA: D(-15_000), PAIRS: D(-5_000)}
    after = state(home).books
    assert {name: after.book(name).qty(BAC) for name in (SMA, PAIRS)} == {SMA: 300, PAIRS: 100}
    assert after.position_total(PUT) == 0


def test_option_that_expires_leaves_its_book_for_nothing(home: Path, run: Import) -> None:
    (expired,) = [entry for entry in run().entries if entry.kind is EntryKind.EXPIRY]
    assert (expired.entry_id, cash(expired)) == ("flex:83", {})
    assert state(home).books.position_total(CALL) == 0


def test_what_cannot_be_booked_is_told_and_all_else_adds_up(home: Path, run: Import) -> None:
    plan = run()
    assert plan.differences == ()
    told = "\n".join(plan.unread)
    assert "Mystery Money" in told
    assert "WITHOUT AN ID" in told
    assert "KO A: without its option" in told
    assert len(plan.unread) == 3
    fills = -D(585 * 100) - D(586 * 50) + D(250 * 4) - D(150 * 2) - 1 - 1 - 2 - 1 - 1
    others = D(150) - D("22.5") + D("3.21") - 10 + 50_000 - 20_000 - 50 * 400
    assert state(home).books.cash_total()[USD] == 100_000 + fills + others
    assert verify(home).problems == ()


def test_second_import_books_nothing_and_a_preview_books_nothing_at_all(home: Path, run: Import) -> None:
    before = state(home).books.digest()
    shown = run(dry=True)
    assert state(home).books.digest() == before
    booked = run()
    assert [entry.entry_id for entry in booked.entries] == [entry.entry_id for entry in shown.entries]
    digest = state(home).books.digest()
    again = run()
    assert (again.facts, again.fills, again.canceled, again.entries) == ((), (), (), ())
    assert again.known == len(booked.fills) + len(booked.canceled) + len(booked.entries)
    assert state(home).books.digest() == digest


def test_dividend_that_somebody_booked_by_hand_is_not_booked_again(home: Path, run: Import) -> None:
    at_ns = from_datetime(datetime(2026, 3, 5, 10, tzinfo=NEW_YORK))
    by_hand = BookEntry(
        ts_event_ns=at_ns,
        ts_init_ns=at_ns,
        entry_id="hand-1",
        kind=EntryKind.DIVIDEND,
        legs=(CashLeg(strategy=SMA, amount=Money(D(150), USD)),),
        reason="SPY dividend",
        actor="ann",
    )
    with JournalWriter(LedgerPaths(home).facts_journal) as journal:
        journal.append(by_hand, 2)
    plan = run()
    assert "flex:331" not in [entry.entry_id for entry in plan.entries]
    assert any("booked already by ann, as entry hand-1" in line for line in plan.unread)


def test_command_shows_entries_before_it_books_them(home: Path) -> None:
    arguments = ["ledger", "import-flex", str(EVENTS), "--home", str(home), "--account", "DU1000001"]
    shown = CliRunner().invoke(app, [*arguments, "--dry-run"])
    assert shown.exit_code == 0, shown.output
    assert "8 entries would be booked, 1 executions taken back" in shown.output
    assert "8 entries booked" in CliRunner().invoke(app, arguments).output
    assert "0 entries booked, 0 executions taken back" in CliRunner().invoke(app, arguments).output
