"""status, strategies, orders, fills, positions: what a running floor shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

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
    assert (row["cl_ord_id"], row["order_qty"], row["limit_px"]) == ("sma-spy:1", "100", "170.3")
    assert (row["stop_px"], row["ts_submitted_ns"]) == ("—", "2013-10-21 13:30:00")


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
        ("fills", "fills", {"strategy": "pair", "symbol": "KO", "last_px": "38.1", "fee": None, "ts_ns": 1}, "38.1"),
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
    assert "DU1: 1,000,000.5 USD, day —; BOOKS DIFFER FROM THE ACCOUNT" in out
    assert "session   data (client 1): DEGRADED (2103)" in out


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
