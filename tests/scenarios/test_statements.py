"""What a day's statement says is what the gateway's own book says."""

from __future__ import annotations

import csv
import json
import stat
from decimal import Decimal
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CENT = Decimal("0.01")


def amount(figure: dict[str, Any]) -> Decimal:
    assert figure["value"] is not None, figure
    return Decimal(figure["value"])


def test_statements_of_a_day_equal_the_gateways_own_book(scene: Any, tools: Any) -> None:
    scene.write_config(
        tools.strategy_table("revert", "mean_reversion.py", symbol="QQQ", qty=100, inventory_max=200)
        + '[strategy.capital]\nbasis = "weight"\nweight = 0.2\n'
        + tools.strategy_table("apple", "mean_reversion.py", symbol="AAPL", qty=50, inventory_max=100)
    )
    floor = scene.floor()
    scene.until(lambda: len(scene.view("fills")) >= 8, floor)
    scene.until(lambda: scene.view("strategies")["revert"]["capital"], floor)
    assert abs(Decimal(scene.view("strategies")["revert"]["capital"]) - 200_000) < 1000
    refused = scene.cli("strategy", "capital", "apple", "--weight", "0.9")
    assert (refused.returncode, "sum up to 1.1" in refused.stderr) == (1, True)
    assert scene.cli("strategy", "capital", "revert", "--fixed", "50000").returncode == 0
    scene.until(lambda: scene.view("strategies")["revert"]["capital"] == "50000", floor)
    floor.signal(15)
    summary = json.loads(floor.output().splitlines()[-1])
    assert floor.wait() == 0, floor.words()
    assert summary["books_equal_account"] is True
    book = scene.book()

    told = scene.cli("statement", "--json")
    assert told.returncode == 0, told.stderr
    made = json.loads(told.stdout)
    account = made["ACCOUNT"]
    assert amount(account["bridge"]["unexplained"]) == 0
    by_currency = {each["currency"]: Decimal(each["cash"]) for each in account["currencies"]}
    assert by_currency == {currency: cash for currency, cash in book.cash.items() if cash}
    held = {each["instrument_id"]: Decimal(each["position"]["qty"]) for each in account["positions"]}
    assert held == {row.con_id: row.qty for row in book.positions if row.qty}
    marks = {each["instrument_id"]: amount(each["mark"]) for each in account["positions"]}
    worth = sum(book.cash.values()) + sum(row.qty * marks[row.con_id] for row in book.positions if row.qty)
    assert amount(account["bridge"]["closing"]) == worth

    cash = tools.cash_by_strategy(book)
    for name in ("revert", "apple"):
        (dollars,) = made[name]["currencies"]
        assert Decimal(dollars["cash"]) == cash[name]
        rows = [row for row in book.executions if row.order_ref.startswith(f"{name}:")]
        told_rows = made[name]["executions"]
        assert {each["exec_id"] for each in told_rows} <= {row.exec_id for row in rows}
        paid = sum(Decimal(each["fee"]["amount"]) for each in told_rows)
        assert -amount(made[name]["bridge"]["steps"]["fees"]) == paid
        assert all(each["arrival"] is not None for each in told_rows)
    parts = [amount(one["bridge"]["closing"]) for name, one in made.items() if name != "ACCOUNT"]
    assert sum(parts) == amount(account["bridge"]["closing"])

    written = scene.cli("statement")
    files = [
        scene.home / "statements" / account["day"] / name for name in ("ACCOUNT.html", "ACCOUNT.csv", "revert.csv")
    ]
    assert written.returncode == 0, written.stderr
    assert all(str(file) in written.stdout for file in files)
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    rows = list(csv.reader(files[1].read_text().splitlines()))
    bridge = [Decimal(row[3]) for row in rows if row[0].startswith("Equity in") and row[1] in ("total", "data")]
    assert sum(bridge[:-1]) == bridge[-1] == amount(account["bridge"]["closing"]).quantize(CENT)
    page = files[0].read_text()
    assert "<script" not in page
    assert "http" not in page

    measured = scene.cli("performance", "--json")
    assert measured.returncode == 0, measured.stderr
    records = json.loads(measured.stdout)
    assert set(records) == {"ACCOUNT"}, "the account, where no book is named"
    for name in set(made) - {"ACCOUNT"}:
        records |= json.loads(scene.cli("performance", "--strategy", name, "--json").stdout)
    assert set(records) == set(made)
    for name, record in records.items():
        assert amount(record["track"]["bridge"]["closing"]) == amount(made[name]["bridge"]["closing"])
        assert record["track"]["costs"]["executions"] == len(made[name]["executions"])
    whole = records["ACCOUNT"]
    earned = amount(whole["track"]["bridge"]["closing"]) - amount(whole["track"]["bridge"]["opening"])
    grown = earned / amount(whole["track"]["bridge"]["opening"])
    assert abs(amount(whole["time_weighted"]) - grown) < Decimal("1e-20")
    revert = records["revert"]
    assert (revert["track"]["is_on_capital"], records["apple"]["track"]["is_on_capital"]) == (True, False)
    assert revert["time_weighted"]["value"] is not None
    assert "time-weighted return" in scene.cli("performance", "--strategy", "revert").stdout


def test_floor_writes_the_statements_of_a_day_when_it_is_over(scene: Any) -> None:
    scene.gateway.end()
    scene.begin_gateway(start="23:57")
    scene.write_config("")
    floor = scene.floor()
    folder = scene.home / "statements"
    scene.until(lambda: list(folder.glob("*/.final")), floor)
    (day,) = folder.iterdir()
    assert sorted(path.name for path in day.iterdir()) == [
        ".final",
        "ACCOUNT.csv",
        "ACCOUNT.html",
        "UNASSIGNED.csv",
        "UNASSIGNED.html",
    ]
    assert "total,Closing equity,1000000.00" in (day / "ACCOUNT.csv").read_text()
    floor.signal(15)
    floor.output()
    assert floor.wait() == 0, floor.words()
