"""What to believe after an outage or a restart: the broker's lists against our orders, as facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import msgspec
from msgspec.structs import replace

from ibfloor.execution.order_table import ADOPTED, OrderTable
from ibfloor.execution.tracked import Tracked, Traded, adopted, executed, step
from ibfloor.model.account import BrokerSnapshot, ListedOrder
from ibfloor.model.combo import combo_id
from ibfloor.model.fact import (
    AnyFact,
    FeeReported,
    OrderFilled,
    OrderReported,
    OrderSubmitted,
    OrderWarned,
    ReplaceRequested,
)
from ibfloor.model.ids import ClientOrderId, exec_root, owner_of
from ibfloor.model.order import Order, OrderRequest, OrdStatus, OrdType
from ibfloor.model.terms import OrderTerms

NEVER_REACHED = "never reached the broker"
GONE = "gone at the broker"
FILLS_NEVER_TOLD = "ended at the broker; some of its executions were never told: expect a break"


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """The facts to apply, and what one more snapshot must prove."""

    facts: tuple[AnyFact, ...]
    doubts: frozenset[ClientOrderId] = frozenset()
    """Orders that this snapshot contradicts; the next one, asked anew, decides them."""


def settle(
    orders: OrderTable,
    snapshot: BrokerSnapshot,
    now_ns: int,
    doubts: frozenset[ClientOrderId] = frozenset(),
    *,
    asked_at: int,
) -> Settlement:
    """Compare the broker's lists with our orders; return what to believe.

    Pass the ``doubts`` of the settlement before: absence needs two consecutive snapshots to be
    proven. ``asked_at`` is ``orders.changes`` of when the asking began: orders that changed later are
    left alone. Settling twice yields nothing new.
    """
    work = _Settling(orders, snapshot, now_ns, doubts, asked_at)
    work.take_fills()
    work.take_fees()
    work.take_completed()
    work.take_open()
    work.warn_of_orphans()
    work.take_absent()
    return Settlement(facts=tuple(work.facts), doubts=frozenset(work.doubts))


def forks(
    orders: OrderTable, snapshot: BrokerSnapshot, before: Collection[ClientOrderId] = ()
) -> dict[ClientOrderId, tuple[int, ...]]:
    """Return the intents that work more than once, and filled ones that work on, with what works of each.

    Of those that were ``before``, whatever still works: half of a fork is no order anybody asked for.
    """
    working: dict[ClientOrderId, tuple[int, ...]] = {}
    for listed in snapshot.open_orders:
        if (cl_ord_id := _reference(orders, listed)) is not None:
            working[cl_ord_id] = (*working.get(cl_ord_id, ()), listed.perm_id)

    def is_fork(cl_ord_id: ClientOrderId, perm_ids: tuple[int, ...]) -> bool:
        order = orders.get(cl_ord_id)
        return order is not None and (len(perm_ids) > 1 or order.status is OrdStatus.FILLED or cl_ord_id in before)

    return {cl_ord_id: perm_ids for cl_ord_id, perm_ids in working.items() if is_fork(cl_ord_id, perm_ids)}


class _Settling:
    def __init__(
        self,
        orders: OrderTable,
        snapshot: BrokerSnapshot,
        now_ns: int,
        before: frozenset[ClientOrderId],
        asked_at: int,
    ) -> None:
        self.asked_at = asked_at
        self.orders = orders
        self.snapshot = snapshot
        self.now_ns = now_ns
        self.before = before
        self.facts: list[AnyFact] = []
        self.doubts: set[ClientOrderId] = set()
        self._orphans: dict[ClientOrderId, set[int]] = {}
        self._ahead: dict[ClientOrderId, Tracked] = {}
        self._open = Counter(self._reference(listed) for listed in snapshot.open_orders)

    def take_fills(self) -> None:
        newest: dict[str, OrderFilled] = {}
        for fill in self.snapshot.fills:
            root, revision = exec_root(fill.exec_id)
            if root not in newest or revision > exec_root(newest[root].exec_id)[1]:
                newest[root] = fill
        for fill in sorted(newest.values(), key=lambda fill: (fill.ts_event_ns, fill.exec_id)):
            if self.orders.is_news(fill):
                self._take_fill(self._attributed(fill))

    def take_fees(self) -> None:
        newest: dict[str, FeeReported] = {}
        for fee in self.snapshot.fees:
            root, revision = exec_root(fee.exec_id)
            if root not in newest or revision >= exec_root(newest[root].exec_id)[1]:
                newest[root] = fee
        self.facts += [replace(fee, ts_init_ns=self.now_ns) for fee in newest.values() if self.orders.is_news(fee)]

    def take_completed(self) -> None:
        for listed in self.snapshot.completed_orders:
            cl_ord_id = self._reference(listed)
            tracked = self._tracked(cl_ord_id)
            # A change may end one incarnation while another works on: the open one decides.
            if tracked is None or cl_ord_id in self._open or not listed.status.is_done or self._is_newer(tracked.order):
                continue
            self._step(tracked, self._report(tracked.order, listed.status, listed, listed.text))
            tracked = self._ahead.get(tracked.order.cl_ord_id, tracked)
            if not tracked.order.status.is_done:
                self._doubt(tracked, OrdStatus.CANCELED, FILLS_NEVER_TOLD)

    def take_open(self) -> None:
        for listed in self.snapshot.open_orders:
            cl_ord_id = self._reference(listed)
            if cl_ord_id is None:
                continue
            tracked = self._tracked(cl_ord_id)
            if tracked is None:
                tracked = self._adopt(listed, cl_ord_id)
            elif self._is_newer(tracked.order):
                continue
            elif tracked.order.status.is_done:
                self._open_though_done(tracked, listed, cl_ord_id)
                continue
            request = self._changed_there(tracked, listed)
            is_change_unknown = tracked.change is not None and tracked.order.status is OrdStatus.UNKNOWN
            if request is not None:
                if cl_ord_id not in self.before:  # a change of ours may have been on its way
                    self.doubts.add(cl_ord_id)
                    continue
                tracked = self._step(
                    tracked,
                    ReplaceRequested(ts_event_ns=self.snapshot.ts_event_ns, ts_init_ns=self.now_ns, request=request),
                )
            # It is in the list of what works: whatever else it is called, it works.
            is_ending = listed.status is OrdStatus.PENDING_CANCEL
            status = OrdStatus.PENDING_CANCEL if is_ending else OrdStatus.NEW
            tracked = self._step(tracked, self._report(tracked.order, status, listed, listed.text))
            if (request is not None or is_change_unknown) and not is_ending and self._open[cl_ord_id] == 1:
                self._as_listed(tracked, listed)

    def _as_listed(self, tracked: Tracked, listed: ListedOrder) -> None:
        # A change that was lost on the way from doubt: the order is what the list says, not what we wished.
        request = _request_as_listed(tracked.order.request, listed)
        if tracked.change is not None or request == tracked.order.request:
            return
        changed = ReplaceRequested(ts_event_ns=self.snapshot.ts_event_ns, ts_init_ns=self.now_ns, request=request)
        tracked = self._step(tracked, changed)
        self._step(tracked, self._report(tracked.order, OrdStatus.NEW, listed, listed.text))

    def take_absent(self) -> None:
        ended = {self._reference(order) for order in self.snapshot.completed_orders if order.status.is_done}
        listed = ended | set(self._open)
        for order in self.orders.working():
            tracked = self._ahead.get(order.cl_ord_id) or self._tracked(order.cl_ord_id)
            if order.cl_ord_id in listed or tracked is None or tracked.order.status.is_done or self._is_newer(order):
                continue
            was_seen = bool(tracked.order.perm_ids or tracked.order.cum_qty)
            status = OrdStatus.CANCELED if was_seen else OrdStatus.REJECTED
            self._doubt(tracked, status, GONE if was_seen else NEVER_REACHED)

    def _take_fill(self, fill: OrderFilled) -> None:
        self.facts.append(replace(fill, ts_init_ns=self.now_ns))
        known = self.orders.execution(fill.exec_id)
        # As in the order table: a correction stays with the order its execution belongs to.
        tracked = self._tracked(known.cl_ord_id if known is not None and known.cl_ord_id else fill.cl_ord_id)
        if tracked is None:
            return
        qty, notional = fill.last_qty, fill.last_qty * fill.last_px
        if known is not None and known.cl_ord_id is not None:
            qty, notional = qty - known.qty, notional - known.qty * known.px
        self._ahead[tracked.order.cl_ord_id] = executed(tracked, Traded(fill.instrument_id, qty, notional), fill)

    def _attributed(self, fill: OrderFilled) -> OrderFilled:
        if fill.cl_ord_id is not None:
            return fill
        order = self.orders.by_perm_id(fill.perm_id) if fill.perm_id > 0 else None
        if order is None:
            return fill
        return replace(fill, cl_ord_id=order.cl_ord_id, strategy=order.request.strategy)

    def _reference(self, listed: ListedOrder) -> ClientOrderId | None:
        return _reference(self.orders, listed)

    def _tracked(self, cl_ord_id: ClientOrderId | None) -> Tracked | None:
        if cl_ord_id is None:
            return None
        return self._ahead.get(cl_ord_id) or self.orders.tracked(cl_ord_id)

    def _is_newer(self, order: Order) -> bool:
        # By the count of changes, not by the time: a clock may be set back, or a gateway begin anew.
        return self.orders.changed_at(order.cl_ord_id) > self.asked_at

    def _step(self, tracked: Tracked, fact: OrderReported | OrderWarned | ReplaceRequested) -> Tracked:
        after = step(tracked, fact)
        if after is not tracked:
            self.facts.append(fact)
            self._ahead[tracked.order.cl_ord_id] = after
        return after

    def _changed_there(self, tracked: Tracked, listed: ListedOrder) -> OrderRequest | None:
        # The list shows whether a change arrived, ours or one made by hand; of a fork neither one is the truth.
        wanted = tracked.change or tracked.order.request
        request = _request_as_listed(wanted, listed)
        is_fork = self._open[tracked.order.cl_ord_id] > 1
        return None if request == wanted or is_fork else request

    def _doubt(self, tracked: Tracked, status: OrdStatus, text: str) -> None:
        cl_ord_id = tracked.order.cl_ord_id
        if cl_ord_id in self.before:
            self._step(tracked, self._report(tracked.order, status, None, text))
        else:
            self.doubts.add(cl_ord_id)

    def _adopt(self, listed: ListedOrder, cl_ord_id: ClientOrderId) -> Tracked:
        fact = self._submitted(listed, cl_ord_id, f"{ADOPTED}: the broker works on it, the ledger did not know it")
        self.facts.append(fact)
        order = Order(
            request=fact.request, status=OrdStatus.PENDING_NEW, client_id=fact.client_id, order_id=fact.order_id
        )
        return Tracked(order)

    def _open_though_done(self, tracked: Tracked, listed: ListedOrder, cl_ord_id: ClientOrderId) -> None:
        # One snapshot may be older than the end of the order; two are proof.
        if cl_ord_id not in self.before:
            self.doubts.add(cl_ord_id)
            return
        if tracked.order.status is OrdStatus.FILLED:
            self._step(tracked, self._report(tracked.order, OrdStatus.NEW, listed, ""))
            self._orphans.setdefault(cl_ord_id, set()).add(listed.perm_id)
            return
        fact = self._submitted(listed, cl_ord_id, f"{ADOPTED}: done in our books, working at the broker")
        self.facts.append(fact)
        self._ahead[cl_ord_id] = adopted(tracked, fact, fact.request.note)
        self._step(self._ahead[cl_ord_id], self._report(tracked.order, OrdStatus.NEW, listed, listed.text))

    def warn_of_orphans(self) -> None:
        # One warning for all of an intent's, or two would take turns at being the newest for ever.
        for cl_ord_id, perm_ids in self._orphans.items():
            tracked = self._tracked(cl_ord_id)
            assert tracked is not None
            listed = ", ".join(str(perm_id) for perm_id in sorted(perm_ids))
            warning = OrderWarned(
                ts_event_ns=self.snapshot.ts_event_ns,
                ts_init_ns=self.now_ns,
                cl_ord_id=cl_ord_id,
                code=0,
                text=f"filled, yet an order of the same intent works at the broker ({listed})",
            )
            self._step(tracked, warning)

    def _report(self, order: Order, status: OrdStatus, listed: ListedOrder | None, text: str) -> OrderReported:
        return OrderReported(
            ts_event_ns=self.snapshot.ts_event_ns,
            ts_init_ns=self.now_ns,
            cl_ord_id=order.cl_ord_id,
            status=status,
            perm_id=listed.perm_id if listed else 0,
            cum_qty=listed.cum_qty if listed else order.cum_qty,
            text=text,
        )

    def _submitted(self, listed: ListedOrder, cl_ord_id: ClientOrderId, note: str) -> OrderSubmitted:
        strategy = owner_of(cl_ord_id)
        assert strategy is not None
        request = OrderRequest(
            cl_ord_id=cl_ord_id,
            strategy=strategy,
            instrument_id=listed.instrument_id if listed.combo is None else combo_id(listed.combo),
            side=listed.side,
            order_qty=listed.order_qty,
            ord_type=_nearest_type(listed),
            limit_px=listed.limit_px,
            stop_px=listed.stop_px,
            note=note,
            terms=None if listed.combo is None else OrderTerms(combo=listed.combo),
        )
        return OrderSubmitted(
            ts_event_ns=self.snapshot.ts_event_ns,
            ts_init_ns=self.now_ns,
            request=request,
            client_id=listed.client_id,
            order_id=listed.order_id,
        )


def _reference(orders: OrderTable, listed: ListedOrder) -> ClientOrderId | None:
    # Order ids are used again after a gateway's restart: only our reference and the permanent id count.
    if owner_of(listed.order_ref) is not None:
        return ClientOrderId(listed.order_ref)
    order = orders.by_perm_id(listed.perm_id) if listed.perm_id > 0 else None
    return order.cl_ord_id if order else None


def _request_as_listed(request: OrderRequest, listed: ListedOrder) -> OrderRequest:
    return replace(
        request,
        order_qty=listed.order_qty,
        limit_px=request.limit_px if listed.limit_px is None else listed.limit_px,
        stop_px=request.stop_px if listed.stop_px is None else listed.stop_px,
    )


def _nearest_type(listed: ListedOrder) -> OrdType:
    if isinstance(listed.ord_type, OrdType):
        return listed.ord_type
    if listed.stop_px is not None:
        return OrdType.STOP
    return OrdType.LIMIT if listed.limit_px is not None else OrdType.MARKET
