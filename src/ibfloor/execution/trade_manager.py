"""TradeManager: a strategy's one door to the market. Gate, then journal, then wire, in this order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import msgspec

from ibfloor.crash_points import reach
from ibfloor.execution.bracket_guard import BracketGuard, Later, Look, no_differences
from ibfloor.execution.doors import Gate, IntentJournal, OrderDoor
from ibfloor.execution.ticket import BracketTicket, OrderTicket
from ibfloor.model.arrival import Arrival
from ibfloor.model.errors import BrokerRejected, ConnectivityError, LedgerError
from ibfloor.model.fact import (
    AnyFact,
    CancelRequested,
    OrderRefused,
    OrderRejected,
    OrderSubmitted,
    OrderWarned,
    ReplaceRequested,
)
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.ids import cl_ord_id as client_order_id
from ibfloor.model.instrument import Instrument
from ibfloor.model.margin import MarginImpact
from ibfloor.model.moment import Clock
from ibfloor.model.money import Currency
from ibfloor.model.order import (
    Accepted,
    Order,
    OrderRequest,
    OrdStatus,
    Refusal,
    Refused,
)
from ibfloor.model.terms import PLAIN, Oca, OcaKind, OrderTerms

Answer = Accepted | Refused

_UNCHANGEABLE = {
    OrdStatus.PENDING_NEW: "is not acknowledged yet: change it once on_order says NEW",
    OrdStatus.PENDING_CANCEL: "is being canceled: there is nothing left to change",
    OrdStatus.UNKNOWN: "is in doubt: it can be changed once the broker was asked",
}
_PREVIEW = ClientOrderId("preview")
"""What a preview carries as its reference: it names no intent, so nobody can take it for one."""
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
        instruments: Callable[[InstrumentId], Instrument | None] = lambda _: None,
        arrival: Callable[[InstrumentId], Arrival | None] = lambda _: None,
        later: Later = lambda act: act(),
        look: Look = no_differences,
        alarm: Callable[[str], None] = lambda text: None,
        page: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._strategy = strategy
        self._client_id = client_id
        self._last_intent = last_intent
        self._gate = gate
        self._journal = journal
        self._door = door
        self._sink = sink
        self._clock = clock
        self._alarm = alarm
        self._page = page
        self._arrival = arrival
        self.lent: Mapping[int, OrderDoor] = {}
        """The doors of other clients, by client id: for orders that were handed over."""
        self._working: dict[ClientOrderId, Order] = {}
        self._brackets = BracketGuard(self.submit, self.cancel, self._warn, instruments, later, look)

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
            ts_event_ns=now_ns,
            ts_init_ns=now_ns,
            request=request,
            client_id=self._client_id,
            order_id=order_id,
            arrival=self._arrival(request.instrument_id),
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
        self._working[request.cl_ord_id] = order = _pending(submitted)
        if request.terms is not None:
            self._brackets.note(order)
        # The queue must know the order before an answer to it can arrive on the account's session.
        self._sink(submitted)
        reach("order.queued")
        self._door.track(order_id, request.cl_ord_id)
        try:
            self._door.submit(request, ticket.instrument, order_id)
        except ConnectivityError as error:
            return self._not_sent(request, str(error))
        return Accepted(request.cl_ord_id)

    async def preview(self, ticket: OrderTicket, base: Currency) -> MarginImpact | Refused:
        """Ask the broker what an order would do to the margin: no intent, no order, nothing journaled."""
        request = ticket.named(_PREVIEW, self._strategy, ticket.terms)
        try:
            return await self._door.preview(request, ticket.instrument, base)
        except BrokerRejected as error:
            return Refused(_PREVIEW, Refusal(rule="preview", text=f"the broker would refuse the order: {error}"))
        except ConnectivityError as error:
            return Refused(_PREVIEW, Refusal(rule="connection", text=str(error)))

    def submit_bracket(self, ticket: BracketTicket) -> tuple[Answer, ...]:
        """Send an entry and its exits as one: the broker works none of them before it has all."""
        entry = self._identify(ticket.entry)
        oca = Oca(group=entry.cl_ord_id, kind=OcaKind.REDUCE) if len(ticket.exits) > 1 else None
        orders = [(entry, ticket.entry.instrument)]
        for each in ticket.exits:
            terms = msgspec.structs.replace(each.terms or PLAIN, bracket=entry.cl_ord_id, oca=oca)
            orders.append((self._identify(each, terms), each.instrument))
        return self._submit_all(orders, is_bracket=True)

    def submit_group(self, tickets: Sequence[OrderTicket], kind: OcaKind) -> tuple[Answer, ...]:
        """Send orders of which one fill ends or reduces the rest."""
        oca = Oca(group=client_order_id(self._strategy, self._last_intent + 1), kind=kind)
        return self._submit_all(
            [
                (self._identify(each, msgspec.structs.replace(each.terms or PLAIN, oca=oca)), each.instrument)
                for each in tickets
            ],
            is_bracket=False,
        )

    def _submit_all(self, orders: Sequence[tuple[OrderRequest, Instrument]], *, is_bracket: bool) -> tuple[Answer, ...]:
        refusal = None if self._door.can_send else _NOT_CONNECTED
        refusal = refusal or self._gate.check_and_reserve_all(orders)
        if refusal is not None:
            return tuple(self._refuse(request, refusal) for request, _ in orders)
        reach("order.reserved")
        now_ns = self._clock.now_ns()
        told = [
            OrderSubmitted(
                ts_event_ns=now_ns,
                ts_init_ns=now_ns,
                request=request,
                client_id=self._client_id,
                order_id=self._door.next_order_id(),
                arrival=self._arrival(request.instrument_id),
            )
            for request, _ in orders
        ]
        refusal = self._journal_all(told)
        # The queue must know all of them before an answer to one can arrive on the account's session.
        for fact in told:
            self._sink(fact)
        if refusal is not None:
            return tuple(self._not_sent(fact.request, str(refusal)) for fact in told)
        for fact in told:
            self._working[fact.request.cl_ord_id] = _pending(fact)
            self._door.track(fact.order_id, fact.request.cl_ord_id)
        self._brackets.begin(_pending(fact) for fact in told)
        reach("order.queued")
        return self._write_all(told, [instrument for _, instrument in orders], is_bracket=is_bracket)

    def _journal_all(self, told: Sequence[OrderSubmitted]) -> Refusal | None:
        try:
            for fact in told:
                self._journal.append(fact)
        except LedgerError as error:
            return Refusal(rule="ledger", text=f"the intent could not be journaled: {error}")
        refusals = (self._gate.recheck(fact.request) for fact in told)
        return next((each for each in refusals if each is not None), None)

    def _write_all(
        self, told: Sequence[OrderSubmitted], instruments: Sequence[Instrument], *, is_bracket: bool
    ) -> tuple[Answer, ...]:
        answers: list[Answer] = []
        parent_id, last, failure = told[0].order_id, told[-1], ""
        for fact, instrument in zip(told, instruments, strict=True):
            if not failure:
                try:
                    self._door.submit(
                        fact.request,
                        instrument,
                        fact.order_id,
                        parent_id if fact.request.asks.bracket else 0,
                        transmit=fact is last or not is_bracket,
                    )
                except ConnectivityError as error:
                    failure = str(error)
            answers.append(self._not_sent(fact.request, failure) if failure else Accepted(fact.request.cl_ord_id))
        return tuple(answers)

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
        if (why := _UNCHANGEABLE.get(order.status)) is not None:
            return Refusal(rule="order", text=f"{cl_ord_id} {why}")
        old = order.request
        request = msgspec.structs.replace(
            old,
            order_qty=old.order_qty if order_qty is None else order_qty,
            limit_px=old.limit_px if limit_px is None else limit_px,
            stop_px=old.stop_px if stop_px is None else stop_px,
        )
        door = self._door_of(order)
        refusal = None if door.can_send else _NOT_CONNECTED
        refusal = refusal or self._gate.check_replace(request, instrument)
        if refusal is not None:
            return refusal
        now_ns = self._clock.now_ns()
        refusal = self._write_ahead(
            ReplaceRequested(ts_event_ns=now_ns, ts_init_ns=now_ns, request=request),
            lambda: door.replace(request, instrument, order.order_id),
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
            lambda: self._door_of(order).cancel(order.order_id),
        )
        if refusal is None:
            self._brackets.settle(cl_ord_id)
            # At once, so that a strategy that looks again in the same burst does not ask twice.
            self._working[cl_ord_id] = msgspec.structs.replace(order, status=OrdStatus.PENDING_CANCEL)
        return refusal

    def cancel_fork(self, order: Order) -> Refusal | None:
        """Cancel what the broker works of an intent, whatever is known of it here."""
        now_ns = self._clock.now_ns()
        return self._write_ahead(
            CancelRequested(ts_event_ns=now_ns, ts_init_ns=now_ns, cl_ord_id=order.cl_ord_id, reason="forked"),
            lambda: self._door_of(order).cancel(order.order_id),
        )

    def cancel_all(self, reason: str = "") -> tuple[ClientOrderId, ...]:
        """Cancel every working order; return those whose cancel could not be sent."""
        return tuple(each for each in tuple(self._working) if self.cancel(each, reason) is not None)

    def adopt(self, order: Order) -> None:
        """Take an order of an earlier life of this strategy as its own."""
        self._door_of(order).track(order.order_id, order.cl_ord_id)
        self.update(order)

    def update(self, order: Order) -> None:
        """Take the newest knowledge of an order from the MessageQueue."""
        if order.status.is_done:
            self._working.pop(order.cl_ord_id, None)
        else:
            self._working[order.cl_ord_id] = order
        self._brackets.note(order)

    def remember(self, orders: Sequence[Order]) -> None:
        """Take all orders of an earlier life's brackets, done ones included, and look whether an exit is lost."""
        self._brackets.begin(orders)

    def leave_brackets(self) -> None:
        """Send nothing any more for exits that are lost: a stop policy decides from now on."""
        self._brackets.stop()

    def _door_of(self, order: Order) -> OrderDoor:
        return self._door if order.client_id == self._client_id else self.lent.get(order.client_id, self._door)

    def _warn(self, entry: Order, text: str, is_urgent: bool) -> None:
        now_ns = self._clock.now_ns()
        self._sink(OrderWarned(ts_event_ns=now_ns, ts_init_ns=now_ns, cl_ord_id=entry.cl_ord_id, code=0, text=text))
        self._alarm(text)
        if is_urgent:
            self._page(text)

    def _identify(self, ticket: OrderTicket, terms: OrderTerms | None = None) -> OrderRequest:
        self._last_intent += 1
        cl_ord_id = client_order_id(self._strategy, self._last_intent)
        return ticket.named(cl_ord_id, self._strategy, terms or ticket.terms)

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


def _pending(fact: OrderSubmitted) -> Order:
    return Order(
        request=fact.request,
        status=OrdStatus.PENDING_NEW,
        client_id=fact.client_id,
        order_id=fact.order_id,
        ts_submitted_ns=fact.ts_event_ns,
        ts_updated_ns=fact.ts_init_ns,
    )


def _unknown_order(cl_ord_id: ClientOrderId) -> Refusal:
    return Refusal(rule="order", text=f"{cl_ord_id} is not a working order of this strategy")
