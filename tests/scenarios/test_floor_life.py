"""The floor through a bad day: mute gateway, foreign hands, dead sockets, dead children."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections import Counter
from typing import Any

import psutil
import pytest
from ib_async import IB, MarketOrder, Stock

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WORKING = ("PreSubmitted", "Submitted", "PendingSubmit")


def revert(tools: Any) -> str:
    table: str = tools.strategy_table("revert", "mean_reversion.py", symbol="QQQ", qty=100, inventory_max=200)
    return table


def finish(scene: Any, floor: Any) -> dict[str, Any]:
    floor.signal(signal.SIGTERM)
    summary: dict[str, Any] = json.loads(floor.output().splitlines()[-1])
    assert floor.wait() == 0, floor.words()
    verified = scene.cli("ledger", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    return summary


def test_mute_gateway_is_noticed_and_after_it_nothing_is_lost_or_doubled(scene: Any, tools: Any) -> None:
    scene.write_config(revert(tools))
    floor = scene.floor()
    scene.until(lambda: len(scene.view("fills")) >= 3, floor)
    scene.gateway.signal(signal.SIGSTOP)  # the sockets stay open, and nobody answers
    try:
        scene.until(lambda: all(row["state"] != "CONNECTED" for row in scene.view("sessions").values()), floor, 15)
        assert scene.view("floor")["floor"]["gate_open"] is False
    finally:
        scene.gateway.signal(signal.SIGCONT)
    scene.until(lambda: all(row["state"] == "CONNECTED" for row in scene.view("sessions").values()), floor)
    scene.until(lambda: scene.view("floor")["floor"]["gate_open"], floor)
    before = len(scene.view("fills"))
    scene.until(lambda: len(scene.view("fills")) >= before + 2, floor)
    summary = finish(scene, floor)
    book = scene.book()
    assert summary["books_equal_account"] is True
    assert summary["unknown_orders"] == 0
    assert max(Counter(row.order_ref for row in book.orders).values()) == 1
    assert summary["fills"] == len(book.executions)


def test_trade_by_another_client_is_booked_to_nobody_and_breaks_nothing(scene: Any, tools: Any) -> None:
    scene.write_config(revert(tools))
    floor = scene.floor()
    scene.until(lambda: scene.view("fills"), floor)

    async def trade() -> None:
        ib = IB()
        await ib.connectAsync("127.0.0.1", scene.port, clientId=77)
        spy = Stock("SPY", "SMART", "USD")
        await ib.qualifyContractsAsync(spy)
        done = ib.placeOrder(spy, MarketOrder("BUY", 50))
        async with asyncio.timeout(20):
            while not done.isDone():
                await ib.updateEvent
        ib.disconnect()

    asyncio.run(trade())

    def booked() -> dict[str, Any]:
        return next((row for key, row in scene.view("positions").items() if key.startswith("UNASSIGNED/")), {})

    scene.until(lambda: (row := booked()) and row["symbol"] == "SPY" and row["mark_px"], floor)
    assert booked()["qty"] == "50"
    summary = finish(scene, floor)
    assert (summary["breaks"], summary["books_equal_account"]) == (0, True)


def test_kill_reaches_a_floor_whose_socket_is_dead_and_outlives_it(scene: Any, tools: Any) -> None:
    scene.write_config(revert(tools))
    floor = scene.floor()
    scene.until(lambda: scene.view("floor")["floor"]["orders_working"], floor)
    floor.signal(signal.SIGSTOP)  # it answers nothing
    try:
        scene.cli("kill", "drill")
    finally:
        floor.signal(signal.SIGCONT)
    scene.until(lambda: scene.view("floor")["floor"]["kill_latched"], floor)
    scene.until(lambda: not [row for row in scene.book().orders if row.status in WORKING], floor, 15)
    finish(scene, floor)

    orders = len(scene.book().orders)
    second = scene.floor()
    scene.until(lambda: scene.view("strategies")["revert"]["state"] == "STOPPED", second)
    refused = scene.cli("strategy", "start", "revert")
    assert (refused.returncode, "kill switch" in refused.stderr) == (1, True)
    # denied as long as the floor still proves at the broker that nothing works
    scene.until(lambda: scene.cli("unkill", "drill is over").returncode == 0, second)
    assert scene.cli("strategy", "start", "revert").returncode == 0
    scene.until(lambda: len(scene.book().orders) > orders, second)


def test_paused_strategy_sends_nothing_until_it_is_resumed(scene: Any, tools: Any) -> None:
    scene.write_config(tools.strategy_table("faulty", "faulty.py", symbol="IWM", qty=10, bars_until_failure=500))
    floor = scene.floor()
    scene.until(lambda: len(scene.view("fills")) >= 2, floor)
    assert scene.cli("strategy", "pause", "faulty").returncode == 0
    orders = len(scene.book().orders)
    refused = scene.view("floor")["floor"]["rejected"]
    scene.until(lambda: scene.view("floor")["floor"]["rejected"] >= refused + 2, floor)
    assert len(scene.book().orders) == orders
    assert scene.cli("strategy", "resume", "faulty").returncode == 0
    scene.until(lambda: len(scene.book().orders) > orders, floor)


def test_floor_trades_on_while_its_pages_die_and_come_back(scene: Any, tools: Any) -> None:
    scene.write_config(revert(tools))
    text = scene.config.read_text().replace("[web]\nenabled = false", "[web]\nport = 0")
    scene.config.write_text(text)
    floor = scene.floor()

    def web() -> psutil.Process | None:
        for child in psutil.Process(floor.pid).children():
            with contextlib.suppress(psutil.Error):  # it has just ended
                if "ibfloor.api" in child.cmdline():
                    return child
        return None

    first = scene.until(web, floor)
    scene.until(lambda: scene.view("floor")["floor"]["web_url"], floor)
    os.kill(first.pid, signal.SIGKILL)
    scene.until(lambda: (now := web()) is not None and now.pid != first.pid, floor)
    before = len(scene.view("fills"))
    scene.until(lambda: len(scene.view("fills")) >= before + 2, floor)
    assert scene.cli("login").stdout.startswith("http://127.0.0.1:")
    last = web()
    floor.signal(signal.SIGKILL)  # and when the floor itself is killed, nothing of it stays behind
    assert last is not None
    scene.until(lambda: not psutil.pid_exists(last.pid) or last.status() == psutil.STATUS_ZOMBIE)
