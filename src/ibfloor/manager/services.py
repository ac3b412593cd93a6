"""What a worker is given: the parts of the floor that are safe to use from its thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ibfloor.broker.port import OrderSession
from ibfloor.config import StopSection
from ibfloor.data.manager import DataManager
from ibfloor.ledger.journal import JournalWriter
from ibfloor.manager.account_thread import AccountThread
from ibfloor.manager.capital_board import CapitalBoard
from ibfloor.manager.crossing import Crossing
from ibfloor.manager.ground import Ground
from ibfloor.manager.marks import Marks
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.model.ids import StrategyId
from ibfloor.model.moment import Clock


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """The shared parts; each says in its own docstring which calls are safe from any thread."""

    clock: Clock
    queue: MessageQueue
    gate: SharedGate
    data: DataManager
    marks: Marks
    order_session: Callable[[StrategyId, int], OrderSession]
    account: AccountThread
    journal: Callable[[StrategyId], JournalWriter]
    crossing: Crossing
    ground: Ground = field(default_factory=Ground)
    capital: CapitalBoard = field(default_factory=CapitalBoard)
    stop: StopSection = field(default_factory=StopSection)
