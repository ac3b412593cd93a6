"""What a worker is given: the parts of the floor that are safe to use from its thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ibfloor.broker.port import OrderSession
from ibfloor.data.manager import DataManager
from ibfloor.ledger.journal import JournalWriter
from ibfloor.manager.locked_gate import LockedGate
from ibfloor.manager.marks import Marks
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.model.ids import StrategyId
from ibfloor.model.moment import Clock


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """The shared parts; each says in its own docstring which calls are safe from any thread."""

    clock: Clock
    queue: MessageQueue
    gate: LockedGate
    data: DataManager
    marks: Marks
    order_session: Callable[[StrategyId, int], OrderSession]
    journal: Callable[[StrategyId], JournalWriter]


@dataclass(frozen=True, kw_only=True, slots=True)
class StrategySpec:
    """Which strategy to run, and how: a row of floor.toml or an ``AddStrategy`` command."""

    name: StrategyId
    file: Path
    class_name: str
    params: dict[str, Any]
    autostart: bool
    stop_policy: str
    """``keep``, ``cancel`` or ``flatten``."""
