"""Connections that died without a word, for other projects' users: here the alarm comes from outside."""

from __future__ import annotations

import re

import pytest
from tests.scenarios.puppeteer import Puppet, equal_books

from ibfloor.sim.faults import actions as do
from ibfloor.sim.faults.actions import AnyAction

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
thread = pytest.mark.thread
ALARM = "reconcile_every_s = 2\nalarm_after_s = 6.5\n"


def alarmed(puppet: Puppet, words: str) -> set[str]:
    lines = [line for line in puppet.floor.words().splitlines() if words in line]
    return {found[1] for line in lines if (found := re.search(r"session=([\w-]+)", line))}


def begin(puppet: Puppet) -> None:
    puppet.begin(gateway=ALARM)


@thread("LEAN-IB #246")
@thread("LEAN-IB #262")
@pytest.mark.parametrize(
    "trouble", [do.Restart(for_s=600), do.LoseUpstream(for_s=600)], ids=["gateway dead", "gateway without IB"]
)
def test_floor_without_a_session_for_so_long_says_so_and_says_when_it_is_back(
    puppet: Puppet, trouble: AnyAction
) -> None:
    begin(puppet)
    puppet.scene.break_gateway(trouble)
    everyone = {"master", "data", "puppet"}
    puppet.wait(lambda: alarmed(puppet, "no session") == everyone)
    puppet.wait(lambda: alarmed(puppet, "a session is back") == everyone)
    equal_books(puppet)


@thread("LEAN-IB #246")
def test_thread_that_hangs_cannot_tell_of_itself_and_is_told_of(puppet: Puppet) -> None:
    begin(puppet)
    puppet.do("hang", "", 9)
    puppet.wait(lambda: alarmed(puppet, "no session") == {"puppet"})
    puppet.wait(lambda: alarmed(puppet, "a session is back") == {"puppet"})
    equal_books(puppet)
