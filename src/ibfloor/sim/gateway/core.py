"""The broker behind the wire: orders of all clients, their ids, their fates, one account.

It knows clients by their ids, but neither sessions nor messages: what happens goes out as events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec

from ibfloor.model.ids import InstrumentId
from ibfloor.sim.account import SimAccount, SimExecution
from ibfloor.sim.exchange.engine import CANCELED, PARENT_GONE, REFUSED, Exchange, IsRegular
from ibfloor.sim.exchange.values import (
    Activated,
    BookTop,
    ExchangeEvent,
    Filled,
    Gone,
    Hold,
    MarketTick,
    Moved,
    Resized,
    Triggered,
    Working,
)
from ibfloor.sim.gateway.combos import Combos, no_combos, whole_execution
from ibfloor.sim.gateway.credit import LOCATE, LOCATE_TEXT, OUT_OF_RANGE, Credit, needs_locate
from ibfloor.sim.gateway.events import (
    ZERO,
    BrokerEvent,
    BrokerOrder,
    ComboExecuted,
    Executed,
    IbStatus,
    OrderBound,
    OrderCanceled,
    OrderShown,
    Refused,
    Ticket,
    Warned,
)
from ibfloor.sim.gateway.register import Register, leg_key
from ibfloor.sim.gateway.routing import exchange_order, why_held
from ibfloor.sim.gateway.ticket_errors import TicketError, invalid, rejected
from ibfloor.sim.gateway.tickets import flaw_of_change

MANUAL_CLIENT = 0
_FIRST_PERM_ID = 1_480_000_001


class Broker(Register):
    """All orders of one account. Owner: the gateway's one thread.

    ``price_of`` values an order without a price; ``emit`` gets every event in order. Without a
    ``credit`` nothing is refused for its margin, and what-if orders are.
    """

    def __init__(
        self,
        exchange: Exchange,
        account: SimAccount,
        is_regular: IsRegular,
        price_of: Callable[[InstrumentId], Decimal],
        emit: Callable[[BrokerEvent], None],
        credit: Credit | None = None,
        combos: Combos | None = None,
    ) -> None:
        super().__init__(account)
        self._exchange = exchange
        self._is_regular = is_regular
        self._price_of = price_of
        self._emit = emit
        self._credit = credit
        self.combos = no_combos() if combos is None else combos
        self.unlocated: set[InstrumentId] = set()
        """Stocks that cannot be sold short before ``locate``: such orders are held."""
        self._waiting: set[int] = set()
        self._next_bound_id = -1
        self.is_binding = False
        """Whether client 0 asked that manual orders be bound to it as they come."""

    # -- what clients ask

    def place(self, client_id: int, order_id: int, ticket: Ticket, now_ns: int) -> None:
        """Take a new order, or a change of a working one when the client's id is known."""
        old = self.find(client_id, order_id)
        if ticket.what_if:
            self._preview(client_id, order_id, ticket, now_ns)
        elif old is not None:
            self._change(old, ticket, now_ns)
        elif order_id <= 0 or order_id < self.next_order_id(client_id):
            self.refuse(client_id, order_id, TicketError(103, "Duplicate order id"))
        else:
            self._highest_id[client_id] = order_id
            flaw = self._flaw_of_new(client_id, ticket)
            if flaw is None:
                self._accept(client_id, order_id, ticket, now_ns)
            else:
                self.refuse(client_id, order_id, flaw)

    def place_manual_order(self, ticket: Ticket, now_ns: int) -> BrokerOrder:
        """Take an order as if a person had typed it into TWS: no client, order id 0."""
        order = self._accept(MANUAL_CLIENT, 0, ticket, now_ns)
        if self.is_binding:
            self.bind_manual_orders()
        return self._orders[order.perm_id]

    def bind_manual_orders(self) -> None:
        """Give every manual order a negative id by which client 0 can change and cancel it."""
        for order in self.open_orders():
            if order.client_id == MANUAL_CLIENT and order.order_id == 0:
                bound = self._store(order, order_id=self._next_bound_id)
                self._by_client[(MANUAL_CLIENT, bound.order_id)] = bound.perm_id
                self._next_bound_id -= 1
                self._emit(OrderBound(order=bound))
                self._emit(OrderShown(order=bound))

    def cancel(self, client_id: int, order_id: int, now_ns: int) -> None:
        """Cancel a client's own order, or tell why not."""
        order = self.find(client_id, order_id)
        if order is None:
            text = f"OrderId {order_id} that needs to be cancelled is not found."
            self.refuse(client_id, order_id, TicketError(10147, text))
        elif order.status.is_done:
            text = f"OrderId {order_id} that needs to be cancelled cannot be cancelled, state: {order.status}."
            self.refuse(client_id, order_id, TicketError(10148, text))
        else:
            self._cancel(order, now_ns)

    def refuse(self, client_id: int, order_id: int, error: TicketError) -> None:
        """Tell a client that what it asked of an order is not done."""
        self._emit(
            Refused(
                client_id=client_id,
                order_id=order_id,
                code=error.code,
                text=error.text,
                reject_json=error.reject_json,
            )
        )

    def cancel_all(self, now_ns: int) -> None:
        """Cancel every order of the account, whoever placed it."""
        for order in self.open_orders():
            self._cancel(self._orders[order.perm_id], now_ns)

    # -- what the market does

    def on_tick(self, tick: MarketTick) -> None:
        """Let the exchange see a tick and carry on with what came of it."""
        if self._waiting:
            self._release_waiting(tick.ts_ns)
        self._apply(self._exchange.on_tick(tick))
        if isinstance(tick, BookTop):
            for key in self.combos.of_leg(tick.instrument_id):
                self._apply(self._exchange.on_tick(self.combos.top(key, tick.ts_ns)))

    def on_time(self, now_ns: int) -> None:
        """Let time pass: dates, schedules and auctions of orders, also while nothing ticks."""
        if self._waiting:
            self._release_waiting(now_ns)
        self._apply(self._exchange.on_time(now_ns))

    def locate(self, instrument_id: InstrumentId, now_ns: int) -> None:
        """Let shares be found: short sales that waited for them go out."""
        self.unlocated.discard(instrument_id)
        for order in self.open_orders():
            if order.why_held == LOCATE and order.ticket.instrument.instrument_id == instrument_id:
                self._transmit(order, now_ns)

    def expire_day_orders(self, now_ns: int, instrument_id: InstrumentId) -> None:
        """End all DAY orders of an instrument: its trading day is over."""
        combos = [key for key in self.combos.of_leg(instrument_id) if self.combos.home(key) == instrument_id]
        self._apply(self._exchange.expire(now_ns, (instrument_id, *combos)))

    # -- inside

    def _accept(self, client_id: int, order_id: int, ticket: Ticket, now_ns: int) -> BrokerOrder:
        order = BrokerOrder(
            perm_id=_FIRST_PERM_ID + len(self._orders),
            client_id=client_id,
            order_id=order_id,
            ticket=ticket,
            status=IbStatus.PRE_SUBMITTED,
            placed_ns=now_ns,
            is_held=not ticket.transmit,
            parent_perm_id=self._by_client.get((client_id, ticket.parent_id), 0) if ticket.parent_id else 0,
        )
        self._orders[order.perm_id] = order
        if order_id:
            self._by_client[(client_id, order_id)] = order.perm_id
        self._emit(OrderShown(order=order))
        if ticket.transmit:
            self._transmit(order, now_ns)
        return self._orders[order.perm_id]

    def _transmit(self, order: BrokerOrder, now_ns: int) -> None:
        # one order's transmit flag sends its whole family, the parents first
        for member in self._family(order):
            if member.is_held or member.perm_id == order.perm_id:
                self._send(self._store(member, is_held=False), now_ns)

    def _send(self, order: BrokerOrder, now_ns: int) -> None:
        account, ticket = self.account_of(order.ticket.account), order.ticket
        parent = self._orders.get(order.parent_perm_id)
        flaw = None if self._credit is None else self._credit.flaw(account, ticket)
        if parent is not None and parent.status.is_done and not parent.filled_qty:
            self._end(order, IbStatus.CANCELLED, PARENT_GONE, now_ns)
        elif flaw is not None:
            self._end(order, IbStatus.INACTIVE, REFUSED + flaw.reason, now_ns)
        elif needs_locate(account, ticket, self.unlocated):
            self._emit(OrderShown(order=self._store(order, is_held=True, why_held=LOCATE)))
            if order.why_held != LOCATE:
                self._emit(Warned(order=order, code=404, text=LOCATE_TEXT))
        else:
            if ticket.legs:
                self._apply(self._exchange.on_tick(self.combos.top(ticket.instrument.instrument_id, now_ns)))
            self._apply(self._exchange.submit(exchange_order(self._store(order, why_held="")), now_ns))

    def _flaw_of_new(self, client_id: int, ticket: Ticket) -> TicketError | None:
        if self._credit is not None and self._credit.is_off_market(ticket):
            return OUT_OF_RANGE
        if not ticket.parent_id:
            return None
        parent = self.find(client_id, ticket.parent_id)
        if parent is None:
            return TicketError(10006, "Missing parent order.")
        if parent.status in (IbStatus.CANCELLED, IbStatus.INACTIVE):
            return rejected("Parent order is being cancelled.")
        return None

    def _change(self, old: BrokerOrder, ticket: Ticket, now_ns: int) -> None:
        if old.status.is_done:
            filled = old.status is IbStatus.FILLED
            code, text = (104, "Cannot modify a filled order.") if filled else (103, "Duplicate order id")
            self.refuse(old.client_id, old.order_id, TicketError(code, text))
            return
        if not ticket.parent_id:  # the tie to its parent stays, told again or not
            ticket = msgspec.structs.replace(ticket, parent_id=old.ticket.parent_id)
        elif self._is_gone(old.parent_perm_id):
            text = f"Can't find order with id ={ticket.parent_id}"
            self.refuse(old.client_id, old.order_id, TicketError(135, text))
            return
        flaw = flaw_of_change(old.ticket, ticket) or self._flaw_of_growth(old, ticket)
        if flaw is not None:
            self.refuse(old.client_id, old.order_id, flaw)
            return
        order = self._store(old, ticket=ticket)
        if old.is_held and not ticket.transmit:
            self._emit(OrderShown(order=order))
        elif old.is_held:
            self._transmit(order, now_ns)
        else:
            order = self._store(order, live_stop_px=None, live_limit_px=None)
            self._apply(self._exchange.amend(exchange_order(order), now_ns))

    def _is_gone(self, perm_id: int) -> bool:
        order = self._orders.get(perm_id)
        return order is not None and order.status.is_done

    def _flaw_of_growth(self, old: BrokerOrder, ticket: Ticket) -> TicketError | None:
        more = ticket.qty - old.filled_qty
        if self._credit is None or old.is_held or more <= old.remaining_qty:
            return None
        return self._credit.flaw(self.account_of(ticket.account), msgspec.structs.replace(ticket, qty=more))

    def _cancel(self, order: BrokerOrder, now_ns: int) -> None:
        if order.status.is_done:
            return  # ended with its parent
        if order.is_held:
            self._end(order, IbStatus.CANCELLED, "", now_ns)
            for child in self.open_orders():
                if child.is_held and child.parent_perm_id == order.perm_id:
                    self._cancel(child, now_ns)
        else:
            self._apply(self._exchange.cancel(order.perm_id, now_ns))

    def _apply(self, events: Iterable[ExchangeEvent]) -> None:
        for event in events:
            order = self._orders[event.key]
            match event:
                case Working() | Activated():
                    self._show_working(order, event.held_by, event.ts_ns)
                case Triggered():
                    self._show_working(order, (), event.ts_ns)
                case Moved():
                    moved = self._store(order, live_stop_px=event.stop_px, live_limit_px=event.limit_px)
                    self._emit(OrderShown(order=moved))
                case Resized():
                    smaller = msgspec.structs.replace(order.ticket, qty=event.qty)
                    self._emit(OrderShown(order=self._store(order, ticket=smaller)))
                case Filled():
                    self._fill(order, event)
                case Gone():
                    refused = event.reason.startswith(REFUSED)
                    status = IbStatus.INACTIVE if refused else IbStatus.CANCELLED
                    self._end(order, status, event.reason, event.ts_ns)

    def _show_working(self, order: BrokerOrder, holds: tuple[Hold, ...], now_ns: int) -> None:
        ticket = order.ticket
        status = IbStatus.PRE_SUBMITTED if holds else IbStatus.SUBMITTED
        if not holds and not (ticket.outside_hours or self._is_regular(ticket.instrument.instrument_id, now_ns)):
            status = IbStatus.PRE_SUBMITTED
            self._waiting.add(order.perm_id)
        self._emit(OrderShown(order=self._store(order, status=status, why_held=why_held(holds))))

    def _release_waiting(self, now_ns: int) -> None:
        for perm_id in sorted(self._waiting):
            order = self._orders[perm_id]
            if order.status.is_done or self._is_regular(order.ticket.instrument.instrument_id, now_ns):
                self._waiting.discard(perm_id)
                if not order.status.is_done:
                    self._emit(OrderShown(order=self._store(order, status=IbStatus.SUBMITTED)))

    def _fill(self, order: BrokerOrder, fill: Filled) -> None:
        ticket = order.ticket
        account = self.account_of(ticket.account)
        if ticket.legs:
            self._fill_legs(order, fill, account)
            return
        execution = account.book(order.perm_id, ticket.instrument, ticket.side, fill.qty, fill.px, fill.ts_ns)
        self._emit(Executed(order=self._filled(order, fill, execution), execution=execution))

    def _fill_legs(self, order: BrokerOrder, fill: Filled, account: SimAccount) -> None:
        executions = [
            account.book(leg_key(order.perm_id, n), leg.instrument, side, qty, px, fill.ts_ns)
            for n, (leg, side, qty, px) in enumerate(self.combos.split(order.ticket, fill.qty, fill.px))
        ]
        whole = whole_execution(order, fill, executions[0])
        self.combo_executions.append(whole)
        order = self._filled(order, fill, whole)
        self._emit(ComboExecuted(order=order, execution=whole))
        for execution in executions:
            self._emit(Executed(order=order, execution=execution))

    def _filled(self, order: BrokerOrder, fill: Filled, execution: SimExecution) -> BrokerOrder:
        is_done = fill.leaves_qty == ZERO
        return self._store(
            order,
            status=IbStatus.FILLED if is_done else IbStatus.SUBMITTED,
            filled_qty=execution.cum_qty,
            avg_px=execution.avg_px,
            last_px=fill.px,
            completed_ns=fill.ts_ns if is_done else 0,
            completed_status=f"Filled Size: {execution.cum_qty.normalize():f}" if is_done else "",
        )

    def _end(self, order: BrokerOrder, status: IbStatus, reason: str, now_ns: int) -> None:
        text = "Cancelled by Trader" if reason in ("", CANCELED) else f"Cancelled: {reason}"
        order = self._store(
            order, status=status, is_held=False, why_held="", completed_ns=now_ns, completed_status=text
        )
        self._emit(OrderCanceled(order=order, reason="" if reason == CANCELED else reason))

    def _preview(self, client_id: int, order_id: int, ticket: Ticket, now_ns: int) -> None:
        order = BrokerOrder(
            perm_id=0,
            client_id=client_id,
            order_id=order_id,
            ticket=ticket,
            status=IbStatus.PRE_SUBMITTED,
            placed_ns=now_ns,
        )
        if self._credit is None:
            self.refuse(client_id, order_id, invalid("What-if orders are not served."))
            return
        self._emit(self._credit.previewed(order, self.account_of(ticket.account)))
