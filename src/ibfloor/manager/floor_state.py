"""FloorState: all the floor knows, a fold over facts. Owner: the MessageQueue's thread."""

from __future__ import annotations

from collections import Counter
from typing import assert_never

import msgspec

from ibfloor.execution.order_table import OrderTable
from ibfloor.model.fact import (
    AnyFact,
    BreakCleared,
    BreakFound,
    CancelRequested,
    CashMoved,
    ClientAssigned,
    CommandTaken,
    DayOpened,
    FeeReported,
    InstrumentDefined,
    KillLatched,
    KillReset,
    OrderDoubted,
    OrderFilled,
    OrderRefused,
    OrderRejected,
    OrderReported,
    OrderSubmitted,
    OrderWarned,
    PositionMoved,
    Reconciled,
    ReplaceRequested,
    SessionChanged,
    SessionState,
    StrategyChanged,
)
from ibfloor.model.ids import UNASSIGNED, InstrumentId, StrategyId, exec_root
from ibfloor.model.instrument import Instrument
from ibfloor.model.order import Order
from ibfloor.portfolio.books import Books


class Applied(msgspec.Struct, frozen=True):
    """A fact after it was applied, with what it changed."""

    fact: AnyFact
    strategy: StrategyId | None
    """Whom it concerns; ``None`` for facts of the whole floor."""
    order: Order | None = None
    """The order as it is now, when the fact changed one."""


class StrategyRecord(msgspec.Struct):
    """What the floor counts per strategy."""

    changed: StrategyChanged | None = None
    client_id: int = -1
    orders: int = 0
    fills: int = 0
    rejected: int = 0


class FloorState:
    """Orders, books and everything else that facts change; a plain fold, rebuilt by replay."""

    def __init__(self) -> None:
        self.orders = OrderTable()
        self.books = Books()
        self.instruments: dict[InstrumentId, Instrument] = {}
        self.breaks: dict[str, BreakFound] = {}
        self.sessions: dict[str, SessionChanged] = {}
        self.losses: Counter[str] = Counter()
        """How often each session was lost, not closed."""
        self.strategies: dict[StrategyId, StrategyRecord] = {}
        self.day: DayOpened | None = None
        self.kill: KillLatched | None = None
        self.reconciled: Reconciled | None = None
        self.has_opening = False
        self.fills: dict[str, OrderFilled] = {}
        """The newest revision of every execution, by its root."""

    def is_news(self, fact: AnyFact) -> bool:
        """Tell whether the fact would change anything: the same fact comes by several sessions."""
        match fact:
            case InstrumentDefined():
                return self.instruments.get(fact.instrument.instrument_id) != fact.instrument
            case _:
                return self.orders.is_news(fact)

    def apply(self, fact: AnyFact) -> Applied:
        """Apply a fact that is news."""
        order = self.orders.apply(fact)
        self.books.apply(fact)
        match fact:
            case OrderSubmitted():
                self.record(fact.request.strategy).orders += 1
            case OrderRefused():
                self.record(fact.request.strategy).rejected += 1
            case OrderRejected():
                if order is not None:
                    self.record(order.request.strategy).rejected += 1
            case OrderFilled():
                self._take_fill(fact)
            case InstrumentDefined():
                self.instruments[fact.instrument.instrument_id] = fact.instrument
            case StrategyChanged():
                self.record(fact.strategy).changed = fact
            case ClientAssigned():
                self.record(fact.strategy).client_id = fact.client_id
            case CashMoved() | PositionMoved():
                self.has_opening = True
            case BreakFound():
                self.breaks[fact.key] = fact
            case BreakCleared():
                self.breaks.pop(fact.key, None)
            case Reconciled():
                self.reconciled = fact
            case SessionChanged():
                self._session(fact)
            case DayOpened():
                self.day = fact
            case KillLatched():
                self.kill = fact
            case KillReset():
                self.kill = None
            case (
                OrderReported()
                | OrderWarned()
                | OrderDoubted()
                | CancelRequested()
                | ReplaceRequested()
                | FeeReported()
            ) | CommandTaken():
                pass  # the order table and the journal have what there is to know
            case _:
                assert_never(fact)
        return Applied(fact, self._strategy_of(fact, order), order)

    def record(self, strategy: StrategyId) -> StrategyRecord:
        """Return the strategy's record, made at first sight."""
        if strategy not in self.strategies:
            self.strategies[strategy] = StrategyRecord()
        return self.strategies[strategy]

    def next_client_id(self, first: int) -> int:
        """Return the first client id at or above ``first`` that no strategy has."""
        taken = [record.client_id for name, record in self.strategies.items() if name != UNASSIGNED]
        return max([first - 1, *taken]) + 1

    def _take_fill(self, fact: OrderFilled) -> None:
        root, _ = exec_root(fact.exec_id)
        if root not in self.fills:
            self.record(fact.strategy).fills += 1
        self.fills[root] = fact

    def _session(self, fact: SessionChanged) -> None:
        before = self.sessions.get(fact.session)
        if fact.state is SessionState.DISCONNECTED and (before is None or before.state is not fact.state):
            self.losses[fact.session] += 1
        self.sessions[fact.session] = fact

    def _strategy_of(self, fact: AnyFact, order: Order | None) -> StrategyId | None:
        if order is not None:
            return order.request.strategy
        match fact:
            case OrderRefused():
                return fact.request.strategy
            case FeeReported():
                return self.books.owner_of(fact.exec_id)
            case OrderFilled() | StrategyChanged() | CashMoved() | PositionMoved() | ClientAssigned():
                return fact.strategy
            case _:
                return None
