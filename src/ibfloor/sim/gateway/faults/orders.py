"""Faults of orders, executions and positions: the broker does what it should not."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import msgspec

from ibfloor.model.errors import ConfigError
from ibfloor.model.order import OrdType, Side, TimeInForce
from ibfloor.sim.account import SimExecution
from ibfloor.sim.faults import Fault
from ibfloor.sim.faults import actions as do
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.orders import PLACE_ORDER
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.events import BrokerEvent, BrokerOrder, Executed, IbStatus, OrderCanceled, Ticket
from ibfloor.sim.gateway.faults.host import Host
from ibfloor.sim.gateway.faults.timers import Timers
from ibfloor.sim.gateway.projector import show_status
from ibfloor.sim.gateway.session import NO_REQUEST, Session
from ibfloor.sim.gateway.values import client_of, number_of


class OrderFaults:
    """Troubles the broker. Owner: the gateway's one thread."""

    def __init__(self, host: Host, timers: Timers) -> None:
        self._host = host
        self._timers = timers

    def at_event(self, fault: Fault, event: BrokerEvent) -> None:
        """Do what a fault does to the order an event is about."""
        match fault.what, event:
            case do.CorrectFill(ticks=ticks, after_s=after_s), Executed(execution=execution):
                self._timers.after(after_s, partial(self._correct, execution, ticks))
            case do.BustFill(after_s=after_s), Executed(execution=execution):
                self._timers.after(after_s, partial(self._bust, execution))
            case do.FillAfterCancel(after_s=after_s), OrderCanceled(order=order):
                self._timers.after(after_s, partial(self._fill_rest, order.perm_id))
            case _:
                pass  # not of an order

    def at_any_time(self, fault: Fault) -> None:
        """Do what a fault does to the account."""
        match fault.what:
            case do.ManualOrder():
                self._place(fault.what)
            case do.MovePosition():
                self._move(fault.what)
            case _:
                pass  # not of the account

    def check(self, fault: Fault) -> None:
        """Raise ``ConfigError`` for a fault of an account or a symbol that is none here."""
        accounts = self._host.broker.accounts
        named = [*fault.when.accounts]
        if isinstance(fault.what, do.ManualOrder | do.MovePosition):
            named += [fault.what.account] if fault.what.account else []
        if isinstance(fault.what, do.ManualOrder | do.MovePosition | do.Halt):
            symbol = fault.what.symbol
            if self._host.market.master.by_symbol(symbol) is None:
                raise ConfigError(f"fault {fault.name!r}: {symbol!r} is not listed here")
        for name in named:
            if name not in accounts:
                known = ", ".join(accounts)
                raise ConfigError(f"fault {fault.name!r}: {name!r} is no account here: take one of {known}")

    def serve(self, session: Session, request: Table, values: Values, faults: list[Fault]) -> None:
        """Serve a request that faults change."""
        forks = False
        remarks: list[do.Remark] = []
        key = "order_id" if "order_id" in values else "req_id"
        subject = number_of(values, key) or NO_REQUEST
        for fault in faults:
            match fault.what:
                case do.Fail(code=code, text=text, copies=copies):
                    for _ in range(copies):
                        session.fail(subject, code, text)
                    return
                case do.FillBeforeCancel():
                    self._fill_before(session, request, values, fault.what)
                case do.ForkOrder():
                    forks = True
                case do.Remark():
                    remarks.append(fault.what)
                case _:
                    pass  # not of a request
        self._host.broker.forks_changes = forks and request is PLACE_ORDER
        self._host.route(session, request, values)
        self._host.broker.forks_changes = False
        for remark in remarks:
            session.fail(subject, remark.code, remark.text)
            self._show_held(session, subject, remark)

    def _show_held(self, session: Session, order_id: int, remark: do.Remark) -> None:
        order = self._host.broker.find(client_of(session), order_id)
        if remark.why_held and order is not None and not order.status.is_done:
            held = msgspec.structs.replace(order, status=IbStatus.PRE_SUBMITTED, why_held=remark.why_held)
            show_status(session, held)

    def _fill_before(self, session: Session, request: Table, values: Values, action: do.FillBeforeCancel) -> None:
        orders: list[BrokerOrder | None] = []
        if request is ask.CANCEL_ORDER:
            orders = [self._host.broker.find(client_of(session), number_of(values, "order_id"))]
        elif request is ask.REQ_GLOBAL_CANCEL:
            orders = [*self._host.broker.open_orders()]
        for order in orders:
            if order is not None and not order.status.is_done:
                if action.is_pending:
                    show_status(session, msgspec.structs.replace(order, status=IbStatus.PENDING_CANCEL))
                self._fill_rest(order.perm_id, action.share)

    def _fill_rest(self, perm_id: int, share: Decimal = Decimal(1)) -> None:
        self._host.broker.fill_rest(perm_id, self._host.clock.now_ns(), share)

    def _correct(self, execution: SimExecution, ticks: int) -> None:
        px = execution.px + ticks * execution.instrument.min_tick
        self._host.broker.correct(execution, px, self._host.clock.now_ns())

    def _bust(self, execution: SimExecution) -> None:
        self._host.broker.bust(execution)
        self._host.tell_position(execution.instrument.instrument_id)

    def _place(self, action: do.ManualOrder) -> None:
        security = self._host.market.master.by_symbol(action.symbol)
        if security is None:
            return  # it ended since
        ticket = Ticket(
            instrument=security.instrument,
            exchange="SMART",
            side=Side(action.side),
            qty=action.qty,
            ord_type=OrdType.LIMIT,
            limit_px=action.limit_px,
            stop_px=None,
            time_in_force=TimeInForce.DAY,
            outside_hours=False,
            transmit=True,
            what_if=False,
            account=self._host.broker.account_of(action.account).account,
            order_ref="",
            attributes={},
        )
        self._host.broker.place_manual_order(ticket, self._host.clock.now_ns())

    def _move(self, action: do.MovePosition) -> None:
        security = self._host.market.master.by_symbol(action.symbol)
        if security is None:
            return  # it ended since
        broker, instrument, now_ns = self._host.broker, security.instrument, self._host.clock.now_ns()
        named = action.account or (broker.account.account if action.add else "")
        for account in broker.accounts.values() if not named else (broker.account_of(named),):
            if action.add or account.position(security.instrument_id) is not None:
                account.adjust(instrument, action.ratio, action.add, action.px, ts_ns=now_ns)
        self._host.tell_position(security.instrument_id)
