"""Orders on the wire: place, change, cancel, list; executions."""

from __future__ import annotations

from collections.abc import Callable

from ibfloor.model.moment import to_datetime
from ibfloor.model.order import Side
from ibfloor.sim.account import SimExecution
from ibfloor.sim.gateway.clock import EXCHANGE_TIME, SimClock
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec import responses as tell
from ibfloor.sim.gateway.codec.contracts import is_combo
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.orders import PLACE_ORDER
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.contracts import one_security
from ibfloor.sim.gateway.core import Broker
from ibfloor.sim.gateway.events import BrokerOrder, Leg
from ibfloor.sim.gateway.projector import (
    MASTER_CLIENT,
    show_commission,
    show_completed,
    show_execution,
    show_order,
    show_status,
)
from ibfloor.sim.gateway.session import NO_REQUEST, Session
from ibfloor.sim.gateway.tickets import Around, TicketError, read_ticket
from ibfloor.sim.gateway.values import client_of, number_of, text_of
from ibfloor.sim.market.source import Market


class OrderDesk:
    """Answers what clients ask of orders. Owner: the gateway's one thread."""

    def __init__(self, broker: Broker, market: Market, clock: SimClock) -> None:
        self._broker = broker
        self._market = market
        self._clock = clock
        self._binding: set[Session] = set()
        self.routes: dict[Table, Callable[[Session, Values], None]] = {
            PLACE_ORDER: self._place,
            ask.CANCEL_ORDER: self._cancel,
            ask.REQ_GLOBAL_CANCEL: self._cancel_all,
            ask.REQ_IDS: self._next_id,
            ask.REQ_OPEN_ORDERS: self._own_orders,
            ask.REQ_ALL_OPEN_ORDERS: self._all_orders,
            ask.REQ_AUTO_OPEN_ORDERS: self._auto_bind,
            ask.REQ_COMPLETED_ORDERS: self._completed_orders,
            ask.REQ_EXECUTIONS: self._executions,
        }

    def drop(self, session: Session) -> None:
        """Forget a session."""
        self._binding.discard(session)

    def _place(self, session: Session, values: Values) -> None:
        order_id = number_of(values, "order_id")
        legs: tuple[Leg, ...] = ()
        try:
            if is_combo(values):
                security, legs = self._broker.combos.security_of(values)
            else:
                found = one_security(session, order_id, self._market.master, values)
                if found is None:
                    return
                security = found
            ticket = read_ticket(values, security, self._account_name(values), self._around(session, values), legs)
        except TicketError as error:
            self._broker.refuse(client_of(session), order_id, error)
        else:
            self._broker.place(client_of(session), order_id, ticket, self._clock.now_ns())

    def _around(self, session: Session, values: Values) -> Around:
        parent = self._broker.find(client_of(session), number_of(values, "parent_id"))
        ticket = None if parent is None else parent.ticket
        return Around(now_ns=self._clock.now_ns(), market=self._market, parent=ticket)

    def _account_name(self, values: Values) -> str:
        asked, accounts = text_of(values, "account"), self._broker.accounts
        if not asked and len(accounts) > 1:
            raise TicketError(435, "You must specify an account.")
        return asked if asked in accounts else self._broker.account.account

    def _cancel(self, session: Session, values: Values) -> None:
        self._broker.cancel(client_of(session), number_of(values, "order_id"), self._clock.now_ns())

    def _cancel_all(self, _session: Session, _values: Values) -> None:
        self._broker.cancel_all(self._clock.now_ns())

    def _next_id(self, session: Session, _values: Values) -> None:
        session.send(tell.NEXT_VALID_ID, order_id=self._broker.next_order_id(client_of(session)))

    def _own_orders(self, session: Session, _values: Values) -> None:
        client_id = client_of(session)
        if client_id == MASTER_CLIENT:
            self._broker.bind_manual_orders()
        self._list(session, [order for order in self._broker.open_orders() if order.client_id == client_id])

    def _all_orders(self, session: Session, _values: Values) -> None:
        self._list(session, self._broker.open_orders())

    def _list(self, session: Session, orders: list[BrokerOrder]) -> None:
        for order in orders:
            show_order(session, order)
            show_status(session, order)
        session.send(tell.OPEN_ORDER_END)

    def _auto_bind(self, session: Session, values: Values) -> None:
        if client_of(session) != MASTER_CLIENT:
            text = "Error validating request.-'bR' : cause - Only the default client (i.e 0) can auto bind orders."
            session.fail(NO_REQUEST, 321, text)
            return
        self._broker.is_binding = bool(values["bind"])
        if self._broker.is_binding:
            self._broker.bind_manual_orders()

    def _completed_orders(self, session: Session, values: Values) -> None:
        for order in self._broker.completed_orders():
            if order.order_id > 0 or not values["api_only"]:
                show_completed(session, order)
        session.send(tell.COMPLETED_ORDERS_END)

    def _executions(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        try:
            wanted = _Filter(values, client_of(session))
        except ValueError as error:
            session.fail(req_id, 321, f"Error validating request.-'bM' : cause - {error}")
            return
        for execution in self._broker.told_executions():
            order = self._broker.order(execution.order_key)
            if wanted.takes(order, execution):
                show_execution(session, order, execution, req_id)
                show_commission(session, execution)
        session.send(tell.EXEC_DETAILS_END, req_id=req_id)


class _Filter:
    def __init__(self, values: Values, client_id: int) -> None:
        self._asking_client = client_id
        self._client = number_of(values, "client_id")
        self._since = _filter_time(text_of(values, "time"))
        self._texts = {name: text_of(values, name) for name in ("account", "symbol", "sec_type", "exchange")}
        self._side = {"": None, "BUY": Side.BUY, "BOT": Side.BUY, "SELL": Side.SELL, "SLD": Side.SELL}.get(
            text_of(values, "side").upper(), Side.BUY
        )

    def takes(self, order: BrokerOrder, execution: SimExecution) -> bool:
        if self._asking_client not in (MASTER_CLIENT, order.client_id):
            return False
        contract = execution.instrument.contract
        have = {
            "account": order.ticket.account,
            "symbol": contract.symbol,
            "sec_type": contract.security_type,
            "exchange": order.ticket.exchange,
        }
        return (
            (not self._client or self._client == order.client_id)
            and (self._side is None or self._side is execution.side)
            and all(not text or text == have[name] for name, text in self._texts.items())
            and (not self._since or f"{to_datetime(execution.ts_ns, EXCHANGE_TIME):%Y%m%d%H:%M:%S}" >= self._since)
        )


def _filter_time(text: str) -> str:
    if not text:
        return ""
    day, clock = text[:8], text[8:].lstrip(" -")[:8]
    if not (day.isdigit() and len(day) == 8 and len(clock) == 8):
        raise ValueError(f"the time {text!r} is not yyyymmdd hh:mm:ss")
    return day + clock
