"""A strategy's own connection: orders out through templates, order messages in as facts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal

from ib_async import Contract, Order, OrderState

from ibfloor.broker.ib.client import LeanClient, LeanHandler
from ibfloor.broker.ib.codes import Context, Reaction, reaction
from ibfloor.broker.ib.convert import number, to_status
from ibfloor.broker.ib.order_messages import (
    COMMISSION,
    EXEC_DETAILS,
    OPEN_ORDER,
    ORDER_STATUS,
    OpenMessage,
    Summaries,
    read_fee,
    read_open_order,
    read_status,
)
from ibfloor.broker.ib.order_template import OrderTemplates
from ibfloor.broker.ib.pacing import Urgency
from ibfloor.broker.ib.previews import has_margins, to_impact
from ibfloor.broker.ib.session import IbSession
from ibfloor.broker.ib.settings import IbWiring
from ibfloor.broker.ib.unanswered import Unanswered
from ibfloor.broker.ib.wrapper import Handler
from ibfloor.crash_points import IS_ARMED, reach
from ibfloor.model.errors import ConnectivityError
from ibfloor.model.fact import OrderDoubted, OrderRejected, OrderReported, OrderWarned, SessionState
from ibfloor.model.ids import ClientOrderId, owner_of
from ibfloor.model.instrument import Instrument
from ibfloor.model.margin import MarginImpact
from ibfloor.model.money import Currency
from ibfloor.model.order import OrderRequest, OrdStatus, Refusal

_ZERO = Decimal(0)
_WORKS = (OrdStatus.PENDING_NEW, OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED)


class IbOrderSession(IbSession):
    """``port.OrderSession`` over TWS's API. Owner: the strategy's thread."""

    def __init__(self, strategy: str, client_id: int, wiring: IbWiring) -> None:
        super().__init__(strategy, client_id, wiring)
        self._templates = OrderTemplates(wiring.settings.account)
        self._intents: dict[int, ClientOrderId] = {}
        self._unanswered: dict[int, Unanswered] = {}
        self._told: dict[ClientOrderId, OrderReported] = {}
        self._qtys: dict[int, Decimal] = {}
        """The whole quantity of each order, as we last asked or were told."""
        self._cancels_due: set[int] = set()
        self._summaries = Summaries()
        self._next_id = 1
        self.recheck: Callable[[OrderRequest], Refusal | None] = lambda request: None
        """Asked again when an order that waited for the message budget is about to leave."""

    @property
    def can_send(self) -> bool:
        """Tell whether an order would go out: socket and upstream live, nothing in doubt."""
        return self._state is SessionState.CONNECTED and self._client is not None and self._client.is_live

    def next_order_id(self) -> int:
        """Return an order id never used before: above the broker's, the journal's, and all seen."""
        order_id = self._next_id
        self._next_id += 1
        return order_id

    def raise_order_id_floor(self, used: int) -> None:
        """Never hand out an id up to ``used`` again."""
        self._next_id = max(self._next_id, used + 1)

    def submit(
        self, request: OrderRequest, instrument: Instrument, order_id: int, parent_id: int = 0, *, transmit: bool = True
    ) -> None:
        """Write a new order; raises ``ConnectivityError`` when nothing was written.

        Without ``transmit`` the broker keeps it until an order of its family comes with it.
        """
        self._place(request, instrument, order_id, Context.NEW, parent_id, transmit=transmit)

    def replace(self, request: OrderRequest, instrument: Instrument, order_id: int) -> None:
        """Write a change of a working order; raises ``ConnectivityError`` when nothing was written."""
        self._place(request, instrument, order_id, Context.MODIFY)

    def cancel(self, order_id: int) -> None:
        """Write a cancel, before anything that waits, also while IB is away from its gateway.

        Written again when the connection is back and the order has not ended. Raises
        ``ConnectivityError`` when nothing could be written yet.
        """
        if not self.can_send:
            self._cancels_due.add(order_id)
        client = self._client
        if client is None or not client.is_live:
            raise ConnectivityError(
                f"session {self._name} has no connection: the cancel waits and goes out when it is back"
            )
        waiting = self._unanswered.get(order_id)
        if client.withdraw_order(order_id) and waiting is not None and waiting.context is Context.NEW:
            # The order still waited for the message budget: a cancel sent now would overtake it.
            self._never_sent(order_id, "canceled while it waited for the message budget")
            return
        self._await_answer(order_id, Context.CANCEL)
        reach("wire.cancel.before")
        client.cancelOrder(order_id)  # type: ignore[no-untyped-call]
        reach("wire.cancel.after")

    async def preview(self, request: OrderRequest, instrument: Instrument, base: Currency) -> MarginImpact:
        """Ask what an order would do to the margin; nothing is placed, and its order id is used up.

        Raises ``IbRejected`` where the broker would refuse the order, ``ConnectivityError`` where no answer came.
        """
        client = self._client
        if client is None or not self.can_send:
            raise ConnectivityError(f"session {self._name} is not connected: nothing was asked")
        order_id = self.next_order_id()
        client.write(self._templates.preview(request, instrument, order_id), Urgency.REQUEST)
        # By its own id among the requests, never among the orders: no answer to it can become one.
        pending = self._requests.start(order_id)
        timeout_s = self._settings.request_timeout_s
        answers = await self._requests.answer(
            pending, timeout_s=timeout_s, what=f"a preview in {instrument.local_symbol}"
        )
        return to_impact(answers, request, base, self._clock.now_ns())

    def track(self, order_id: int, cl_ord_id: ClientOrderId) -> None:
        """Remember which intent an order id carries."""
        self._intents[order_id] = cl_ord_id
        self.raise_order_id_floor(order_id)

    def _place(
        self,
        request: OrderRequest,
        instrument: Instrument,
        order_id: int,
        context: Context,
        parent_id: int = 0,
        *,
        transmit: bool = True,
    ) -> None:
        client = self._client
        if client is None or not client._apiReady:
            self._raise_down()
        frame = self._templates.frame(request, instrument, order_id, parent_id, transmit=transmit)
        place = f"wire.{context.name.lower() if transmit else 'held'}" if IS_ARMED else ""
        if IS_ARMED:
            reach(f"{place}.before")
            reach(f"{place}.torn", lambda: client.conn.transport.write(frame[: len(frame) // 2]))
        client.write(frame, Urgency.ORDER, order_id)
        if IS_ARMED:
            reach(f"{place}.after")
        self._intents[order_id] = request.cl_ord_id
        self._cancels_due.discard(order_id)
        self._await_answer(order_id, context, request)

    def _await_answer(self, order_id: int, context: Context, request: OrderRequest | None = None) -> None:
        now_s, is_second = asyncio.get_running_loop().time(), order_id in self._unanswered
        self._unanswered[order_id] = Unanswered(context, now_s, request, is_second=is_second)
        if request is not None:
            self._qtys[order_id] = request.order_qty
        # What was told before the request is no answer to it: the same status again must get through.
        if cl_ord_id := self._intents.get(order_id):
            self._told.pop(cl_ord_id, None)

    # messages

    def _handlers(self) -> dict[str, Handler]:
        return {
            **super()._handlers(),
            "nextValidId": lambda order_id: self.raise_order_id_floor(order_id - 1),
            "openOrder": self._on_decoded_open_order,
        }

    def _lean_handlers(self) -> Mapping[bytes, LeanHandler]:
        return {
            ORDER_STATUS: self._on_status,
            OPEN_ORDER: self._on_open_order,
            EXEC_DETAILS: self._on_execution,
            COMMISSION: self._on_commission,
        }

    async def _prepare(self, client: LeanClient) -> None:
        self._templates.use_version(client.serverVersion())
        client.reqOpenOrders()  # type: ignore[no-untyped-call]  # adopts what this client id left working

    def _on_status(self, fields: list[bytes]) -> None:
        message = read_status(fields)
        reach("read.order_status")
        if message.client_id != self._client_id:
            return
        cl_ord_id = self._intents.get(message.order_id)
        if cl_ord_id is None:
            return
        status = self._answered(message.order_id, message.status, message.cum_qty + message.leaves_qty)
        self._report(cl_ord_id, status, message.perm_id, message.cum_qty, message.text)

    def _on_open_order(self, fields: list[bytes]) -> None:
        client = self._client
        assert client is not None
        message = read_open_order(fields, client.serverVersion())
        if message is None or message.is_what_if:
            client.decoder.interpret([field.decode(errors="backslashreplace") for field in fields[:-1]])
        else:
            self._take_open_order(message)

    def _on_decoded_open_order(self, order_id: int, _contract: Contract, order: Order, state: OrderState) -> None:
        if order.whatIf:
            self._requests.add(order_id, state)
            if has_margins(state):
                self._requests.end(order_id)
            return
        self._take_open_order(
            OpenMessage(
                order_id,
                order.clientId,
                order.permId,
                order.orderRef,
                to_status(state.status, _ZERO, None),
                state.warningText,
                bool(order.whatIf),
                number(order.totalQuantity),
            )
        )

    def _take_open_order(self, message: OpenMessage) -> None:
        reach("read.open_order")
        if message.client_id != self._client_id or message.is_what_if:
            return
        if message.order_id > 0:
            self.raise_order_id_floor(message.order_id)
        cl_ord_id = self._intents.get(message.order_id)
        if cl_ord_id is None and owner_of(message.order_ref) is not None:
            cl_ord_id = ClientOrderId(message.order_ref)
            self._intents[message.order_id] = cl_ord_id
        if cl_ord_id is None:
            return
        status = self._answered(message.order_id, message.status, message.order_qty)
        told = self._told.get(cl_ord_id)
        order_qty = self._changed_qty(message)
        self._report(cl_ord_id, status, message.perm_id, told.cum_qty if told else _ZERO, message.text, order_qty)

    def _changed_qty(self, message: OpenMessage) -> Decimal | None:
        # The broker makes exits smaller by itself. What it says before it has a change of ours is old.
        waiting = self._unanswered.get(message.order_id)
        if not message.order_qty or (waiting is not None and waiting.context is Context.MODIFY):
            return None
        before, self._qtys[message.order_id] = self._qtys.get(message.order_id), message.order_qty
        if message.order_qty == before:
            return None
        if before is not None and self._client is not None:  # it may be older than a change of ours: ask what holds
            self._client.reqOpenOrders()  # type: ignore[no-untyped-call]
        return message.order_qty

    def _on_execution(self, fields: list[bytes]) -> None:
        if self._summaries.is_execution(fields):
            return
        known = self._intents.get(int(fields[2] or 0)) if fields[22] == b"%d" % self._client_id else None
        fill = self._read_fill(fields, known)
        self._answered(int(fields[2] or 0), OrdStatus.PARTIALLY_FILLED, None)
        reach("read.execution")
        self._tell(fill)
        reach("read.execution.queued")

    def _on_commission(self, fields: list[bytes]) -> None:
        if not self._summaries.is_fee(fields) and (fee := read_fee(fields, self._clock.now_ns())):
            reach("read.commission")
            self._tell(fee)
            reach("read.commission.queued")

    # errors

    def _on_request_error(self, req_id: int, code: int, text: str) -> None:
        cl_ord_id = self._intents.get(req_id)
        if cl_ord_id is None and self._requests.is_open(req_id) and reaction(code, Context.NEW) is Reaction.WARN:
            self._requests.add(req_id, f"IB {code}: {text}")  # of a preview, whose answer still comes
        elif cl_ord_id is None:
            super()._on_request_error(req_id, code, text)
        if cl_ord_id is None:
            return
        unanswered = self._unanswered.get(req_id)
        what = reaction(code, unanswered.context if unanswered else Context.NEW)
        now_ns = self._clock.now_ns()
        match what:
            case Reaction.REJECT:
                self._unanswered.pop(req_id, None)
                self._tell(
                    OrderRejected(ts_event_ns=now_ns, ts_init_ns=now_ns, cl_ord_id=cl_ord_id, code=code, text=text)
                )
            case Reaction.CANCELED:
                self._unanswered.pop(req_id, None)
                self._report(cl_ord_id, OrdStatus.CANCELED, 0, _ZERO, text)
            case Reaction.QUERY | Reaction.QUERY_AND_RAISE_IDS:
                self._unanswered.pop(req_id, None)
                if what is Reaction.QUERY_AND_RAISE_IDS and self._client is not None:
                    self._client.reqIds(1)  # type: ignore[no-untyped-call]
                self._doubt_order(cl_ord_id, f"IB {code}: {text}")
                if unanswered is not None and unanswered.context is Context.MODIFY and self._client is not None:
                    self._client.reqOpenOrders()  # type: ignore[no-untyped-call]  # it most likely works as it was
            case _:
                self._tell(
                    OrderWarned(ts_event_ns=now_ns, ts_init_ns=now_ns, cl_ord_id=cl_ord_id, code=code, text=text)
                )

    # what is not answered

    def _answered(self, order_id: int, status: OrdStatus, order_qty: Decimal | None) -> OrdStatus:
        # Returns the status to believe: what was said before our request, and crosses it on the wire, is no answer.
        if status.is_done:
            self._cancels_due.discard(order_id)
        unanswered = self._unanswered.get(order_id)
        if unanswered is None:
            return status
        if status.is_done or unanswered.is_answer(status, order_qty):
            del self._unanswered[order_id]
        elif unanswered.context is Context.MODIFY and status in _WORKS and not unanswered.is_doubted:
            return OrdStatus.PENDING_REPLACE
        return status

    def _on_lost(self, reason: str) -> None:
        for order_id, unanswered in self._unanswered.items():
            if unanswered.context is Context.CANCEL:
                self._cancels_due.add(order_id)
            if not unanswered.is_doubted:  # a lost cancel too: the order may work on
                self._doubt_order(self._intents[order_id], f"the connection was lost before an answer: {reason}")
        self._unanswered.clear()
        self._told.clear()

    def _check_acks(self) -> None:
        oldest_s = asyncio.get_running_loop().time() - self._settings.ack_timeout_s
        for order_id, unanswered in self._unanswered.items():
            if unanswered.sent_s < oldest_s and not unanswered.is_doubted:
                unanswered.is_doubted = True
                if cl_ord_id := self._intents.get(order_id):
                    self._doubt_order(cl_ord_id, f"no answer within {self._settings.ack_timeout_s:g} s")

    def _on_degraded(self, reason: str) -> None:
        if self._client is None:
            return
        for order_id in self._client.withdraw_orders():
            self.order_barred(order_id, f"it waited for the message budget when {reason}")
        self._cancels_due.update(
            order_id for order_id, sent in self._unanswered.items() if sent.context is Context.CANCEL
        )

    def _on_connected(self) -> None:
        due, self._cancels_due = self._cancels_due, set()
        for order_id in sorted(due):
            try:
                self.cancel(order_id)
            except ConnectivityError:  # lost again at this moment: it stays due
                self._cancels_due.add(order_id)

    def bars_order(self, order_id: int) -> str:
        """Say why an order that waited for the budget must not leave any more; empty when it may."""
        if not self.can_send:
            return "the connection was in doubt when its turn came"
        waiting = self._unanswered.get(order_id)
        refusal = None if waiting is None or waiting.request is None else self.recheck(waiting.request)
        return "" if refusal is None else str(refusal)

    def order_barred(self, order_id: int, why: str) -> None:
        """Tell of an order that it was never sent, of a change that it must be asked for."""
        waiting = self._unanswered.get(order_id)
        if waiting is None:
            return
        if waiting.context is Context.NEW:
            self._never_sent(order_id, why)
        elif waiting.is_second:  # the request before it may have arrived
            del self._unanswered[order_id]
            self._doubt_order(self._intents[order_id], f"its change was never sent: {why}")
        else:  # the order works on as it was
            self._never_sent(order_id, why)

    def frames_unsent(self, unsent: list[tuple[Urgency, int]]) -> None:
        """Tell which new orders never left, so that nobody waits for them."""
        for urgency, order_id in unsent:
            waiting = self._unanswered.get(order_id)
            if urgency is not Urgency.ORDER or waiting is None:
                continue
            self.order_barred(order_id, "the connection went while it waited for the message budget")

    def _never_sent(self, order_id: int, why: str) -> None:
        del self._unanswered[order_id]
        now_ns = self._clock.now_ns()
        self._tell(
            OrderRejected(
                ts_event_ns=now_ns,
                ts_init_ns=now_ns,
                cl_ord_id=self._intents[order_id],
                code=0,
                text=f"never sent: {why}",
            )
        )

    def _doubt_order(self, cl_ord_id: ClientOrderId, reason: str) -> None:
        now_ns = self._clock.now_ns()
        self._tell(OrderDoubted(ts_event_ns=now_ns, ts_init_ns=now_ns, cl_ord_id=cl_ord_id, reason=reason))

    def _report(
        self,
        cl_ord_id: ClientOrderId,
        status: OrdStatus,
        perm_id: int,
        cum_qty: Decimal,
        text: str,
        order_qty: Decimal | None = None,
    ) -> None:
        # IB says everything twice, as openOrder and as orderStatus: repeats stop here.
        told = self._told.get(cl_ord_id)
        new = status, perm_id, cum_qty, text
        if told is not None and order_qty is None and new == (told.status, told.perm_id, told.cum_qty, told.text):
            return
        now_ns = self._clock.now_ns()
        report = OrderReported(
            ts_event_ns=now_ns,
            ts_init_ns=now_ns,
            cl_ord_id=cl_ord_id,
            status=status,
            perm_id=perm_id,
            cum_qty=cum_qty,
            text=text,
            order_qty=order_qty,
        )
        self._told[cl_ord_id] = report
        self._tell(report)
