"""What is watched for the limits while the floor runs, beside the orders themselves. Owner: the main loop."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import tzinfo

from ibfloor.data.manager import DataManager
from ibfloor.manager.figures_keeper import FiguresKeeper
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.manager.silence_guard import SilenceGuard
from ibfloor.manager.strategy_manager import StrategyManager
from ibfloor.model.moment import Clock


def risk_watches(
    data: DataManager, gate: SharedGate, strategies: StrategyManager, clock: Clock, tz: tzinfo
) -> tuple[Coroutine[None, None, None], ...]:
    """Return the work of those who watch usual days and silent strategies, each to run until cancelled."""
    figures = FiguresKeeper(data, gate.limits, clock, tz=tz)
    silence = SilenceGuard(gate, strategies.lag_meters)
    return figures.watch(), silence.watch()
