"""One account, several hands: what two bots, or one nervous finger, did to other projects' users."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from tests.scenarios.puppeteer import Puppet, equal_books

from ibfloor.control.once import send_command
from ibfloor.model.command import Denied, Done, FlattenKilled, Kill
from ibfloor.model.fact import CommandTaken
from ibfloor.sim.faults import actions as do

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
thread = pytest.mark.thread
SPY = "756733"


@thread("ft #9434")
def test_two_strategies_that_want_the_same_money_at_once_get_it_once(puppet: Puppet, tools: Any) -> None:
    other = Puppet(puppet.scene, "other")
    puppet.begin(beside=other.config(), limits=tools.limits.replace("exposure = 2000000", "exposure = 60000"))
    other.floor = puppet.floor
    puppet.wait(lambda: other.notes("quoted"))
    pair = (puppet, other)
    for each in pair:
        each.do("limit", "buy", 100, 1.0)  # some 44,000 dollars each: there is room for one
    puppet.wait(lambda: all(each.notes("answer") for each in pair))
    answers = [each.notes("answer")[0]["text"] for each in pair]
    assert sorted("Accepted" in text for text in answers) == [False, True], answers
    (refused,) = [text for text in answers if "Accepted" not in text]
    assert "gross exposure could become too large" in refused
    assert sum(order.qty for order in puppet.scene.book().orders) == 100
    winner, loser = pair if "Accepted" in answers[0] else (other, puppet)
    puppet.wait(lambda: winner.order(1).get("status") in ("NEW", "FILLED"))
    if winner.order(1)["status"] == "NEW":
        winner.do("cancel", f"{winner.name}:1")
    else:
        winner.do("market", "sell", 100)
    puppet.wait(lambda: not puppet.scene.view("positions").get(f"{winner.name}/{SPY}", {}).get("qty", "0").strip("0"))
    puppet.wait(lambda: not puppet.scene.view("floor")["floor"]["orders_working"])
    loser.do("market", "buy", 100)
    puppet.wait(lambda: [row for row in puppet.scene.view("fills").values() if row["strategy"] == loser.name])
    equal_books(puppet)


@thread("ft frequi #1691")
def test_command_given_twice_by_one_dialog_is_carried_out_once(puppet: Puppet) -> None:
    puppet.begin()
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: puppet.order(1).get("status") == "FILLED")
    kill = Kill(command_id="dialog-6", actor="a nervous finger", reason="Enter")
    assert isinstance(send_command(puppet.scene.home, kill, timeout_s=60), Done)
    enter = FlattenKilled(command_id="dialog-7", actor="a nervous finger")
    with ThreadPoolExecutor() as hands:
        answers = list(hands.map(lambda _: send_command(puppet.scene.home, enter, timeout_s=60), range(3)))
    assert [type(each) for each in answers] == [Done] * 3, answers
    other = Kill(command_id="dialog-7", actor="a nervous finger", reason="another thing")
    assert isinstance(send_command(puppet.scene.home, other), Denied)
    puppet.floor.signal(signal.SIGTERM)
    puppet.floor.wait()
    assert sum(-row.side.sign * row.qty for row in puppet.scene.book().executions) == Decimal(0)
    assert [row.side.value for row in puppet.scene.book().orders] == ["BUY", "SELL"]
    taken = [fact for fact in puppet.scene.facts() if isinstance(fact, CommandTaken)]
    assert [fact.command_id for fact in taken].count("dialog-7") == 1


@thread("NT #4454")
@thread("NT #4975")
def test_position_bought_by_hand_is_given_to_a_strategy_and_sold_by_it(puppet: Puppet) -> None:
    puppet.begin()
    by_hand = do.ManualOrder(symbol="SPY", qty=Decimal(30), limit_px=Decimal(10_000))
    puppet.scene.break_gateway(by_hand)

    def held(name: str) -> object:
        return puppet.scene.view("positions").get(f"{name}/{SPY}", {}).get("qty")

    puppet.wait(lambda: held("UNASSIGNED") == "30")
    given = puppet.scene.cli("book", "assign", "SPY", "puppet", "30", "--reason", "bought by hand", "--yes")
    assert given.returncode == 0, given.stderr
    puppet.wait(lambda: held("puppet") == "30")
    puppet.do("market", "sell", 30)
    puppet.wait(lambda: puppet.order(1).get("status") == "FILLED")
    state = equal_books(puppet)
    assert [name for name in state.books.strategies() if state.books.book(name).open_positions] == []
    assert sum(row.side.sign * row.qty for row in puppet.scene.book().executions) == 0
    assert [row.qty for row in puppet.scene.book().positions] == [0]
