"""TradeManager: a strategy's one door to the market. Gate, then journal, then wire, in this order."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

import msgspec

from ibfloor.crash_points import reach
from ibfloor.execution.ticket import OrderTicket
from ibfloor.model.errors import ConnectivityError, LedgerError
from ibfloor.model.fact import (
    AnyFact,
    CancelRequested,
    OrderRefused,
    OrderRejected,
    OrderSubmitted,
    ReplaceRequested,
)
from ibfloor.model.ids import ClientOrderId, StrategyId
from ibfloor.model.ids import cl_ord_id as client_order_id
from ibfloor.model.instrument import Instrument
from ibfloor.model.moment import Clock
from ibfloor.model.order import (
    Accepted,
    Order,
    OrderRequest,
    OrdStatus,
    Refusal,
    Refused,
)


class Gate(Protocol):
    """The risk gate as a strategy's thread sees it; safe from any thread."""

    def check_and_reserve(self, request: OrderRequest, instrument: Instrument) -> Refusal | None:
        """Reserve the order's worst case, or say why not."""

    def check_replace(self, request: OrderRequest, instrument: Instrument) -> Refusal | None:
        """Reserve a working order's new worst case, or say why not."""

    def recheck(self, request: OrderRequest) -> Refusal | None:
        """Say why a reserved order must not go out after all: the gate was shut meanwhile."""

    def release(self, cl_ord_id: ClientOrderId) -> None:
        """Give back a reservation whose order was not sent."""

    def release_replace(self, cl_ord_id: ClientOrderId) -> None:
        """Give back what a change that was not sent would have needed."""


class IntentJournal(Protocol):
    """The worker's write-ahead journal."""

    def append(self, fact: AnyFact) -> None:
        """Put a fact on disk; raises ``LedgerError`` when it is not there."""


class OrderDoor(Protocol):
    """A strategy's way to the broker, as its TradeManager needs it; all calls on the strategy's thread.

    ``submit``, ``replace`` and ``cancel`` raise ``ConnectivityError`` when nothing was written.
    """

    @property
    def can_send(self) -> bool:
        """Tell whether an order would go out now."""

    def next_order_id(self) -> int:
        """Return an id never used before."""

    def track(self, order_id: int, cl_ord_id: ClientOrderId) -> None:
        """Remember which intent an order id carries."""

    def submit(self, request: OrderRequest, instrument: Instrument, order_id: int) -> None:
        """Write a new order to the wire."""

    def replace(self, request: OrderRequest, instrument: Instrument, order_id: int) -> None:
        """Write a change to the wire."""

    def cancel(self, order_id: int) -> None:
        """Write a cancel to the wire; kept and written later when there is none."""


_NOT_CONNECTED = Refusal(rule="connection", text="the order session is not connected; nothing was sent")


class TradeManager:
    """One strategy's orders: sends them, knows them. Owner: the strategy's thread."""

    def __init__(
        self,
        strategy: StrategyId,
        *,
        client_id: int,
        last_intent: int,
        gate: Gate,
        journal: IntentJournal,
        door: OrderDoor,
        sink: Callable[[AnyFact], None],
        clock: Clock,
    ) -> None:
        self._strategy = strategy
        self._client_id = client_id
        self._last_intent = last_intent
        self._gate = gate
        self._journal = journal
        self._door = door
        self._sink = sink
        self._clock = clock
        self._working: dict[ClientOrderId, Order] = {}

    @property
    def working(self) -> tuple[Order, ...]:
        """Return the orders that can still trade, oldest first."""
        return tuple(self._working.values())

    def get(self, cl_ord_id: ClientOrderId) -> Order | None:
        """Return a working order."""
        return self._working.get(cl_ord_id)

    def submit(self, ticket: OrderTicket) -> Accepted | Refused:
        """Send a new order if the gate lets it pass: journaled first, then written to the wire."""
        request = self._identify(ticket)
        refusal = None if self._door.can_send else _NOT_CONNECTED
        refusal = refusal or self._gate.check_and_reserve(request, ticket.instrument)
        if refusal is not None:
            return self._refuse(request, refusal)
        reach("order.reserved")
        now_ns = self._clock.now_ns()
        order_id = self._door.next_order_id()
        submitted = OrderSubmitted(
            ts_event_ns=now_ns, ts_init_ns=now_ns, request=request, client_id=self._client_id, order_id=order_id
        )
        try:
            self._journal.append(submitted)
        except LedgerError as error:
            self._gate.release(request.cl_ord_id)
            return self._refuse(request, Refusal(rule="ledger", text=f"the intent could not be journaled: {error}"))
        refusal = self._gate.recheck(request)  # a slow disk may have let a kill pass by
        if refusal is not None:
            self._sink(submitted)
            return self._not_sent(request, str(refusal))
        self._working[request.cl_ord_id] = Order(
            request=request,
            status=OrdStatus.PENDING_NEW,
            client_id=self._client_id,
            order_id=order_id,
            ts_submitted_ns=now_ns,
            ts_updated_ns=now_ns,
        )
        # The queue must know the order before an answer to it can arrive on the account's session.
        self._sink(submitted)
        reach("order.queued")
        self._door.track(order_id, request.cl_ord_id)
        try:
            self._door.submit(request, ticket.instrument, order_id)
        except ConnectivityError as error:
            return self._not_sent(request, str(error))
        return Accepted(request.cl_ord_id)

    def replace(
        self,
        cl_ord_id: ClientOrderId,
        instrument: Instrument,
        *,
        order_qty: Decimal | None = None,
        limit_px: Decimal | None = None,
        stop_px: Decimal | None = None,
    ) -> Refusal | None:
        """Change a working order's quantity or prices; ``None`` when the change is on its way."""
        order = self._working.get(cl_ord_id)
        if order is None:
            return _unknown_order(cl_ord_id)
        if order.status is OrdStatus.UNKNOWN:
            return Refusal(rule="order", text=f"{cl_ord_id} is in doubt: it can be changed once the broker was asked")
        old = order.request
        request = msgspec.structs.replace(
            old,
            order_qty=old.order_qty if order_qty is None else order_qty,
            limit_px=old.limit_px if limit_px is None else limit_px,
            stop_px=old.stop_px if stop_px is None else stop_px,
        )
        refusal = None if self._door.can_send else _NOT_CONNECTED
        refusal = refusal or self._gate.check_replace(request, instrument)
        if refusal is not None:
            return refusal
        now_ns = self._clock.now_ns()
        refusal = self._write_ahead(
            ReplaceRequested(ts_event_ns=now_ns, ts_init_ns=now_ns, request=request),
            lambda: self._door.replace(request, instrument, order.order_id),
            recheck=request,
        )
        if refusal is not None:
            self._gate.release_replace(cl_ord_id)
            return refusal
        self._working[cl_ord_id] = msgspec.structs.replace(order, status=OrdStatus.PENDING_REPLACE)
        return None

    def cancel(self, cl_ord_id: ClientOrderId, reason: str = "") -> Refusal | None:
        """Cancel a working order; ``None`` when the cancel is on its way."""
        order = self._working.get(cl_ord_id)
        if order is None:
            return _unknown_order(cl_ord_id)
        now_ns = self._clock.now_ns()
        refusal = self._write_ahead(
            CancelRequested(ts_event_ns=now_ns, ts_init_ns=now_ns, cl_ord_id=cl_ord_id, reason=reason),
            lambda: self._door.cancel(order.order_id),
        )
        if refusal is None:
            # At once, so that a strategy that looks again in the same burst does not ask twice.
            self._working[cl_ord_id] = msgspec.structs.replace(order, status=OrdStatus.PENDING_CANCEL)
        return refusal

    def cancel_all(self, reason: str = "") -> tuple[ClientOrderId, ...]:
        """Cancel every working order; return those whose cancel could not be sent."""
        return tuple(each for each in tuple(self._working) if self.cancel(each, reason) is not None)

    def adopt(self, order: Order) -> None:
        """Take an order of an earlier life of this strategy as its own."""
        self._door.track(order.order_id, order.cl_ord_id)
        self.update(order)

    def update(self, order: Order) -> None:
        """Take the newest knowledge of an order from the MessageQueue."""
        if order.status.is_done:
            self._working.pop(order.cl_ord_id, None)
        else:
            self._working[order.cl_ord_id] = order

    def _identify(self, ticket: OrderTicket) -> OrderRequest:
        self._last_intent += 1
        return ticket.named(client_order_id(self._strategy, self._last_intent), self._strategy, ticket.terms)

    def _refuse(self, request: OrderRequest, refusal: Refusal) -> Refused:
        now_ns = self._clock.now_ns()
        self._sink(OrderRefused(ts_event_ns=now_ns, ts_init_ns=now_ns, request=request, reason=refusal))
        return Refused(request.cl_ord_id, refusal)

    def _not_sent(self, request: OrderRequest, why: str) -> Refused:
        # Nothing reached the socket, and the journal says so too: a certain end, not a doubt.
        self._working.pop(request.cl_ord_id, None)
        self._gate.release(request.cl_ord_id)
        now_ns = self._clock.now_ns()
        text = f"not sent: {why}"
        self._sink(OrderRejected(ts_event_ns=now_ns, ts_init_ns=now_ns, cl_ord_id=request.cl_ord_id, code=0, text=text))
        return Refused(request.cl_ord_id, Refusal(rule="connection", text=text))

    def _write_ahead(
        self, fact: AnyFact, send: Callable[[], None], recheck: OrderRequest | None = None
    ) -> Refusal | None:
        try:
            self._journal.append(fact)
        except LedgerError as error:
            return Refusal(rule="ledger", text=f"the request could not be journaled: {error}")
        if recheck is not None and (refusal := self._gate.recheck(recheck)) is not None:
            return refusal  # nobody was told of the change, so nothing has to be taken back
        self._sink(fact)
        try:
            send()
        except ConnectivityError as error:
            return Refusal(rule="connection", text=f"not sent: {error}")
        return None


def _unknown_order(cl_ord_id: ClientOrderId) -> Refusal:
    return Refusal(rule="order", text=f"{cl_ord_id} is not a working order of this strategy")
