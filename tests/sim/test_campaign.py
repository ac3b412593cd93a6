"""A slice of the campaign, and proof that its judge can find what is wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.sim.campaign import tiers
from tests.sim.campaign.__main__ import summary
from tests.sim.campaign.results import Options, TierResult
from tests.sim.campaign.run import Outcome, run_one
from tests.sim.campaign.troubles import SINGLE, TROUBLES, WORST
from tests.sim.dying import dies

from ibfloor.broker.ib.order_session import IbOrderSession
from ibfloor.broker.ib.pacing import MessageBudget
from ibfloor.execution.order_table import OrderTable
from ibfloor.ledger.journal import JournalWriter
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.model.fact import FeeReported, OrderDoubted, OrderFilled, OrderSubmitted

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.mark.parametrize("tier", tiers.IN_VIRTUAL_TIME)
def test_slice_of_the_campaign_violates_nothing(tier: str) -> None:
    result = tiers.TIERS[tier](Options(is_slice=True))

    assert result.failures == []
    assert result.runs >= 10
    assert result.fills > 100, "runs in which nothing trades prove nothing"
    assert result.idle == [], "troubles that never happen prove nothing"


@pytest.mark.parametrize("faults", ["clear", "crash-after-write", "status-noise+connections-flap"])
def test_same_seed_gives_the_same_trace_twice(faults: str) -> None:
    first, second, other = run_one("A", faults, 5), run_one("A", faults, 5), run_one("A", faults, 6)

    assert first.trace == second.trace
    assert first.trace != other.trace


@pytest.mark.parametrize(("faults", "seed"), [("nightly-reset", 2), ("nightly-reset", 22), ("partition", 29)])
def test_bracket_that_once_sold_what_it_did_not_hold_does_so_no_more(faults: str, seed: int) -> None:
    assert run_one("A", faults, seed).violations == ()


def test_same_seed_gives_the_same_trace_in_another_process() -> None:
    code = "from tests.sim.campaign.run import run_one; print(run_one('A', 'crash', 3).trace)"

    def trace(hash_seed: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
        )
        return done.stdout.strip().splitlines()[-1]

    assert trace("0") == trace("1") != ""


def test_run_whose_process_dies_is_run_again_or_named_and_ends_nothing_else(tmp_path: Path) -> None:
    said: list[str] = []
    jobs = [("A", str(tmp_path / "died"), seed) for seed in range(1, 6)]

    found = [each for outcomes in tiers.pooled(dies, jobs, Options(processes=2, say=said.append)) for each in outcomes]

    assert [each.seed if isinstance(each, Outcome) else each for each in found] == [1, 2, 3, 4, 5]
    assert [each.seed for each in found if isinstance(each, Outcome) and each.violations] == [4]
    assert any("seed 4 runs again, alone" in line for line in said)


def test_campaign_is_as_large_as_it_says() -> None:
    assert len(SINGLE) >= 40
    assert len(WORST) == len(set(WORST)) == 20
    assert set(WORST) <= set(TROUBLES)


def test_tiers_that_did_not_run_are_said_not_to_have_run() -> None:
    text = summary({"A": TierResult(tier="A", line="", runs=3, violations=2)})

    assert '"violations":2' in text
    assert '"E":{"ran":false' in text
    assert '"B":{"ran":false' in text


# What would a floor with a bug look like? Each of these is one, and names the invariant that must catch it.


def _doubles_fills(patch: pytest.MonkeyPatch) -> None:
    honest = OrderTable.is_news
    patch.setattr(OrderTable, "is_news", lambda self, fact: isinstance(fact, OrderFilled) or honest(self, fact))


def _loses_fees(patch: pytest.MonkeyPatch) -> None:
    honest = MessageQueue.put
    patch.setattr(MessageQueue, "put", lambda self, fact: None if isinstance(fact, FeeReported) else honest(self, fact))


def _writes_before_the_journal(patch: pytest.MonkeyPatch) -> None:
    honest = JournalWriter.append

    def append(self: JournalWriter, fact: Any, seq: int = 0) -> None:
        if seq or not isinstance(fact, OrderSubmitted):
            honest(self, fact, seq)

    patch.setattr(JournalWriter, "append", append)


def _keeps_doubts(patch: pytest.MonkeyPatch) -> None:
    honest = MessageQueue.put
    patch.setattr(
        MessageQueue, "put", lambda self, fact: None if isinstance(fact, OrderDoubted) else honest(self, fact)
    )
    patch.setattr("ibfloor.execution.recovery._Settling.take_absent", lambda self: None)


def _has_no_limits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SharedGate, "check_and_reserve", lambda *_: None)


def _forgets_ids(patch: pytest.MonkeyPatch) -> None:
    honest = IbOrderSession.next_order_id
    patch.setattr(IbOrderSession, "next_order_id", lambda self: honest(self) // 2 + 1)


def _never_waits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MessageBudget, "take", lambda *_: 0.0)
    honest = IbOrderSession.submit

    def submit(self: IbOrderSession, *args: Any) -> None:
        honest(self, *args)
        for _ in range(60):
            self._live_client().reqIds(1)  # type: ignore[no-untyped-call]

    patch.setattr(IbOrderSession, "submit", submit)


def _is_slow_to_kill(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("ibfloor.manager.kill_hand.KillHand.cancel", lambda *_, **__: {})
    patch.setattr("ibfloor.manager.way_out.WayOut.cancel_until_done", _do_nothing)


async def _do_nothing(*_: object) -> None:
    pass


BUGS: list[tuple[Callable[[pytest.MonkeyPatch], None], str, str]] = [
    (_doubles_fills, "exec-twice", "I3"),
    (_loses_fees, "clear", "I5"),
    (_writes_before_the_journal, "clear", "I9"),
    (_keeps_doubts, "no-ack", "I6"),
    (_has_no_limits, "clear", "I7"),
    (_forgets_ids, "clear", "I2"),
    (_never_waits, "clear", "I14"),
    (_is_slow_to_kill, "kill", "I15"),
]


@pytest.mark.parametrize(("bug", "faults", "invariant"), BUGS, ids=[bug.__name__.strip("_") for bug, _, _ in BUGS])
def test_judge_finds_a_floor_that(
    bug: Callable[[pytest.MonkeyPatch], None], faults: str, invariant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bug(monkeypatch)

    found = [each for seed in (1, 2, 3) for each in run_one("A", faults, seed).violations]

    assert invariant in {each.invariant for each in found}, found
