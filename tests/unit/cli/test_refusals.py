"""What a person mistypes is one clear line and an exit code, and never half understood."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ibfloor.cli.output import cell
from ibfloor.ledger.journal import JournalWriter
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.replay import recover
from ibfloor.model.capital import CapitalAllocated, CapitalBasis, CapitalRule, CapitalRuled
from ibfloor.model.fact import AnyFact
from ibfloor.model.ids import StrategyId
from ibfloor.model.money import USD
from ibfloor.reports.writing import NoStatement, write_statements

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Desk, Ibfloor

MR = StrategyId("mr")
LOOK = ("-r", "x", "--preview")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["book", "deposit", "1,5", "USD"], "AMOUNT 1,5: a comma may be a decimal point or not: write it as 1000.50"),
        (["book", "deposit", "10,000", "USD"], "write it as 1000.50"),
        (
            ["book", "withdraw", "500", "USD", "--from", "sma-spy=-500"],
            "--from sma-spy=-500: write what leaves as an amount above zero, without a sign",
        ),
        (["book", "withdraw", "500", "USD", "--from", "sma-spy"], "--from sma-spy: write it as BOOK=AMOUNT"),
    ],
)
def test_an_amount_is_written_one_way(ibfloor: Ibfloor, desk: Desk, words: list[str], why: str) -> None:
    outcome = ibfloor(*words, *LOOK)
    assert (outcome.code, outcome.out) == (2, "")
    assert why in outcome.err
    assert not desk.commands


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["book", "action", "split", "756733", "99999999999999999999999", "1"], 2, "Invalid value for 'NEW'"),
        (["book", "action", "split", "756733", "2", "1000001"], 2, "Invalid value for 'OLD'"),
        (["limits", "show", "foo.bar"], 2, "'foo.bar' is no scope of limits: write risk, account, strategy.NAME"),
        (["limits", "show", "strategy.nosuch"], 2, "there is no strategy nosuch; there are: pairs, sma-spy"),
        (["limits", "show", "instrument.NOPE"], 2, "there is no instrument NOPE; there are: SPY"),
        (["limits", "show", "class.XYZ"], 2, "there is no class XYZ; there are: STK"),
        (["limits", "show", "account.x"], 2, "is no scope of limits"),
        (["strategy", "capital", "pairs", "--fixed", "1e30"], 2, "amount must be less than 1,000,000,000,000,000"),
    ],
)
def test_what_names_nothing_is_said_to_and_what_there_is(
    ibfloor: Ibfloor, desk: Desk, words: list[str], code: int, why: str
) -> None:
    desk.rows = {
        "limits": {},
        "strategies": {"sma-spy": {"name": "sma-spy"}, "pairs": {"name": "pairs"}},
        "instruments": {"756733": {"symbol": "SPY", "instrument_id": 756733}},
    }
    more = ["-r", "x"] if words[0] == "book" else []
    outcome = ibfloor(*words, *more)
    assert (outcome.code, outcome.out) == (code, "")
    assert why in " ".join(outcome.err.replace("│", " ").split())
    assert not desk.commands


@pytest.mark.parametrize("scope", ["account", "risk", "strategy.pairs", "class.FUT", "instrument.SPY"])
def test_a_scope_without_limits_of_its_own_is_no_mistake(ibfloor: Ibfloor, desk: Desk, scope: str) -> None:
    desk.rows = {
        "strategies": {"pairs": {"name": "pairs"}},
        "instruments": {"756733": {"symbol": "SPY", "instrument_id": 756733}},
    }
    assert ibfloor("limits", "show", scope, "--json").out.strip() == "[]"


@pytest.mark.parametrize("kind", ["money", "gain", "price", "number"])
def test_a_number_of_any_size_is_printed(kind: str) -> None:
    assert cell(Decimal("1e30"), kind).startswith(("1,000,000,", "+1,000,000,"))
    assert cell(Decimal("1e400"), kind).count("000") > 100


def test_a_folder_is_no_report(ibfloor: Ibfloor, home: Path) -> None:
    outcome = ibfloor("ledger", "import-flex", str(home), "--dry-run")
    assert (outcome.code, outcome.out) == (2, "")
    assert "is a directory" in outcome.err


def test_capital_without_options_is_the_rule_as_it_stands(ibfloor: Ibfloor, home: Path) -> None:
    rule = CapitalRule(basis=CapitalBasis.WEIGHT, weight=Decimal("0.2"), band_max=Decimal("0.3"))
    facts: list[AnyFact] = [
        CapitalRuled(ts_event_ns=1, ts_init_ns=1, strategy=MR, rule=rule, configured=None, actor="ann"),
        CapitalAllocated(
            ts_event_ns=2, ts_init_ns=2, strategy=MR, amount=Decimal(20_000), currency=USD, reason="by weight"
        ),
    ]
    (home.parent / "floor.toml").unlink()
    LedgerPaths(home).make_folders()
    with JournalWriter(LedgerPaths(home).facts_journal) as journal:
        for seq, fact in enumerate(facts, start=1):
            journal.append(fact, seq)
    recover(home).close()
    outcome = ibfloor("strategy", "capital", "mr", "--home", str(home))
    assert outcome.out.splitlines() == [
        "mr: weight 0.2 of net liquidation, kept to 0.3; set by ann",
        "allocated: 20,000.00 USD, by weight",
    ]
    unknown = ibfloor("strategy", "capital", "nosuch", "--home", str(home))
    assert (unknown.code, unknown.out) == (2, "")
    assert "there is no strategy nosuch" in unknown.err


@pytest.mark.parametrize("folder", ["a-file", "/proc/nosuch"])
def test_a_folder_that_cannot_be_written_to_is_said_to(tmp_path: Path, folder: str) -> None:
    (tmp_path / "a-file").write_text("")
    one: Any = SimpleNamespace(day="2026-03-31", owner="mr")
    with pytest.raises(NoStatement, match=f"cannot write statements to .*{folder}/2026-03-31: .*; name another folder"):
        write_statements([one], tmp_path / folder, ("csv",), UTC)
