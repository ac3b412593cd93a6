"""A Flex report brings back what the API no longer tells: once, to its owner, and of this account alone."""

from __future__ import annotations

import json
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
from ibfloor.ledger.lock import FloorLock
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.replay import recover
from ibfloor.ledger.verify import verify
from ibfloor.manager.floor_state import FloorState
from ibfloor.model.errors import ConfigError
from ibfloor.model.fact import AnyFact, CashMoved, FeeReported, OrderReported, OrderSubmitted
from ibfloor.model.ids import UNASSIGNED, InstrumentId, StrategyId, cl_ord_id
from ibfloor.model.instrument import SecurityType
from ibfloor.model.moment import from_datetime
from ibfloor.model.money import USD, Money
from ibfloor.model.order import OrderRequest, OrdStatus, OrdType, Side
from ibfloor.portfolio.reconciliation import OPENING

SAMPLE = Path(__file__).with_name("sample.xml")
NEW_YORK = ZoneInfo("America/New_York")
SMA = StrategyId("sma")
OPENED = from_datetime(datetime(2026, 3, 2, 9, 30, tzinfo=NEW_YORK))
Edit = Callable[[str, str], Path]


def write(home: Path, *facts: AnyFact, first: int = 1) -> None:
    LedgerPaths(home).make_folders()
    with JournalWriter(LedgerPaths(home).facts_journal) as journal:
        for seq, fact in enumerate(facts, start=first):
            journal.append(fact, seq)


def opening(ts_ns: int = OPENED) -> CashMoved:
    money = Money(Decimal(100_000), USD)
    return CashMoved(ts_event_ns=ts_ns, ts_init_ns=ts_ns, strategy=UNASSIGNED, amount=money, reason=OPENING)


def submitted(number: int) -> OrderSubmitted:
    request = OrderRequest(
        cl_ord_id=cl_ord_id(SMA, number),
        strategy=SMA,
        instrument_id=InstrumentId(756733),
        side=Side.BUY,
        order_qty=Decimal(100),
        ord_type=OrdType.MARKET,
    )
    return OrderSubmitted(ts_event_ns=OPENED, ts_init_ns=OPENED, request=request, client_id=10, order_id=number)


def book(home: Path, report: Path = SAMPLE, *, account: str = "DU1000001", dry: bool = False) -> ImportPlan:
    return import_report(home, read_report(report, NEW_YORK), OPENED + 1, account=account, is_dry_run=dry)


def state(home: Path) -> FloorState:
    state = FloorState()
    with recover(home) as recovered:
        for _, fact in recovered.facts():
            state.apply(fact)
    return state


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    write(home, opening(), submitted(1))
    return home


@pytest.fixture
def edited(tmp_path: Path) -> Edit:
    def edit(old: str, new: str) -> Path:
        text = SAMPLE.read_text()
        assert old in text
        path = tmp_path / "edited.xml"
        path.write_text(text.replace(old, new))
        return path

    return edit


def test_missing_executions_go_to_their_strategies_and_the_rest_to_unassigned(home: Path) -> None:
    plan = book(home)
    assert [(fill.strategy, fill.last_qty, fill.side) for fill in plan.fills] == [
        (SMA, Decimal(100), Side.BUY),
        (SMA, Decimal(40), Side.SELL),
        (UNASSIGNED, Decimal(2), Side.BUY),
    ]
    after = state(home)
    assert after.books.book(SMA).cash[USD] == Decimal("-58526.05") + Decimal("23498.7838") + 102
    assert after.books.book(UNASSIGNED).cash[USD] == Decimal(100_000) - Decimal("841.3")
    assert after.books.position_total(InstrumentId(756733)) == 60
    order = after.orders.get(cl_ord_id(SMA, 1))
    assert order is not None
    assert order.status is OrdStatus.FILLED
    option = after.instruments[InstrumentId(801000001)]
    assert (option.contract.security_type, option.contract.symbol, option.multiplier) == (
        SecurityType.OPTION,
        "SPY",
        Decimal(100),
    )
    assert verify(home).problems == ()


def test_second_import_books_nothing(home: Path) -> None:
    book(home)
    digest = state(home).books.digest()
    again = book(home)
    assert (again.fills, again.facts, again.known) == ((), (), 4)
    assert state(home).books.digest() == digest


def test_dry_run_shows_the_same_and_changes_nothing(home: Path) -> None:
    before = state(home).books.digest()
    assert len(book(home, dry=True).fills) == 3
    assert state(home).books.digest() == before
    assert len(book(home).fills) == 3


def test_newer_revision_in_the_report_takes_the_place_of_the_one_we_know(home: Path, edited: Edit) -> None:
    book(home)
    plan = book(home, edited('tradePrice="587.5"', 'tradePrice="587.4"'))
    assert plan.known == 4, "the same id is the same execution, whatever it says"
    corrected = (
        SAMPLE.read_text().replace('0002.01.01"', '0002.01.02"').replace('tradePrice="587.5"', 'tradePrice="587"')
    )
    path = home.parent / "corrected.xml"
    path.write_text(corrected)
    assert [fill.exec_id for fill in book(home, path).fills] == ["0000e0d5.69a50002.01.02"]
    assert state(home).books.position_total(InstrumentId(756733)) == 60


def test_execution_without_reference_is_known_by_its_permanent_id(home: Path, edited: Edit) -> None:
    order_id = cl_ord_id(SMA, 1)
    told = OrderReported(ts_event_ns=1, ts_init_ns=1, cl_ord_id=order_id, status=OrdStatus.NEW, perm_id=900000101)
    write(home, told, first=3)
    plan = book(home, edited('orderReference="sma:1"', 'orderReference=""'))
    assert (plan.fills[0].strategy, plan.fills[0].cl_ord_id) == (SMA, order_id)


def test_what_is_older_than_the_ledger_is_in_its_opening_balance(tmp_path: Path) -> None:
    home = tmp_path / "young"
    write(home, opening(from_datetime(datetime(2026, 3, 3, 12, tzinfo=NEW_YORK))))
    plan = book(home)
    assert (len(plan.fills), plan.before_opening) == (2, 1)


def test_what_is_not_booked_is_told(home: Path) -> None:
    plan = book(home)
    (expiry,) = plan.unread
    assert expiry.startswith("1 QQQ   260304P00500000 Ep: ")
    assert "holds" in expiry or "held" in expiry or "book" in expiry
    assert plan.differences == ("SPY   260320C00590000: the report has 3, the books 2",)


def test_report_of_another_account_is_refused_whole(home: Path, edited: Edit) -> None:
    with pytest.raises(ConfigError, match="of DU9, the ledger of DU1000001"):
        book(
            home,
            edited(
                '<Trade accountId="DU1000001" currency="USD" fxRateToBase="1" assetCategory="OPT" symbol="SPY',
                '<Trade accountId="DU9" currency="USD" fxRateToBase="1" assetCategory="OPT" symbol="SPY',
            ),
        )
    assert state(home).fills == {}


def test_ledger_knows_its_account_by_its_executions(home: Path, edited: Edit) -> None:
    with pytest.raises(ConfigError, match="--account"):
        book(home, account="")
    book(home)
    assert book(home, account="").known == 4
    with pytest.raises(ConfigError, match="of DU2, the ledger of DU1000001"):
        book(home, edited("DU1000001", "DU2"), account="")


def test_home_of_a_running_floor_is_left_alone(home: Path) -> None:
    with FloorLock(LedgerPaths(home).lock), pytest.raises(ConfigError, match="already runs"):
        book(home)


def test_empty_ledger_has_nothing_to_add_to(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no opening balance"):
        book(tmp_path / "new")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("<FlexQueryResponse", '<!DOCTYPE x [<!ENTITY a "aaaa">]><FlexQueryResponse', "document type"),
        ("</FlexStatements>", "", "not a Flex report in XML"),
        ("FlexQueryResponse", "Html", "no FlexQueryResponse"),
        ('tradePrice="587.5"', 'tradePrice="NaN"', "tradePrice of 0000e0d5.69a50002.01.01 is 'NaN'"),
        ('conid="801000001" listing', "listing", "conid of .* is missing"),
        ('dateTime="20260303;153000"', 'dateTime="03/03/2026;153000"', "choose yyyyMMdd"),
        ('dateTime="20260303;153000"', 'dateTime="20260231;153000"', "no such time"),
        ('assetCategory="OPT" symbol="SPY', 'assetCategory="ZZZ" symbol="SPY', "no kind of security"),
    ],
)
def test_unfit_report_is_refused_with_what_is_wrong(home: Path, edited: Edit, old: str, new: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        book(home, edited(old, new))
    assert state(home).fills == {}


@pytest.mark.parametrize(
    "text", ["2026-03-02;101500", "20260302,10:15:00", "2026-03-02 10:15:00 EST", "20260302;101500"]
)
def test_times_are_read_in_every_shape_that_ib_offers(edited: Edit, text: str) -> None:
    report = read_report(edited('dateTime="20260302;101500"', f'dateTime="{text}"'), NEW_YORK)
    assert report.trades[0].ts_ns == from_datetime(datetime(2026, 3, 2, 10, 15, tzinfo=NEW_YORK))


def test_fee_holds_the_taxes_and_is_booked_once(home: Path) -> None:
    fees = [fact.fee.amount for fact in book(home).facts if isinstance(fact, FeeReported)]
    assert fees == [Decimal("1.05"), Decimal("1.2162"), Decimal("1.3")]


def test_command_shows_and_books(home: Path) -> None:
    arguments = ["ledger", "import-flex", str(SAMPLE), "--home", str(home), "--account", "DU1000001"]
    shown = CliRunner().invoke(app, [*arguments, "--dry-run"])
    assert shown.exit_code == 0, shown.output
    assert "3 executions would be booked" in shown.output
    assert "DIFFERENT SPY   260320C00590000" in shown.output
    booked = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).output)
    assert len(booked["fills"]) == 3
    assert "0 executions booked; 4 are in the ledger already" in CliRunner().invoke(app, arguments).output
