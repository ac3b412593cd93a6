"""A strategy that stopped answering: held while it is silent, and no longer."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

from tests.unit.unlimited import limits_but

from ibfloor.clock import FloorClock
from ibfloor.manager.lag import LagMeter
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.manager.silence_guard import SilenceGuard
from ibfloor.model.ids import StrategyId
from ibfloor.risk.gate import RiskGate
from ibfloor.risk.limits import Scope, ScopeKind

SMA, PAIR = StrategyId("sma"), StrategyId("pair")
LIMITS = limits_but(patches={Scope(ScopeKind.STRATEGY, "sma"): {"loop_lag_max_s": Decimal(2)}})


def test_silent_strategy_is_held_until_it_answers_and_others_without_a_limit_never() -> None:
    gate = RiskGate(LIMITS)
    meters = {SMA: LagMeter(), PAIR: LagMeter()}
    guard = SilenceGuard(SharedGate(gate, lambda _: None, FloorClock()), lambda: meters)
    for meter in meters.values():
        meter.beat_s = 100.0
    guard.look(102.0)
    assert gate.permissions.paused == {}
    guard.look(102.2)
    guard.look(160.0)
    assert gate.permissions.paused == {SMA: "it has not answered for 2.1 s"}
    meters[SMA].beat_s = 160.0
    guard.look(160.0)
    assert gate.permissions.paused == {}
    guard.look(170.0)
    del meters[SMA]
    guard.look(170.0)
    assert gate.permissions.paused == {}, "it has ended: nobody is left to be held"


async def blocked(meter: LagMeter) -> tuple[float, float, float]:
    loop = asyncio.get_running_loop()
    task = loop.create_task(meter.run())
    await asyncio.sleep(0)
    began_s = loop.time()
    while loop.time() - began_s < 0.35:  # a handler that does not give the loop back
        pass
    silent = meter.silent_s(loop.time())
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # the meter's own sleep is over: it beats again
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return silent, meter.silent_s(loop.time()), meter.silent_s(time.monotonic() + 60)


def test_loop_that_is_blocked_is_silent_and_one_that_ended_is_not() -> None:
    silent, after, ended = asyncio.run(blocked(LagMeter()))
    assert silent >= 0.2
    assert (after, ended) == (0.0, 0.0), "nobody measures it any more"
