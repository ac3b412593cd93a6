"""What is done for strategies that are not up, or are on their way out, while something stands in the way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.scenarios.puppeteer import Puppet, equal_books

from ibfloor.control.once import send_command
from ibfloor.model.command import AnyCommand, CancelOrder, Done, StartStrategy
from ibfloor.model.ids import ClientOrderId, StrategyId
from ibfloor.sim.faults import actions as do

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NAME = StrategyId("puppet")


def command(kind: str, number: int = 0) -> AnyCommand:
    if kind == "start":
        return StartStrategy(command_id="start", actor="test", strategy=NAME)
    return CancelOrder(command_id=f"cancel-{number}", actor="test", cl_ord_id=ClientOrderId(f"puppet:{number}"))


def test_errands_of_one_strategy_and_its_start_take_turns_under_its_client_id(puppet: Puppet) -> None:
    puppet.begin()
    for number in (1, 2, 3):
        puppet.rest(number)
    assert puppet.scene.cli("strategy", "stop", "puppet").returncode == 0
    assert len([row for number in (1, 2, 3) for row in puppet.working(number)]) == 3, "its policy keeps them"
    asked = [command("cancel", 1), command("cancel", 2), command("start")]
    with ThreadPoolExecutor() as hands:
        answers = list(hands.map(lambda each: send_command(puppet.scene.home, each), asked))
    assert [type(each) for each in answers] == [Done] * 3, answers
    puppet.wait(lambda: len(puppet.notes("start")) == 2)
    puppet.wait(lambda: not puppet.working(1) and not puppet.working(2))
    assert puppet.working(3)
    assert "is in use" not in puppet.floor.words(), "no two connections wanted the id at once"
    assert puppet.scene.view("strategies")["puppet"]["restarts"] == 0
    puppet.do("cancel", "puppet:3")
    puppet.wait(lambda: not puppet.working(3))
    equal_books(puppet)


@pytest.mark.parametrize("hold", ["paused", "broken farm", "no way to IB"])
def test_flatten_finds_its_way_out_whatever_holds_the_entries(puppet: Puppet, hold: str) -> None:
    puppet.begin(policy="flatten")
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: puppet.order(1).get("status") == "FILLED")
    match hold:
        case "paused":
            assert puppet.scene.cli("strategy", "pause", "puppet").returncode == 0
        case "broken farm":
            puppet.scene.break_gateway(do.FarmDown(for_s=1200))
            puppet.wait(lambda: "farm broken" in puppet.floor.words())
        case _:
            puppet.scene.break_gateway(do.LoseUpstream(for_s=240))
            puppet.wait(lambda: not puppet.scene.view("floor")["floor"]["gate_open"])
    puppet.do("market", "buy", 10)
    puppet.wait(lambda: len(puppet.notes("answer")) == 2)
    assert "Refused" in puppet.notes("answer")[-1]["text"]
    stopped = puppet.scene.cli("strategy", "stop", "puppet")
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    rows = puppet.scene.book().executions
    assert sum(row.side.sign * row.qty for row in rows) == 0
    assert [row.side.value for row in rows] == ["BUY", "SELL"]
    equal_books(puppet)
