"""What went wrong for the users of other projects, played against the whole floor; the gateway's book judges."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from ib_async import IB, MarketOrder, Stock
from tests.scenarios.puppeteer import Puppet, equal_books

from ibfloor.model.ids import UNASSIGNED, ClientOrderId, StrategyId
from ibfloor.model.order import OrdStatus
from ibfloor.sim.faults import actions as do

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
thread = pytest.mark.thread
SPY = 756733


@thread("NT #3655")
@thread("NT #3023")
@thread("ft #8822")
@thread("ft #11085")
def test_position_traded_by_hand_is_unassigned_within_two_seconds_and_never_adopted(puppet: Puppet) -> None:
    puppet.begin()
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: puppet.notes("fill"))
    puppet.scene.break_gateway(do.ManualOrder(symbol="SPY", qty=Decimal(30), limit_px=Decimal(10_000)))
    begun = time.monotonic()
    key = f"{UNASSIGNED}/{SPY}"
    puppet.wait(lambda: puppet.scene.view("positions").get(key, {}).get("qty") == "30", 10)
    assert time.monotonic() - begun < 2 + 3, "two seconds, and three for a machine that is busy"
    assert puppet.scene.view("positions")[f"puppet/{SPY}"]["qty"] == "10"
    state = equal_books(puppet)
    assert state.books.book(StrategyId("puppet")).positions[SPY].qty == 10
    assert len(puppet.notes("fill")) == 1


@thread("pst #188")
def test_trade_of_another_client_is_in_the_ledger(puppet: Puppet) -> None:
    puppet.begin()

    async def trade() -> None:
        ib = IB()
        await ib.connectAsync("127.0.0.1", puppet.scene.port, clientId=77)
        spy = Stock("SPY", "SMART", "USD")
        await ib.qualifyContractsAsync(spy)
        done = ib.placeOrder(spy, MarketOrder("BUY", 50))
        async with asyncio.timeout(20):
            while not done.isDone():
                await ib.updateEvent
        ib.disconnect()

    asyncio.run(trade())
    puppet.wait(lambda: puppet.scene.view("positions").get(f"{UNASSIGNED}/{SPY}", {}).get("qty") == "50")
    equal_books(puppet)


@thread("NT #5057")
@thread("lumi #395")
def test_working_order_of_the_last_run_is_the_strategys_again_and_can_be_changed(puppet: Puppet) -> None:
    puppet.begin()
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: puppet.notes("fill"))
    puppet.rest(2)
    puppet.end()
    puppet.begin()
    (start,) = puppet.notes("start")
    assert (start["orders"], start["qty"]) == ({"puppet:2": "NEW"}, "10")
    puppet.do("replace", "puppet:2", 20)
    puppet.wait(lambda: [row.qty for row in puppet.working(2)] == [20])
    puppet.do("cancel", "puppet:2")
    puppet.wait(lambda: not puppet.working(2))
    (row,) = puppet.at_broker(2)
    assert row.status == "Cancelled"
    equal_books(puppet)


@thread("vnpy #1118")
@pytest.mark.parametrize("how", ["floor killed", "strategy stopped"])
def test_fill_of_while_it_was_away_reaches_the_strategy_once_before_it_starts(puppet: Puppet, how: str) -> None:
    puppet.begin()
    puppet.do("limit", "buy", 10, 0.9999)  # a cent or two below the market: filled within minutes of its time
    puppet.wait(lambda: puppet.at_broker(1))
    if how == "floor killed":
        puppet.floor.signal(signal.SIGKILL)
        puppet.floor.wait()
        puppet.wait(lambda: puppet.scene.book().executions)
        puppet.begin()
    else:
        assert puppet.scene.cli("strategy", "stop", "puppet").returncode == 0
        puppet.wait(lambda: puppet.scene.view("fills"))
        assert puppet.scene.cli("strategy", "start", "puppet").returncode == 0
        puppet.wait(lambda: len(puppet.notes("start")) == 2)
    told = [line["exec_id"] for line in puppet.notes("fill", every=True)]
    starts = [(line["what"], line.get("qty")) for line in json_lines(puppet) if line["what"] in ("start", "fill")]
    assert starts[0][0] == "start"
    assert starts[-1] == ("start", str(sum(row.qty for row in puppet.scene.book().executions)))
    assert Counter(told) == Counter(row.exec_id for row in puppet.scene.book().executions)
    equal_books(puppet)


def json_lines(puppet: Puppet) -> list[dict[str, Any]]:
    return [json.loads(line) for line in puppet._notes.read_bytes().splitlines()]


@thread("pst #1580")
def test_preset_notice_10349_is_a_warning_and_the_order_fills(puppet: Puppet) -> None:
    puppet.begin()
    text = "Order TIF was set to DAY based on order preset."
    puppet.scene.break_gateway(do.Remark(code=10349, text=text), "in:place_order")
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: puppet.order(1).get("status") == "FILLED")
    statuses = [line["status"] for line in puppet.notes("order")]
    assert not {"CANCELED", "REJECTED"} & set(statuses)
    assert any(text in line["text"] for line in puppet.notes("order"))
    equal_books(puppet)


@thread("pst #188")
@thread("pst PR #1624")
def test_rejection_reaches_its_strategy_with_the_brokers_words(puppet: Puppet) -> None:
    puppet.begin()
    puppet.scene.break_gateway(do.Fail(code=201, text="Order rejected - reason: no margin"), "in:place_order")
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: [line for line in puppet.notes("order") if line["status"] == "REJECTED"])
    assert "no margin" in puppet.notes("order")[-1]["text"]
    assert puppet.at_broker(1) == []
    equal_books(puppet)


@thread("LEAN-IB #249")
@pytest.mark.parametrize("data_lost", [False, True], ids=["1102", "1101"])
def test_fill_during_an_outage_of_the_brokers_own_link_is_booked(puppet: Puppet, data_lost: bool) -> None:
    puppet.begin()
    puppet.do("limit", "buy", 10, 0.9999)
    puppet.wait(lambda: puppet.working(1) or puppet.order(1).get("status") == "FILLED")  # a dip may come at once
    puppet.scene.break_gateway(do.LoseUpstream(for_s=600, orders="now", data_lost=data_lost))
    puppet.wait(lambda: not puppet.scene.view("floor")["floor"]["gate_open"], 10)
    puppet.wait(lambda: puppet.scene.view("floor")["floor"]["gate_open"])
    puppet.wait(lambda: puppet.order(1).get("status") == "FILLED", 60)
    assert Counter(line["exec_id"] for line in puppet.notes("fill")) == Counter(
        row.exec_id for row in puppet.scene.book().executions
    )
    equal_books(puppet)


@thread("LEAN-IB #242")
def test_order_of_the_second_of_a_restart_is_proven_absent_and_no_id_comes_twice(puppet: Puppet) -> None:
    puppet.begin()
    puppet.rest(1)
    puppet.scene.break_gateway(do.Restart(for_s=60, rollback=5, closing_s=30))
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: puppet.order(2))
    puppet.wait(lambda: puppet.order(2).get("status") in ("REJECTED", "FILLED"), 60)
    puppet.wait(lambda: puppet.scene.view("floor")["floor"]["gate_open"], 60)
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: puppet.order(3).get("status") == "FILLED")
    book = puppet.scene.book()
    ids = Counter((row.client_id, row.order_id) for row in book.orders)
    assert max(ids.values()) == 1
    assert max(Counter(row.order_ref for row in book.orders).values()) == 1
    known = puppet.order(2)["status"]
    assert known == ("FILLED" if puppet.at_broker(2) else "REJECTED")
    puppet.do("cancel", "puppet:1")
    puppet.wait(lambda: not puppet.working(1))
    equal_books(puppet)


@thread("NT #4564")
def test_forked_order_is_known_under_both_ids_and_canceled_until_none_is_left(puppet: Puppet) -> None:
    puppet.begin()
    puppet.rest(1)
    puppet.scene.break_gateway(do.ForkOrder(), "in:place_order")
    puppet.do("replace", "puppet:1", 20)
    puppet.wait(lambda: len(puppet.at_broker(1)) == 2)
    puppet.wait(lambda: not puppet.working(1), 60)
    puppet.wait(lambda: puppet.order(1).get("status") == "CANCELED")
    order = equal_books(puppet).orders.get(ClientOrderId("puppet:1"))
    assert set(order.perm_ids) == {row.perm_id for row in puppet.at_broker(1)}


@thread("NT #4564")
def test_late_fill_of_a_canceled_fork_is_booked_to_the_same_intent(puppet: Puppet) -> None:
    puppet.begin()
    puppet.rest(1)
    puppet.scene.break_gateway(do.ForkOrder(), "in:place_order")
    puppet.scene.break_gateway(do.FillAfterCancel(), "event:canceled")
    puppet.do("replace", "puppet:1", 20)
    puppet.wait(lambda: puppet.notes("fill"), 60)
    puppet.wait(lambda: not puppet.working(1), 60)
    state = equal_books(puppet)
    order = state.orders.get(ClientOrderId("puppet:1"))
    assert order.cum_qty == sum(row.qty for row in puppet.scene.book().executions) > 0
    assert {fill.cl_ord_id for fill in state.fills.values()} == {"puppet:1"}


def test_corrected_execution_is_booked_once_at_its_new_price(puppet: Puppet) -> None:
    puppet.begin()
    puppet.scene.break_gateway(do.CorrectFill(ticks=5, after_s=30), "event:filled")
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: [line for line in puppet.notes("fill") if line["exec_id"].endswith(".02")])
    state = equal_books(puppet)
    assert state.books.book(StrategyId("puppet")).positions[SPY].qty == 10


@thread("pst #958")
@thread("pst #284")
def test_execution_taken_back_is_a_break_that_locks_the_instrument(puppet: Puppet) -> None:
    puppet.begin()
    puppet.scene.break_gateway(do.BustFill(after_s=30), "event:filled")
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: puppet.order(1).get("status") == "FILLED")
    puppet.wait(lambda: puppet.scene.view("breaks"), 60)
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: len(puppet.notes("answer")) == 2)
    assert "locked for entries" in puppet.notes("answer")[-1]["text"]
    assert len(puppet.scene.book().orders) == 1


def test_gateway_begun_anew_with_an_earlier_clock_leaves_no_order_in_doubt(puppet: Puppet) -> None:
    puppet.begin()
    puppet.rest(1)
    puppet.scene.gateway.signal(signal.SIGKILL)
    puppet.scene.gateway.wait()
    puppet.floor.signal(signal.SIGKILL)
    puppet.floor.wait()
    puppet.scene.begin_gateway("09:28")
    puppet.begin()
    assert puppet.notes("start")[0]["orders"] == {}
    summary = puppet.end()
    assert summary["unknown_orders"] == 0
    order = puppet.scene.ledger().orders.get(ClientOrderId("puppet:1"))
    assert order.status is OrdStatus.CANCELED


@thread("lumi #258")
def test_second_strategy_sees_its_own_cash_from_the_first_call(puppet: Puppet) -> None:
    other = Puppet(puppet.scene, "other", "QQQ")
    puppet.begin(beside=other.config())
    other.floor = puppet.floor
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: puppet.order(1).get("status") == "FILLED")
    assert other.notes("start")[0]["cash"] == {}
    puppet.wait(lambda: puppet.scene.view("fills") and all(row["fee"] for row in puppet.scene.view("fills").values()))
    puppet.end()
    puppet.begin(beside=other.config())
    other.floor = puppet.floor
    puppet.wait(lambda: other.notes("start"))
    rows = puppet.scene.book().executions
    spent = -sum(row.qty * row.px + row.commission for row in rows)
    assert Decimal(puppet.notes("start")[0]["cash"]["USD"]) == spent
    assert other.notes("start")[0]["cash"] == {}
    equal_books(puppet)


@thread("vnpy_ib PR #42")
@thread("vnpy_ib PR #44")
def test_symbol_that_does_not_exist_is_refused_and_nobody_else_notices(puppet: Puppet) -> None:
    broken = Puppet(puppet.scene, "broken", "NO SUCH; SYMBOL")
    puppet.begin(beside=broken.config())
    row = puppet.wait(lambda: (found := puppet.scene.view("strategies")["broken"])["reason"] and found)
    assert "NO SUCH; SYMBOL" in row["reason"]
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: puppet.order(1).get("status") == "FILLED")
    equal_books(puppet)


@thread("NT PR #4412")
def test_farm_that_breaks_leaves_the_order_sessions_alone(puppet: Puppet) -> None:
    puppet.begin()
    puppet.rest(1)
    puppet.scene.break_gateway(do.FarmDown(for_s=300))
    puppet.do("cancel", "puppet:1")
    puppet.wait(lambda: not puppet.working(1), 60)
    sessions = puppet.scene.view("sessions")
    assert {row["state"] for row in sessions.values()} == {"CONNECTED"}
    puppet.wait(lambda: "market data flows again" in puppet.floor.words())
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: puppet.order(2).get("status") == "FILLED")
    assert {row.client_id for row in puppet.scene.book().orders} == {sessions["puppet"]["client_id"]}
    equal_books(puppet)
