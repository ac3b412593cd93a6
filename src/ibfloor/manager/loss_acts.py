"""What follows from losses, on the main loop: a strategy is stopped, an account is killed."""

from __future__ import annotations

import asyncio

from ibfloor.manager.guarded import Guarded
from ibfloor.manager.kill_switch import KillSwitch
from ibfloor.manager.loss_guard import ACTOR
from ibfloor.manager.shared_gate import KILL, SharedGate
from ibfloor.manager.strategy_manager import StrategyManager
from ibfloor.model.ids import StrategyId
from ibfloor.model.kill import ACCOUNT


class LossActs:
    """Called on the queue's thread; the work is done on the main loop, where this is built."""

    def __init__(self, tasks: Guarded, strategies: StrategyManager, kill_switch: KillSwitch, gate: SharedGate) -> None:
        self._loop = asyncio.get_running_loop()
        self._tasks = tasks
        self._strategies = strategies
        self._kill_switch = kill_switch
        self._gate = gate

    def stop(self, name: StrategyId) -> None:
        """Stop a strategy by its stop policy."""
        self._loop.call_soon_threadsafe(lambda: self._tasks.create_task(self._strategies.stop(name)))

    def kill(self, text: str) -> None:
        """Halt the account: the gate is shut at once, the rest follows."""
        self._gate.hold(KILL, f"kill switch: {text}")
        self._loop.call_soon_threadsafe(lambda: self._tasks.create_task(self._kill_switch.kill(ACCOUNT, ACTOR, text)))
