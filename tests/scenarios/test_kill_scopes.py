"""Kill switches of a strategy and of an instrument: they end what is in their reach, and nothing beside it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from typing import Any

import pytest
from ib_async import IB, LimitOrder, Stock

from ibfloor.ledger.latch import KillLatches
from ibfloor.model.kill import KillPlace, KillScope

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WORKING = ("PreSubmitted", "Submitted", "PendingSubmit")
ALPHA = KillPlace(KillScope.STRATEGY, "alpha")

BUSY = """
from pathlib import Path
from ibfloor import Quote, Stock, Strategy, StrategyParams

class Params(StrategyParams):
    hang: str = ""

class Busy(Strategy[Params]):
    \"\"\"Holds one share each of SPY and QQQ, has a resting order in both, and puts it there again.\"\"\"

    def on_start(self) -> None:
        self.stocks = [Stock("SPY"), Stock("QQQ")]
        self.counts = {}
        for stock in self.stocks:
            self.subscribe_quotes(stock)

    def on_quote(self, quote: Quote) -> None:
        if self.params.hang and Path(self.params.hang).exists():
            Path(self.params.hang + ".in").touch()
            while Path(self.params.hang).exists():
                pass
        if quote.bid_px != quote.bid_px or quote.ask_px != quote.ask_px:
            return
        seen = self.counts[quote.instrument_id] = self.counts.get(quote.instrument_id, 0) + 1
        if seen % 20 != 1:
            return
        stock = next(each for each in self.stocks if self.instrument(each).instrument_id == quote.instrument_id)
        if not self.position(stock).qty and not any(o.request.ord_type == "MKT" for o in self.orders):
            self.buy(stock, 1)
        if not any(o.request.instrument_id == quote.instrument_id and o.request.ord_type == "LMT" for o in self.orders):
            self.buy(stock, 3, limit=round(quote.bid_px * 0.97, 2))
"""


def working(scene: Any) -> set[tuple[str, str]]:
    rows = [row for row in scene.book().orders if row.status in WORKING and row.ord_type == "LMT"]
    return {(row.order_ref.partition(":")[0], row.symbol) for row in rows}


def phase(scene: Any, place: str) -> str:
    return str(scene.view("kills").get(place, {}).get("phase", ""))


def begin(scene: Any) -> Any:
    file = scene.folder / "busy.py"
    file.write_text(BUSY)
    hang = scene.folder / "hang"
    scene.write_config(
        f'[[strategy]]\nname = "alpha"\nfile = "{file}"\nparams = {{ hang = "{hang}" }}\nstop_policy = "keep"\n'
        f'[[strategy]]\nname = "beta"\nfile = "{file}"\nstop_policy = "keep"\n'
    )
    floor = scene.floor()
    wait_for_all(scene, floor)
    return floor


def wait_for_all(scene: Any, floor: Any) -> None:
    every = {(name, symbol) for name in ("alpha", "beta") for symbol in ("SPY", "QQQ")}
    scene.until(lambda: working(scene) == every, floor)
    scene.until(lambda: held(scene) == dict.fromkeys(every, 1), floor)


def held(scene: Any) -> dict[tuple[str, str], int]:
    rows = scene.view("positions").values()
    return {(row["strategy"], row["symbol"]): int(float(row["qty"])) for row in rows if float(row["qty"])}


def hang(scene: Any, floor: Any) -> None:
    (scene.folder / "hang").touch()
    scene.until(lambda: (scene.folder / "hang.in").exists(), floor)


def state(scene: Any, name: str) -> str:
    return str(scene.view("strategies")[name]["state"])


def test_a_killed_strategy_stays_dead_through_a_restart_until_the_risk_officer_resets_it(scene: Any) -> None:
    floor = begin(scene)
    done = scene.cli("kill", "runaway", "--strategy", "alpha")
    assert (done.returncode, "strategy alpha is halted" in done.stdout) == (0, True), done.stderr
    assert working(scene) == {("beta", "SPY"), ("beta", "QQQ")}
    scene.until(lambda: phase(scene, "strategy:alpha") == "verified", floor)
    assert scene.cli("strategy", "start", "alpha").returncode == 1
    assert scene.cli("kill", "slip", "--strategy", "alfa").returncode == 1, "a slip of the pen is told"

    floor.signal(signal.SIGTERM)
    floor.wait()
    again = scene.floor()
    scene.until(lambda: state(scene, "beta") == "RUNNING", again)
    assert (state(scene, "alpha"), scene.view("kills").keys()) == ("STOPPED", {"strategy:alpha"})

    assert scene.secretly("officer", words=("correct horse",)).returncode == 0
    assert scene.secretly("officer", words=("wrong horse!!", "another horse")).returncode == 2, (
        "the old one is asked for"
    )
    unkill = ("unkill", "mended", "--strategy", "alpha")
    denied = scene.secretly(*unkill, words=("battery staple",))
    assert (denied.returncode, "not the risk officer" in denied.stderr) == (1, True)
    opened = scene.secretly(*unkill, words=("correct horse",))
    assert opened.returncode == 0, opened.stderr
    assert "correct horse" not in again.words()
    scene.until(lambda: scene.view("kills") == {}, again)
    assert KillLatches(scene.home).states() == {}
    assert scene.cli("strategy", "start", "alpha").returncode == 0
    wait_for_all(scene, again)


def test_a_killed_instrument_is_left_by_all_and_closed_within_a_bound_when_that_is_confirmed(scene: Any) -> None:
    floor = begin(scene)
    before = len(scene.book().executions)
    done = scene.cli("kill", "halted by the exchange", "--instrument", "SPY", "--flatten", "--yes")
    assert done.returncode == 0, (done.stdout, done.stderr, floor.words())
    scene.until(lambda: held(scene) == {("alpha", "QQQ"): 1, ("beta", "QQQ"): 1}, floor)
    assert working(scene) == {("alpha", "QQQ"), ("beta", "QQQ")}
    assert (state(scene, "alpha"), state(scene, "beta")) == ("RUNNING", "RUNNING")
    book = scene.book()
    closing = {row.order_ref for row in book.executions[before:]}
    assert {row.ord_type for row in book.orders if row.order_ref in closing} == {"LMT"}, "never at any price"
    scene.until(lambda: scene.view("strategies")["alpha"]["rejected"] > 0, floor)  # it tried again, and was refused
    assert not any(symbol == "SPY" for _, symbol in working(scene))

    async def another_program() -> subprocess.CompletedProcess[str]:
        ib = IB()
        await ib.connectAsync("127.0.0.1", scene.port, clientId=77)
        qqq = Stock("QQQ", "SMART", "USD")
        await ib.qualifyContractsAsync(qqq)
        ib.placeOrder(qqq, LimitOrder("BUY", 7, 1.0, orderRef="theirs"))
        await asyncio.to_thread(scene.until, lambda: ("theirs", "QQQ") in working(scene), floor)
        denied: subprocess.CompletedProcess[str] = await asyncio.to_thread(
            scene.cli, "kill", "too", "--instrument", "QQQ"
        )
        ib.disconnect()
        return denied

    denied = asyncio.run(another_program())
    assert (denied.returncode, "client id 77" in denied.stderr) == (1, True), "nobody but that client can cancel it"
    assert working(scene) == {("theirs", "QQQ")}
    assert "NOT VERIFIED" in floor.words()


def test_the_orders_of_a_strategy_in_an_endless_loop_are_ended_over_its_head(scene: Any) -> None:
    floor = begin(scene)
    hang(scene, floor)
    done = scene.cli("kill", "hangs", "--strategy", "alpha")
    assert done.returncode == 0, (done.stdout, done.stderr, floor.words())
    assert working(scene) == {("beta", "SPY"), ("beta", "QQQ")}
    scene.until(lambda: state(scene, "alpha") == "FAILED", floor)
    (scene.folder / "hang").unlink()


def test_a_file_from_while_the_floor_was_down_kills_what_it_names(scene: Any) -> None:
    floor = begin(scene)
    floor.signal(signal.SIGKILL)
    floor.wait()
    (scene.home / "kill-strategy-alpha.json").touch()  # as a person does, with nothing in it
    again = scene.floor()
    scene.until(lambda: phase(scene, "strategy:alpha") == "verified", again)
    assert working(scene) == {("beta", "SPY"), ("beta", "QQQ")}
    assert (state(scene, "alpha"), state(scene, "beta")) == ("STOPPED", "RUNNING")


def test_a_file_alone_kills_a_running_floor_whose_strategies_hang(scene: Any) -> None:
    floor = begin(scene)
    hang(scene, floor)
    (scene.home / "kill.json").touch()
    scene.until(lambda: working(scene) == set(), floor)
    scene.until(lambda: phase(scene, "account") == "verified", floor)
    (scene.folder / "hang").unlink()
