"""How a run ends: a few lines for people, one of JSON for programs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from decimal import Decimal

import msgspec
import pytest

from ibfloor.cli.run import print_summary, tell_the_stop
from ibfloor.manager.summary import FloorSummary, StrategySummary

SUMMARY = FloorSummary(
    strategies={
        "pair": StrategySummary(
            state="STOPPED",
            state_before="RUNNING",
            orders=1,
            fills=2,
            restarts=0,
            positions={"KO": Decimal(-50)},
            pnl=Decimal("-12.5"),
        ),
        "faulty": StrategySummary(
            state="FAILED", state_before="FAILED", orders=0, fills=0, restarts=3, positions={}, pnl=None
        ),
    },
    orders=1,
    fills=2,
    rejected=0,
    breaks=0,
    unknown_orders=0,
    ticks=12345,
    bars_stored=0,
    loop_lag_p99_ms=1.0,
    books_equal_account=True,
)


def test_a_run_ends_with_what_was_traded(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(SUMMARY, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "  faulty  FAILED      0 orders, 0 fills, P&L —, holds —, 3 restarts",
        "  pair    STOPPED     1 order, 2 fills, P&L −12.50, holds KO:-50",
        "1 order, 2 fills, 0 rejected, 0 unknown, 0 breaks; 12,345 ticks",
        "the books equal the account",
    ]


def test_books_that_differ_are_shouted(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(msgspec.structs.replace(SUMMARY, books_equal_account=False), as_json=False)
    assert "THE BOOKS DIFFER" in capsys.readouterr().out


def test_for_programs_it_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(SUMMARY, as_json=True)
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["strategies"]["pair"]["pnl"] == "-12.5"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_stop_is_told_and_still_reaches_the_loop(capfd: pytest.CaptureFixture[str], number: signal.Signals) -> None:
    async def story() -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        tell_the_stop()  # as the floor does: told that it is up first, then listening
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, over.set)
        await asyncio.sleep(0)
        os.kill(os.getpid(), number)
        async with asyncio.timeout(30):
            await over.wait()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(each)

    asyncio.run(story())
    assert "stopping in good order" in capfd.readouterr().err
