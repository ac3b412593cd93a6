"""Holds the entries of a strategy that stopped answering, until it answers again. Owner: the main loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from ibfloor.manager.lag import LagMeter
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.model.ids import StrategyId

PERIOD_S = 0.25
HOLD = "silence"

log = structlog.get_logger("silence")


class SilenceGuard:
    """A loop that is blocked sends nothing by itself, but what it had begun may be old when it wakes."""

    def __init__(self, gate: SharedGate, meters: Callable[[], Mapping[StrategyId, LagMeter]]) -> None:
        self._gate = gate
        self._meters = meters
        self._held: set[StrategyId] = set()

    async def watch(self) -> None:
        """Look at every strategy until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self.look(loop.time())
            await asyncio.sleep(PERIOD_S)

    def look(self, now_s: float) -> None:
        """Hold those that are silent for too long, and lift the hold of those that answer again."""
        silences = {name: meter.silent_s(now_s) for name, meter in self._meters().items()}
        for name in self._held - set(silences):
            self._lift(name)
        for name, silent_s in silences.items():
            most_s = self._gate.limits.in_force.of(name).loop_lag_max_s
            is_silent = most_s is not None and silent_s > most_s
            if is_silent and name not in self._held:
                self._held.add(name)
                log.error("a strategy does not answer: its orders are held", strategy=name, silent_s=round(silent_s, 1))
                self._gate.hold(HOLD, f"it has not answered for {silent_s:.1f} s", name)
            elif not is_silent and name in self._held:
                self._lift(name)

    def _lift(self, name: StrategyId) -> None:
        self._held.discard(name)
        log.warning("a strategy answers again", strategy=name)
        self._gate.lift(HOLD, name)
