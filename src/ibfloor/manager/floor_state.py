"""FloorState: all the floor knows, a fold over facts. Owner: the MessageQueue's thread."""

from __future__ import annotations

from collections import Counter, deque
from decimal import Decimal
from typing import assert_never

import msgspec

from ibfloor.execution.order_table import OrderTable
from ibfloor.manager.daily_results import DailyResults
from ibfloor.model.capital import CapitalAllocated, CapitalRuled
from ibfloor.model.entry import BookEntry, CashLeg
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
    FillsTold,
    InstrumentDefined,
    KillChecked,
    KillLatched,
    KillReset,
    OrderDoubted,
    OrderFilled,
    OrderForked,
    OrderHanded,
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
from ibfloor.model.kill import KillPlace, names_of
from ibfloor.model.lots import LotMethod
from ibfloor.model.marking import BooksMarked
from ibfloor.model.moment import NS_PER_S
from ibfloor.model.order import Order
from ibfloor.model.risk_fact import RiskNote
from ibfloor.portfolio.books import Books
from ibfloor.risk import kill
from ibfloor.risk.kill import KillState
from ibfloor.risk.memory import RiskMemory

REMEMBERED_NS = 14 * 24 * 3600 * NS_PER_S
"""How long the order table keeps orders that are done: twice as long as the broker itself can tell of them."""


Held = tuple[StrategyId, InstrumentId, Decimal]


class Applied(msgspec.Struct, frozen=True):
    """A fact after it was applied, with what it changed."""

    fact: AnyFact
    strategy: StrategyId | None
    """Whom it concerns; ``None`` for facts of the whole floor."""
    order: Order | None = None
    """The order as it is now, when the fact changed one."""
    held: tuple[Held, ...] = ()
    """What books hold now of what a book entry touched, or of what was split before it was traded."""


class StrategyRecord(msgspec.Struct):
    """What the floor counts per strategy."""

    changed: StrategyChanged | None = None
    client_id: int = -1
    orders: int = 0
    fills: int = 0
    rejected: int = 0
    executions: int = 0
    """How many executions the strategy's book has taken, corrections counted."""
    told: int = -1
    """Up to which of them the strategy has handled; -1 before it first ran."""
    untold: deque[tuple[int, OrderFilled]] = msgspec.field(default_factory=deque)
    """Those it has not: empty but for a moment while it runs."""


class FloorState:
    """Orders, books and everything else that facts change; a plain fold, rebuilt by replay."""

    def __init__(self, lots: LotMethod = LotMethod.FIFO) -> None:
        self.orders = OrderTable()
        self.books = Books(lots)
        self.instruments: dict[InstrumentId, Instrument] = {}
        self.breaks: dict[str, BreakFound] = {}
        self.sessions: dict[str, SessionChanged] = {}
        self.losses: Counter[str] = Counter()
        """How often each session was lost, not closed."""
        self.strategies: dict[StrategyId, StrategyRecord] = {}
        self.day: DayOpened | None = None
        self.kills: dict[KillPlace, KillState] = {}
        """The kill switches that are latched."""
        self.reconciled: Reconciled | None = None
        self.valued: Reconciled | None = None
        """The last reconciliation at which the account could be valued."""
        self.has_opening = False
        self.marked: BooksMarked | None = None
        self.capital: dict[StrategyId, CapitalAllocated] = {}
        self.capital_rules: dict[StrategyId, CapitalRuled] = {}
        self.daily = DailyResults()
        self.risk = RiskMemory()
        self.fills: dict[str, OrderFilled] = {}
        """The newest revision of every execution, by its root."""

    def is_news(self, fact: AnyFact) -> bool:
        """Tell whether the fact would change anything: the same fact comes by several sessions."""
        match fact:
            case InstrumentDefined():
                return self.instruments.get(fact.instrument.instrument_id) != fact.instrument
            case FillsTold():
                return fact.number > self.record(fact.strategy).told
            case BookEntry():
                return self.books.entries.get(fact.entry_id) is None
            case _:
                return self.orders.is_news(fact)

    def attributed(self, fact: AnyFact) -> AnyFact:
        """Return a fill as its owner's: the reference names who placed the order, and it may have been handed over."""
        if not isinstance(fact, OrderFilled) or fact.cl_ord_id is None:
            return fact
        known = self.fills.get(exec_root(fact.exec_id)[0])
        order = self.orders.get(fact.cl_ord_id)
        owner = known.strategy if known is not None else fact.strategy if order is None else order.request.strategy
        return fact if owner == fact.strategy else msgspec.structs.replace(fact, strategy=owner)

    def apply(self, fact: AnyFact) -> Applied:
        """Apply a fact that is news."""
        order = self.orders.apply(fact)
        if isinstance(fact, OrderForked):
            order = self.orders.get(fact.cl_ord_id)  # told every time: what is left of it is canceled again
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
                self._take_fill(fact, fact.strategy if order is None else order.request.strategy)
            case InstrumentDefined():
                self.instruments[fact.instrument.instrument_id] = fact.instrument
            case StrategyChanged():
                self.record(fact.strategy).changed = fact
            case ClientAssigned():
                self.record(fact.strategy).client_id = fact.client_id
            case FillsTold():
                self._take_told(fact)
            case CashMoved() | PositionMoved():
                self.has_opening = True
            case BreakFound():
                self.breaks[fact.key] = fact
            case BreakCleared():
                self.breaks.pop(fact.key, None)
            case Reconciled():
                self.reconciled = fact
                self.valued = fact if fact.equity is not None else self.valued
            case SessionChanged():
                self._session(fact)
            case DayOpened():
                self.day = fact
                self._close_day()
                self.orders.forget_done(fact.ts_init_ns - REMEMBERED_NS)
            case BooksMarked():
                self.marked = fact
            case CapitalAllocated():
                self.capital[fact.strategy] = fact
            case CapitalRuled():
                self.capital_rules[fact.strategy] = fact
            case KillLatched() | KillChecked() | KillReset():
                kill.all_after(self.kills, fact)
            case RiskNote():
                self.risk.apply(fact)
            case (
                OrderReported()
                | OrderWarned()
                | OrderDoubted()
                | OrderForked()
                | OrderHanded()
                | CancelRequested()
                | ReplaceRequested()
                | FeeReported()
                | BookEntry()
            ) | CommandTaken():
                pass  # the order table and the journal have what there is to know
            case _:
                assert_never(fact)
        return Applied(fact, self._strategy_of(fact, order), order, self._held(fact))

    def _close_day(self) -> None:
        books = [self.books.book(name) for name in self.books.strategies()]
        self.daily.close_day(books, self.marked, self.instruments, self.capital)

    def record(self, strategy: StrategyId) -> StrategyRecord:
        """Return the strategy's record, made at first sight."""
        if strategy not in self.strategies:
            self.strategies[strategy] = StrategyRecord()
        return self.strategies[strategy]

    def knows(self, place: KillPlace) -> bool:
        """Tell whether a kill switch stands for anything the floor has met."""
        return any(map(place.covers_strategy, (None, *self.strategies))) or any(
            place.covers_instrument(key, *names_of(each)) for key, each in self.instruments.items()
        )

    def next_client_id(self, first: int) -> int:
        """Return the first client id at or above ``first`` that no strategy has."""
        taken = [record.client_id for name, record in self.strategies.items() if name != UNASSIGNED]
        return max([first - 1, *taken]) + 1

    def _take_fill(self, fact: OrderFilled, owner: StrategyId) -> None:
        root, _ = exec_root(fact.exec_id)
        if root not in self.fills:
            self.record(fact.strategy).fills += 1
        self.fills[root] = fact
        record = self.record(owner)
        record.executions += 1
        if record.told >= 0:  # nobody waits for the fills of a book whose strategy never ran
            record.untold.append((record.executions, fact))

    def _take_told(self, fact: FillsTold) -> None:
        record = self.record(fact.strategy)
        record.told = fact.number
        while record.untold and record.untold[0][0] <= fact.number:
            record.untold.popleft()

    def _held(self, fact: AnyFact) -> tuple[Held, ...]:
        match fact:
            case BookEntry():
                keys = {(leg.strategy, leg.instrument_id) for leg in fact.legs if not isinstance(leg, CashLeg)}
            case OrderFilled() if self.books.entries.is_split(fact.instrument_id):
                keys = {(name, fact.instrument_id) for name in self.books.strategies()}
            case _:
                return ()
        return tuple((strategy, key, self.books.book(strategy).qty(key)) for strategy, key in sorted(keys))

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
