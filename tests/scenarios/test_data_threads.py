"""Market data that stopped for other projects' users, and what the floor does: it comes back whole, and it is told."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
from tests.scenarios.conftest import LIMITS
from tests.scenarios.puppeteer import Puppet, equal_books

from ibfloor.sim.faults import actions as do
from ibfloor.sim.faults.actions import AnyAction

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
thread = pytest.mark.thread
MINUTE_NS = 60_000_000_000
BOUND_S = 60.0


def still(puppet: Puppet) -> list[float]:
    """Return the ages, in market seconds, at which data that stands still was told."""
    lines = [line for line in puppet.floor.words().splitlines() if "market data stands still" in line]
    return [float(found[1]) for line in lines if (found := re.search(r"age_s=([\d.]+)", line))]


@thread("NT #3733")
@thread("NT #3001")
@thread("NT #4168")
@pytest.mark.parametrize("trouble", [do.Restart(for_s=200), do.FarmDown(for_s=200)], ids=["restart", "farm"])
def test_bars_come_back_without_a_gap_and_the_silence_is_told(scene: Any, trouble: AnyAction) -> None:
    puppet = Puppet(scene, bar="1 min")
    puppet.begin()
    puppet.wait(lambda: len(puppet.notes("bar")) >= 2)
    puppet.scene.break_gateway(trouble)
    puppet.wait(lambda: still(puppet))
    assert all(BOUND_S < age_s < BOUND_S * 4 for age_s in still(puppet)), "told after the bound, and a look"
    before = len(puppet.notes("bar"))
    puppet.wait(lambda: len(puppet.notes("bar")) >= before + 6, 60)
    assert "market data flows again" in puppet.floor.words()
    starts = [line["start_ns"] for line in puppet.notes("bar")]
    assert {after - first for first, after in pairwise(starts)} == {MINUTE_NS}
    equal_books(puppet)


@thread("lumi #554")
def test_price_that_no_quote_renews_is_refused_for_entries_and_says_how_old_it_is(puppet: Puppet) -> None:
    puppet.begin()
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: puppet.order(1).get("status") == "FILLED")
    puppet.scene.break_gateway(do.NoPermission(for_s=0))
    puppet.scene.break_gateway(do.LoseStreams(streams="quotes"))
    puppet.wait(lambda: not puppet.scene.view("instruments")["756733"]["is_fresh"])
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: len(puppet.notes("answer")) == 2)
    assert "the last price is too old" in puppet.notes("answer")[-1]["text"]
    row = puppet.scene.view("instruments")["756733"]
    assert row["bid_px"], "it is shown, with its time"
    puppet.wait(lambda: row["ts_ns"] < puppet.scene.view("floor")["floor"]["ts_ns"] - BOUND_S * 1e9)
    puppet.do("market", "sell", 10)
    puppet.wait(lambda: puppet.order(3).get("status") == "FILLED")
    assert len(puppet.scene.book().orders) == 2
    equal_books(puppet)


@thread("NT PR #4412")
def test_quote_of_a_broken_farm_is_stale_at_once_and_refused_for_entries_alone(puppet: Puppet) -> None:
    puppet.begin()
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: puppet.order(1).get("status") == "FILLED")
    puppet.scene.break_gateway(do.FarmDown(for_s=600))
    puppet.wait(lambda: "farm broken" in puppet.floor.words())
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: len(puppet.notes("answer")) == 2)
    assert "the data farm usfarm broke, and no quote has come since" in puppet.notes("answer")[-1]["text"]
    puppet.wait(lambda: not puppet.scene.view("instruments")["756733"]["is_fresh"], 3)
    puppet.do("market", "sell", 10)
    puppet.wait(lambda: puppet.order(3).get("status") == "FILLED")
    puppet.wait(lambda: puppet.scene.view("instruments")["756733"]["is_fresh"])
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: puppet.order(4).get("status") == "FILLED")
    equal_books(puppet)


def test_dead_feed_is_no_price_for_the_guards_of_losses(puppet: Puppet) -> None:
    puppet.begin(
        beside="[strategy.risk]\nday_loss_max = 900000\n", limits=LIMITS + "[risk.account]\nday_loss_max = 900000\n"
    )
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: puppet.order(1).get("status") == "FILLED")

    def used(rule: str) -> str:
        return str(puppet.scene.view("risk")[rule]["used"])

    def play(turn: int, why: str) -> None:
        puppet.wait(lambda: used("reducing") == "puppet" and "what the account has lost" in used("permission"))
        puppet.do("market", "buy", 10)
        puppet.wait(lambda: len(puppet.notes("answer")) == 2 * turn)
        text = puppet.notes("answer")[-1]["text"]
        assert "only orders that reduce" in text
        assert f"what it has lost is not known: SPY: {why}" in text
        puppet.do("market", "sell", 1)
        puppet.wait(lambda: puppet.order(2 * turn + 1).get("status") == "FILLED")
        puppet.wait(lambda: used("reducing") == "none" and puppet.scene.view("floor")["floor"]["gate_open"])
        puppet.wait(lambda: puppet.scene.view("instruments")["756733"]["is_fresh"])

    puppet.scene.break_gateway(do.FarmDown(for_s=100))
    play(1, "the data farm usfarm broke")
    puppet.scene.break_gateway(do.Compete(for_s=60))
    play(2, "the broker has ended its market data")
    puppet.scene.break_gateway(do.HoldId(for_s=60), strikes=(1,))
    puppet.scene.break_gateway(do.Reset(), strikes=(1,))
    play(3, "the market-data session is down")
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: puppet.order(8).get("status") == "FILLED")
    equal_books(puppet)


def test_halted_instrument_is_refused_for_entries_alone_until_its_exchange_lets_it_trade(puppet: Puppet) -> None:
    puppet.begin()
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: puppet.order(1).get("status") == "FILLED")
    puppet.scene.break_gateway(do.Halt(symbol="SPY", volatility=True, for_s=900))
    puppet.wait(lambda: "trading halt" in puppet.floor.words())
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: len(puppet.notes("answer")) == 2)
    assert "SPY is paused for its volatility by its exchange" in puppet.notes("answer")[-1]["text"]
    puppet.do("market", "sell", 10)
    puppet.wait(lambda: puppet.order(3).get("status") == "NEW")
    puppet.wait(lambda: puppet.order(3).get("status") == "FILLED")
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: puppet.order(4).get("status") == "FILLED")
    equal_books(puppet)
