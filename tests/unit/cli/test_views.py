"""status, strategies, orders, fills, positions: what a running floor shows."""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ibfloor import cli
from ibfloor.cli.output import Column

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Desk, Ibfloor

ORDER = {
    "cl_ord_id": "sma-spy:1",
    "strategy": "sma-spy",
    "symbol": "SPY",
    "side": "BUY",
    "ord_type": "LMT",
    "order_qty": "100",
    "cum_qty": "40",
    "avg_px": "170.25",
    "limit_px": "170.30",
    "stop_px": None,
    "time_in_force": "DAY",
    "status": "PARTIALLY_FILLED",
    "text": "",
    "ts_submitted_ns": 1_382_362_200_000_000_000,
    "ts_updated_ns": 1_382_362_201_000_000_000,
}


def test_orders_are_tab_separated_in_a_pipe(ibfloor: Ibfloor, desk: Desk) -> None:
    desk.rows = {"orders": {"sma-spy:1": ORDER}}
    outcome = ibfloor("orders")

    heading, line = (line.split("\t") for line in outcome.out.splitlines())
    row = dict(zip(heading, line, strict=True))
    assert outcome.code == 0
    assert (row["cl_ord_id"], row["order_qty"], row["limit_px"]) == ("sma-spy:1", "100", "170.30")
    assert (row["stop_px"], row["ts_submitted_ns"]) == ("—", "2013-10-21 13:30:00Z")


def test_every_time_of_every_table_says_its_zone() -> None:
    for module in pkgutil.iter_modules(cli.__path__, "ibfloor.cli."):
        for name, columns in vars(importlib.import_module(module.name)).items():
            for column in columns if isinstance(columns, tuple) else ():
                if isinstance(column, Column) and column.kind == "time":
                    assert "UTC" in column.heading, (module.name, name, column.heading)


def test_json_is_the_rows_as_they_are(ibfloor: Ibfloor, desk: Desk) -> None:
    desk.rows = {"orders": {"sma-spy:1": ORDER}}
    assert json.loads(ibfloor("orders", "--json").out) == [ORDER]


def test_orders_are_filtered_and_the_newest_kept(ibfloor: Ibfloor, desk: Desk) -> None:
    done = {**ORDER, "cl_ord_id": "sma-spy:0", "status": "FILLED", "ts_submitted_ns": 1}
    other = {**ORDER, "cl_ord_id": "pair:1", "strategy": "pair", "ts_submitted_ns": 2}
    desk.rows = {"orders": {"a": ORDER, "b": done, "c": other}}

    def ids(*arguments: str) -> list[str]:
        return [row["cl_ord_id"] for row in json.loads(ibfloor("orders", "--json", *arguments).out)]

    assert ids() == ["sma-spy:0", "pair:1", "sma-spy:1"]
    assert ids("--working") == ["pair:1", "sma-spy:1"]
    assert ids("-s", "sma-spy") == ["sma-spy:0", "sma-spy:1"]
    assert ids("-n", "1") == ["sma-spy:1"]


@pytest.mark.parametrize(
    ("command", "topic", "row", "expected"),
    [
        (
            "strategies",
            "strategies",
            {"name": "pair", "state": "RUNNING", "positions": {"KO": "-50"}, "pnl": "-12.5"},
            "−12.50",
        ),
        ("fills", "fills", {"strategy": "pair", "symbol": "KO", "last_px": "38.1", "fee": None, "ts_ns": 1}, "38.10"),
        ("positions", "positions", {"strategy": "UNASSIGNED", "symbol": "PEP", "qty": "7.000"}, "UNASSIGNED\tPEP\t7\t"),
    ],
)
def test_each_list_shows_its_rows(
    ibfloor: Ibfloor, desk: Desk, command: str, topic: str, row: dict[str, object], expected: str
) -> None:
    desk.rows = {topic: {"1": row}}
    outcome = ibfloor(command)
    assert outcome.code == 0
    assert expected in outcome.out


def test_status_says_what_matters_first(ibfloor: Ibfloor, desk: Desk) -> None:
    floor = {
        "name": "test",
        "mode": "paper",
        "version": "0.1.0",
        "ts_ns": 1_382_362_200_000_000_000,
        "speed": 60.0,
        "kill_latched": True,
        "kill_reason": "runaway",
        "gate_open": False,
        "gate_reason": "kill switch",
        "orders_working": 3,
    }
    desk.rows = {
        "floor": {"floor": floor},
        "account": {
            "DU1": {
                "account": "DU1",
                "base_currency": "USD",
                "net_liquidation": "1000000.5",
                "books_equal_account": False,
            }
        },
        "sessions": {"data": {"session": "data", "client_id": 1, "state": "DEGRADED", "detail": "2103"}},
    }
    out = ibfloor("status").out

    assert "test (paper), version 0.1.0, market time 2013-10-21 13:30:00 UTC at 60x" in out
    assert "LATCHED: runaway" in out
    assert "SHUT: kill switch" in out
    assert "DU1: 1,000,000.50 USD, day —; BOOKS DIFFER FROM THE ACCOUNT" in out
    assert "session   data (client 1): DEGRADED (2103)" in out
    assert "breaks    none" in out


def test_status_names_every_switch_that_is_latched(ibfloor: Ibfloor, desk: Desk) -> None:
    spy = {"scope": "instrument", "target": "SPY", "reason": "halted", "phase": "verified"}
    desk.rows = {"floor": {"floor": {"name": "test"}}, "kills": {"instrument:SPY": spy}}
    out = ibfloor("status").out
    assert "kill      LATCHED for instrument SPY: halted (verified)" in out
    assert "kill      open" not in out
    assert json.loads(ibfloor("status", "--json").out)["kills"] == [spy]


def test_status_names_breaks_and_why_a_strategy_failed(ibfloor: Ibfloor, desk: Desk) -> None:
    desk.rows = {
        "breaks": {"position:1": {"key": "position:1", "text": "SPY: books hold 1, the account 2"}},
        "strategies": {
            "faulty": {"name": "faulty", "state": "FAILED", "reason": "ValueError: no (faulty.py:3)"},
            "well": {"name": "well", "state": "RUNNING", "reason": ""},
        },
    }
    out = ibfloor("status").out
    assert "BREAK     SPY: books hold 1, the account 2" in out
    assert "breaks    none" not in out
    assert "strategy  faulty is FAILED: ValueError: no (faulty.py:3)" in out
    assert "well" not in out


def test_without_a_floor_the_exit_code_is_3_and_the_text_says_how_to_start_one(ibfloor: Ibfloor, home: Path) -> None:
    outcome = ibfloor("status")
    assert outcome.code == 3
    assert "no floor is running here" in outcome.err
    assert "ibfloor run" in outcome.err
    assert "Traceback" not in outcome.err


def test_without_a_floor_toml_the_exit_code_is_2(ibfloor: Ibfloor) -> None:
    outcome = ibfloor("positions")
    assert outcome.code == 2
    assert "ibfloor init" in outcome.err


def test_the_home_can_be_named_directly(ibfloor: Ibfloor, desk: Desk, home: Path) -> None:
    (home.parent / "floor.toml").unlink()
    assert ibfloor("fills", "--home", "floor-home", "--json").out.strip() == "[]"
    assert ibfloor("fills", "--home", "nowhere").code == 2


def test_a_table_is_drawn_on_a_terminal(ibfloor: Ibfloor, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    assert ibfloor("orders").out == "no orders\n"
    desk.rows = {"strategies": {"x": {"name": "[red]x", "state": "FAILED", "reason": "it raised"}}}
    out = ibfloor("strategies").out
    assert "Strategy" in out
    assert "[red]x" in out  # a name is text, never markup


NARROW = {
    "strategies": (
        "strategies",
        {
            "name": "a-strategy-with-a-name-of-thirty",
            "state": "RESTARTING",
            "positions": {"SPY": "100", "QQQ": "-100", "EUR.USD": "20000"},
            "pnl": "-123456.7",
            "fees": "1234.5",
            "orders": 12345,
            "fills": 12345,
            "reason": "RuntimeError: broken on purpose after 4 bars",
        },
        ["a-strategy-with-a-name-of-thirty", "RESTARTING", "EUR.USD:20000", "−123,456.70", "12,345"],
    ),
    "orders": (
        "orders",
        {**ORDER, "cl_ord_id": "pair-ko-pep:1234", "text": "the collar: 99.00 is 40 % from the market"},
        ["pair-ko-pep:1234", "100", "40", "170.25", "170.30", "PARTIALLY_FILLED"],
    ),
    "fills": (
        "fills",
        {
            "ts_ns": ORDER["ts_submitted_ns"],
            "strategy": "pair-ko-pep",
            "symbol": "EUR.USD",
            "side": "SELL",
            "last_qty": "20000",
            "last_px": "1.08145",
            "fee": "2",
            "cl_ord_id": "pair-ko-pep:1234",
            "exec_id": "0000e0d5.5f2c3a1b.01.01",
        },
        ["13:30:00", "2013-10-21", "EUR.USD", "20,000", "1.08145", "2.00", "pair-ko-pep:1234"],
    ),
    "positions": (
        "positions",
        {
            "strategy": "pair-ko-pep",
            "symbol": "EUR.USD",
            "qty": "-2000000",
            "avg_px": "1.08145",
            "mark_px": "10181.081455",
            "unrealised_pnl": "-1234567.8",
            "realised_pnl": "1234567",
            "currency": "USD",
        },
        ["−2,000,000", "1.08145", "10,181.081455", "−1,234,567.80", "+1,234,567.00"],
    ),
}


@pytest.mark.parametrize("command", NARROW)
@pytest.mark.parametrize("columns", ["80", "40"])
def test_no_number_id_or_price_is_cut_on_a_narrow_terminal(
    ibfloor: Ibfloor, desk: Desk, monkeypatch: pytest.MonkeyPatch, command: str, columns: str
) -> None:
    topic, row, whole = NARROW[command]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", columns)
    desk.rows = {topic: {"1": row}}
    out = ibfloor(command).out
    assert "…" not in out
    assert [text for text in whole if text not in out] == []


def test_what_a_narrow_terminal_does_not_show_is_told(
    ibfloor: Ibfloor, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    desk.rows = {"orders": {"1": ORDER}}
    outcome = ibfloor("orders")
    assert len(outcome.out.splitlines()[-1]) <= 80
    assert "not shown for want of room: Submitted (UTC)" in outcome.err


def test_fees_are_no_profits(ibfloor: Ibfloor, desk: Desk) -> None:
    desk.rows = {"strategies": {"x": {"name": "x", "pnl": "4", "fees": "4"}}}
    heading, line = (line.split("\t") for line in ibfloor("strategies").out.splitlines())
    row = dict(zip(heading, line, strict=True))
    assert (row["pnl"], row["fees"]) == ("+4.00", "4.00")


@pytest.mark.parametrize("command", ["orders", "fills", "positions"])
def test_a_strategy_that_is_not_there_is_told_with_those_that_are(ibfloor: Ibfloor, desk: Desk, command: str) -> None:
    desk.rows = {"strategies": {"pair": {"name": "pair"}, "idle": {"name": "idle"}}}
    outcome = ibfloor(command, "-s", "nosuch")
    assert outcome.code == 1
    assert outcome.err == "ibfloor: there is no strategy nosuch; on the floor are: idle, pair\n"
    assert ibfloor(command, "-s", "idle").code == 0
    assert ibfloor(command, "-s", "UNASSIGNED").code == 0


def test_orders_that_the_floor_no_longer_shows_are_told(ibfloor: Ibfloor, desk: Desk) -> None:
    desk.rows = {
        "floor": {"floor": {"orders_total": 1234, "fills": 1}},
        "orders": {str(n): {**ORDER, "ts_submitted_ns": n} for n in range(5)},
        "fills": {"1": {"ts_ns": 1}},
    }
    assert "looked at the newest 5 of 1,234 orders; the ledger has all" in ibfloor("orders").err
    assert "newest 2 of 5 orders; -n 5 shows them" in ibfloor("orders", "-n", "2").err
    assert ibfloor("fills").err == ""


@pytest.mark.parametrize("day", ["2026-13-41", "yesterday", "9999-12-31"])
@pytest.mark.parametrize(
    "command", [("statement", "--day"), ("performance", "--since"), ("performance", "--until"), ("equity", "--since")]
)
def test_what_is_no_day_is_wrong_usage_in_every_report(
    ibfloor: Ibfloor, home: Path, command: tuple[str, str], day: str
) -> None:
    outcome = ibfloor(*command, day)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"{command[1]} {day}: this is no day" in outcome.err
