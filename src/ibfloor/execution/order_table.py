"""The order table: every intent, with all that is known of it; a fold over facts."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from ibfloor.execution.tracked import Tracked, Traded, adopted, executed, step
from ibfloor.model.fact import (
    CancelRequested,
    Fact,
    FeeReported,
    OrderDoubted,
    OrderFilled,
    OrderHanded,
    OrderRefused,
    OrderRejected,
    OrderReported,
    OrderSubmitted,
    ReplaceRequested,
)
from ibfloor.model.ids import ClientOrderId, ExecId, InstrumentId, StrategyId, exec_root, intent_number
from ibfloor.model.money import Money
from ibfloor.model.order import Order, OrdStatus

ADOPTED = "adopted"
"""How the note of a request starts that was read back from the broker's list, not from our ledger."""

_ZERO = Decimal(0)


class Execution(msgspec.Struct, frozen=True, gc=False):
    """The newest revision of one execution."""

    revision: int
    cl_ord_id: ClientOrderId | None
    qty: Decimal
    px: Decimal
    instrument_id: InstrumentId


class OrderTable:
    """All orders of the floor. One owner, no threads: the owner applies facts and asks."""

    def __init__(self) -> None:
        self._tracked: dict[ClientOrderId, Tracked] = {}
        self._working: dict[ClientOrderId, None] = {}
        self._by_perm_id: dict[int, ClientOrderId] = {}
        self._high_water: dict[int, int] = {}
        self._last_intent: dict[StrategyId, int] = {}
        self._executions: dict[str, Execution] = {}
        self._unclaimed: dict[ClientOrderId, dict[str, None]] = {}
        self._fees: dict[str, tuple[int, Money]] = {}
        """Revision and amount, by the execution's root."""
        self._changes = 0
        self._changed_at: dict[ClientOrderId, int] = {}

    def __len__(self) -> int:
        return len(self._tracked)

    def apply(self, fact: Fact) -> Order | None:
        """Take a fact; return the order it changed, ``None`` when it changed none."""
        match fact:
            case OrderFilled():
                return self._apply_execution(fact)
            case OrderSubmitted():
                return self._apply_submitted(fact)
            case OrderRefused():
                self._count_intent(fact.request.cl_ord_id, fact.request.strategy)
                return None
            case FeeReported():
                root, revision = exec_root(fact.exec_id)
                self._fees[root] = revision, fact.fee
                return None
            case _:
                return self._apply_step(fact)

    def is_news(self, fact: Fact) -> bool:
        """Tell whether a fact adds anything: duplicates and reports that change nothing do not."""
        match fact:
            case OrderFilled():
                return self._is_new_execution(fact.exec_id)
            case FeeReported():
                return self._is_new_fee(fact)
            case OrderSubmitted():
                tracked = self._tracked.get(fact.request.cl_ord_id)
                return tracked is None or _adopts(fact, tracked)
            case (
                OrderReported()
                | OrderDoubted()
                | OrderRejected()
                | OrderHanded()
                | CancelRequested()
                | ReplaceRequested()
            ):
                tracked = self._tracked.get(_subject(fact))
                return tracked is None or step(tracked, fact) is not tracked
            case _:
                return True

    def get(self, cl_ord_id: ClientOrderId) -> Order | None:
        """Return what is known of an intent."""
        tracked = self._tracked.get(cl_ord_id)
        return tracked.order if tracked else None

    def tracked(self, cl_ord_id: ClientOrderId) -> Tracked | None:
        """Return an order with what is remembered beside it (for recovery)."""
        return self._tracked.get(cl_ord_id)

    def by_perm_id(self, perm_id: int) -> Order | None:
        """Return the intent that carries one of the broker's permanent ids."""
        cl_ord_id = self._by_perm_id.get(perm_id)
        return self.get(cl_ord_id) if cl_ord_id else None

    def __iter__(self) -> Iterator[Order]:
        """Go over all orders, oldest first."""
        return (tracked.order for tracked in self._tracked.values())

    def working(self) -> list[Order]:
        """Return the orders that are not done, oldest first."""
        return [self._tracked[cl_ord_id].order for cl_ord_id in self._working]

    def unknown(self) -> list[Order]:
        """Return the orders whose fate must be asked of the broker."""
        return [order for order in self.working() if order.status is OrdStatus.UNKNOWN]

    @property
    def changes(self) -> int:
        """Return how many changes of orders there were: a clock of our own, which nobody can set back."""
        return self._changes

    def changed_at(self, cl_ord_id: ClientOrderId) -> int:
        """Return what ``changes`` was when an order changed last; 0 for one not known."""
        return self._changed_at.get(cl_ord_id, 0)

    def high_water(self, client_id: int) -> int:
        """Return the highest order id ever used on a client id; 0 when none was."""
        return self._high_water.get(client_id, 0)

    def last_intent(self, strategy: StrategyId) -> int:
        """Return the number of a strategy's last intent, sent or refused; 0 when there is none."""
        return self._last_intent.get(strategy, 0)

    def execution(self, exec_id: ExecId) -> Execution | None:
        """Return the newest revision known of an execution."""
        return self._executions.get(exec_root(exec_id)[0])

    def forget_done(self, before_ns: int) -> int:
        """Drop orders done since before a time, with their executions; return how many.

        Only for times further back than the broker's own memory (days), else a repeated
        execution would look new. Ids and intent numbers are never forgotten.
        """
        gone = {
            cl_ord_id
            for cl_ord_id, tracked in self._tracked.items()
            if tracked.order.status.is_done and tracked.order.ts_updated_ns < before_ns
        }
        for cl_ord_id in gone:
            del self._tracked[cl_ord_id]
            del self._changed_at[cl_ord_id]
        self._by_perm_id = {key: value for key, value in self._by_perm_id.items() if value not in gone}
        self._executions = {root: value for root, value in self._executions.items() if value.cl_ord_id not in gone}
        self._fees = {root: fee for root, fee in self._fees.items() if root in self._executions}
        return len(gone)

    def _apply_submitted(self, fact: OrderSubmitted) -> Order | None:
        request = fact.request
        self._count_intent(request.cl_ord_id, request.strategy)
        if fact.order_id > self._high_water.get(fact.client_id, 0):
            self._high_water[fact.client_id] = fact.order_id
        known = self._tracked.get(request.cl_ord_id)
        if known is not None:
            return self._keep(known, adopted(known, fact, request.note)) if _adopts(fact, known) else None
        order = Order(
            request=request,
            status=OrdStatus.PENDING_NEW,
            client_id=fact.client_id,
            order_id=fact.order_id,
            ts_submitted_ns=fact.ts_event_ns,
            ts_updated_ns=fact.ts_init_ns,
        )
        tracked = Tracked(order)
        # Executions that came before their order was known (a lost ledger) are its own.
        for root in self._unclaimed.pop(request.cl_ord_id, ()):
            execution = self._executions[root]
            traded = Traded(execution.instrument_id, execution.qty, execution.qty * execution.px)
            tracked = executed(tracked, traded, fact)
        return self._keep(None, tracked)

    def _apply_step(self, fact: Fact) -> Order | None:
        cl_ord_id = _subject(fact)
        tracked = self._tracked.get(cl_ord_id) if cl_ord_id else None
        return self._keep(tracked, step(tracked, fact)) if tracked else None

    def _apply_execution(self, fact: OrderFilled) -> Order | None:
        root, revision = exec_root(fact.exec_id)
        before = self._executions.get(root)
        if before is not None and revision <= before.revision:
            return None
        owner = before.cl_ord_id if before is not None and before.cl_ord_id else fact.cl_ord_id
        self._executions[root] = Execution(revision, owner, fact.last_qty, fact.last_px, fact.instrument_id)
        if owner is None:
            return None
        tracked = self._tracked.get(owner)
        if tracked is None:
            self._unclaimed.setdefault(owner, {})[root] = None
            return None
        qty, notional = fact.last_qty, fact.last_qty * fact.last_px
        if before is not None and before.cl_ord_id is not None:
            qty, notional = qty - before.qty, notional - before.qty * before.px
        if fact.perm_id > 0 and fact.perm_id not in tracked.order.perm_ids:
            self._by_perm_id[fact.perm_id] = owner
            tracked = _with_perm_id(tracked, fact.perm_id)
        return self._keep(None, executed(tracked, Traded(fact.instrument_id, qty, notional), fact))

    def _keep(self, before: Tracked | None, after: Tracked) -> Order | None:
        if after is before:
            return None
        order = after.order
        cl_ord_id = order.request.cl_ord_id
        self._tracked[cl_ord_id] = after
        self._changes += 1
        self._changed_at[cl_ord_id] = self._changes
        if order.status.is_done:
            self._working.pop(cl_ord_id, None)
        else:
            self._working[cl_ord_id] = None
        if order.perm_ids and (before is None or before.order.perm_ids is not order.perm_ids):
            for perm_id in order.perm_ids:
                self._by_perm_id[perm_id] = cl_ord_id
        return order

    def _is_new_execution(self, exec_id: ExecId) -> bool:
        root, revision = exec_root(exec_id)
        known = self._executions.get(root)
        return known is None or revision > known.revision

    def _is_new_fee(self, fact: FeeReported) -> bool:
        root, revision = exec_root(fact.exec_id)
        known = self._fees.get(root)
        if known is None:
            return True
        known_revision, fee = known
        return revision > known_revision or (revision == known_revision and fact.fee != fee)

    def _count_intent(self, cl_ord_id: ClientOrderId, strategy: StrategyId) -> None:
        number = intent_number(cl_ord_id)
        if number > self._last_intent.get(strategy, 0):
            self._last_intent[strategy] = number


def _subject(fact: Fact) -> ClientOrderId:
    if isinstance(fact, ReplaceRequested):
        return fact.request.cl_ord_id
    cl_ord_id: ClientOrderId = getattr(fact, "cl_ord_id", ClientOrderId(""))
    return cl_ord_id


def _adopts(fact: OrderSubmitted, tracked: Tracked) -> bool:
    return tracked.order.status.is_done and fact.request.note.startswith(ADOPTED)


def _with_perm_id(tracked: Tracked, perm_id: int) -> Tracked:
    order = msgspec.structs.replace(tracked.order, perm_ids=(*tracked.order.perm_ids, perm_id))
    return Tracked(order, tracked.notional, tracked.change, tracked.due, tracked.legs)
