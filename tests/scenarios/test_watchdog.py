"""The dead-man watchdog, with real processes: the gateway's own book says what works."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import psutil
import pytest
from ib_async import IB

from ibfloor.ledger.latch import KillLatches
from ibfloor.model.kill import ACCOUNT
from ibfloor.ops.heartbeat import FLOOR_FILE, Life, read_beat

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WORKING = ("PreSubmitted", "Submitted", "PendingSubmit")
WATCHDOG = (
    '[watchdog]\nenabled = true\ndead_after_s = 2\n[alarm]\ncommand = ["/bin/sh", "-c", "echo \\"$0\\" >> {alarms}"]\n'
)

RESTING = """
from ibfloor import Quote, Stock, Strategy, StrategyParams

class Params(StrategyParams):
    symbol: str = "SPY"

class Resting(Strategy[Params]):
    def on_start(self) -> None:
        self.stock = Stock(self.params.symbol)
        self.subscribe_quotes(self.stock)
        self.is_placed = False

    def on_quote(self, quote: Quote) -> None:
        if not self.is_placed and quote.bid_px == quote.bid_px:
            self.is_placed = True
            self.buy(self.stock, 10, limit=round(quote.bid_px * 0.97, 2))
"""


def working(scene: Any) -> list[str]:
    return [row.order_ref for row in scene.book().orders if row.status in WORKING]


def alarms(scene: Any) -> str:
    path = scene.folder / "alarms.txt"
    return path.read_text() if path.exists() else ""


def log_of(scene: Any, name: str) -> list[dict[str, Any]]:
    path = scene.home / "logs" / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def watchdogs(scene: Any) -> list[psutil.Process]:
    lock = scene.home / "watchdog.lock"
    pid = lock.read_text().strip() if lock.exists() else ""
    try:
        process = psutil.Process(int(pid or 0))
        is_one = "ibfloor" in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:  # it is gone, or nobody has collected it
        return []
    return [process] if pid and is_one else []


def begin(scene: Any, extra: str = WATCHDOG) -> Any:
    file = scene.folder / "resting.py"
    file.write_text(RESTING)
    scene.write_config(
        f'[[strategy]]\nname = "resting"\nfile = "{file}"\nstop_policy = "keep"\n',
        extra=extra.format(alarms=scene.folder / "alarms.txt"),
    )
    floor = scene.floor()
    scene.until(lambda: working(scene), floor)
    scene.until(lambda: scene.view("floor")["floor"]["watchdog"] == "on", floor)
    return floor


@pytest.fixture(autouse=True)
def end_watchdogs(scene: Any) -> Any:
    yield
    for process in watchdogs(scene):
        process.kill()


def test_a_killed_floor_has_its_orders_canceled_and_comes_back_halted(scene: Any) -> None:
    floor = begin(scene)
    (dog,) = watchdogs(scene)
    floor.signal(signal.SIGKILL)
    scene.until(lambda: working(scene) == [], within_s=20)
    scene.until(lambda: "no order works any more" in alarms(scene))
    assert "gives no sign of life" in alarms(scene)
    assert KillLatches(scene.home).states()[ACCOUNT].actor == "watchdog"
    psutil.wait_procs([dog], timeout=10)
    assert watchdogs(scene) == [], "the floor it was started by is gone"

    again = scene.floor()
    assert scene.view("floor")["floor"]["kill_latched"]
    assert scene.view("kills")["account"]["actor"] == "watchdog"
    assert working(scene) == []
    again.end()


def test_a_frozen_floor_has_its_orders_canceled_and_halts_itself_when_it_thaws(scene: Any) -> None:
    floor = begin(scene)
    floor.signal(signal.SIGSTOP)
    scene.until(lambda: working(scene) == [], within_s=20)
    floor.signal(signal.SIGCONT)
    scene.until(lambda: scene.view("floor")["floor"]["kill_latched"], floor)
    scene.until(lambda: scene.view("kills").get("account", {}).get("phase") == "verified", floor)
    assert working(scene) == []


def test_a_planned_stop_leaves_kept_orders_alone_and_the_watchdog_goes_with_the_floor(scene: Any) -> None:
    floor = begin(scene)
    (dog,) = watchdogs(scene)
    floor.signal(signal.SIGTERM)
    assert floor.wait() == 0
    beat = read_beat(scene.home / FLOOR_FILE)
    assert beat is not None
    assert beat.life is Life.GONE
    psutil.wait_procs([dog], timeout=10)
    assert not dog.is_running()
    assert working(scene) == ["resting:1"], "its stop policy keeps it"
    assert KillLatches(scene.home).states() == {}
    assert alarms(scene) == ""


def test_both_frozen_for_longer_than_it_takes_is_no_death(scene: Any) -> None:
    floor = begin(scene)
    (dog,) = watchdogs(scene)
    for process in (floor, dog):
        os.kill(process.pid, signal.SIGSTOP)
    frozen = os.times().elapsed
    scene.until(lambda: os.times().elapsed - frozen > 5)
    for process in (dog, floor):
        os.kill(process.pid, signal.SIGCONT)
    thawed = os.times().elapsed
    scene.until(lambda: os.times().elapsed - thawed > 3, floor)
    assert working(scene) == ["resting:1"]
    assert KillLatches(scene.home).states() == {}


def test_a_dead_watchdog_is_alarmed_of_and_another_one_started(scene: Any) -> None:
    floor = begin(scene)
    (dog,) = watchdogs(scene)
    dog.kill()
    scene.until(lambda: "the watchdog has died" in alarms(scene), floor)
    scene.until(lambda: scene.view("floor")["floor"]["watchdog"] == "on" and watchdogs(scene), floor)
    assert working(scene) == ["resting:1"], "the floor trades on"


def test_an_absent_gateway_is_alarmed_of_and_its_orders_are_canceled_when_it_is_back(scene: Any) -> None:
    floor = begin(scene)
    scene.gateway.signal(signal.SIGSTOP)
    floor.signal(signal.SIGKILL)
    scene.until(lambda: "orders may still work though the floor is dead" in alarms(scene), within_s=40)
    scene.gateway.signal(signal.SIGCONT)
    scene.until(lambda: "no order works any more" in alarms(scene), within_s=40)
    assert working(scene) == []


def test_a_client_id_in_use_is_alarmed_of_and_taken_when_it_is_free(scene: Any) -> None:
    free, held = Event(), Event()

    async def hold() -> None:
        holder = IB()
        await holder.connectAsync("127.0.0.1", scene.port, clientId=2)
        held.set()
        await asyncio.to_thread(free.wait)
        holder.disconnect()

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(lambda: asyncio.run(hold()))
        try:
            assert held.wait(20)
            floor = begin(scene)
            scene.until(lambda: "326" in alarms(scene), floor)
        finally:
            free.set()
        holding.result()
    scene.until(
        lambda: any(line.get("state") == "CONNECTED" for line in log_of(scene, "watchdog.jsonl")), floor, within_s=30
    )
    floor.signal(signal.SIGKILL)
    scene.until(lambda: working(scene) == [], within_s=20)


def test_told_to_alarm_it_cancels_nothing(scene: Any) -> None:
    floor = begin(scene, WATCHDOG.replace("[alarm]", 'on_death = "alarm"\n[alarm]'))
    floor.signal(signal.SIGKILL)
    scene.until(lambda: "cancel them in TWS" in alarms(scene), within_s=20)
    assert working(scene) == ["resting:1"]
    assert not Path(scene.home / "kill.json").exists()


def test_one_that_was_started_by_hand_serves_the_floor_and_stays_when_that_has_died(scene: Any) -> None:
    scene.write_config("", extra=WATCHDOG.format(alarms=scene.folder / "alarms.txt"))
    standing = scene._start(["watchdog", "--config", str(scene.config)], "watchdog.log")
    scene.until(lambda: watchdogs(scene))
    floor = begin(scene)
    (dog,) = watchdogs(scene)
    assert dog.pid == standing.pid
    floor.signal(signal.SIGKILL)
    scene.until(lambda: "no order works any more" in alarms(scene), within_s=20)
    assert working(scene) == []
    assert dog.is_running()
    second = scene.run("watchdog", "--config", str(scene.config))
    assert (second.returncode, "a watchdog already runs" in second.stderr) == (2, True)
    standing.signal(signal.SIGINT)
    assert standing.wait() == 0
