"""From what the broker tells to what each client hears: IB's rules of who sees what."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import assert_never

from ibfloor.model.order import Side
from ibfloor.sim.account import SimExecution
from ibfloor.sim.exchange.engine import REFUSED
from ibfloor.sim.gateway.clock import wire_time
from ibfloor.sim.gateway.codec import responses as tell
from ibfloor.sim.gateway.codec.kinds import Scalar, Values
from ibfloor.sim.gateway.codec.orders import COMPLETED_ORDER, OPEN_ORDER
from ibfloor.sim.gateway.combos import combo_values
from ibfloor.sim.gateway.contracts import contract_values
from ibfloor.sim.gateway.events import (
    BrokerEvent,
    BrokerOrder,
    ComboExecuted,
    Executed,
    IbStatus,
    OrderBound,
    OrderCanceled,
    OrderPreviewed,
    OrderShown,
    Refused,
    Warned,
)
from ibfloor.sim.gateway.routing import group_name, oca_type
from ibfloor.sim.gateway.session import NO_REQUEST, Session
from ibfloor.sim.gateway.ticket_errors import advanced_reject
from ibfloor.sim.gateway.values import eight_places

MASTER_CLIENT = 0


class Projector:
    """Tells sessions about orders. ``session_of`` gives the session of a client id, if any."""

    def __init__(self, session_of: Callable[[int], Session | None]) -> None:
        self._session_of = session_of

    def tell(self, event: BrokerEvent) -> None:
        """Send one event to everyone who may see it."""
        match event:
            case OrderShown(order=order):
                for session in self._viewers(order.client_id):
                    show_order(session, order)
                    show_status(session, order)
            case Executed(order=order, execution=execution):
                for session in self._viewers(order.client_id):
                    show_execution(session, order, execution)
                    show_order(session, order)
                    show_status(session, order)
                    show_commission(session, execution)
            case ComboExecuted(order=order, execution=execution):
                for session in self._viewers(order.client_id):
                    show_execution(session, order, execution)
                    show_order(session, order)
                    show_status(session, order)
            case OrderCanceled(order=order, reason=reason):
                self._tell_canceled(order, reason)
            case OrderPreviewed(order=order):
                for session in self._own(order.client_id):
                    session.send_values(OPEN_ORDER, _preview_values(event))
            case OrderBound(order=order):
                for session in self._own(MASTER_CLIENT):
                    session.send(
                        tell.ORDER_BOUND, perm_id=order.perm_id, client_id=order.client_id, order_id=order.order_id
                    )
            case Warned():
                for session in self._own(event.order.client_id):
                    session.fail(event.order.order_id, event.code, event.text)
            case Refused():
                for session in self._own(event.client_id):
                    session.fail(event.order_id, event.code, event.text, event.reject_json)
            case _:
                assert_never(event)

    def _tell_canceled(self, order: BrokerOrder, reason: str) -> None:
        for session in self._viewers(order.client_id):
            show_status(session, order)
        for session in self._own(order.client_id):
            if order.status is IbStatus.INACTIVE:
                text = f"Order rejected - reason:{reason.removeprefix(REFUSED)}"
                session.fail(order.order_id, 201, text, advanced_reject(text))
            else:
                session.fail(order.order_id, 202, f"Order Canceled - reason:{reason}")

    def _own(self, client_id: int) -> Iterable[Session]:
        session = self._session_of(client_id)
        return () if session is None else (session,)

    def _viewers(self, client_id: int) -> Iterable[Session]:
        yield from self._own(client_id)
        if client_id != MASTER_CLIENT:
            yield from self._own(MASTER_CLIENT)


def show_order(session: Session, order: BrokerOrder) -> None:
    """Tell all of an order."""
    session.send_values(OPEN_ORDER, _order_values(order))


def show_status(session: Session, order: BrokerOrder) -> None:
    """Tell how far an order is."""
    session.send(
        tell.ORDER_STATUS,
        order_id=order.order_id,
        status=order.status,
        filled=order.filled_qty,
        remaining=order.remaining_qty,
        avg_fill_price=eight_places(order.avg_px),
        perm_id=order.perm_id,
        parent_id=order.ticket.parent_id,
        last_fill_price=order.last_px,
        client_id=order.client_id,
        why_held=order.why_held,
    )


def show_completed(session: Session, order: BrokerOrder) -> None:
    """Tell an order that is over; its order id is not told."""
    values = {
        **_order_values(order),
        "filled_qty": order.filled_qty,
        "parent_perm_id": order.parent_perm_id,
        "completed_time": wire_time(order.completed_ns),
        "completed_status": order.completed_status,
    }
    session.send_values(COMPLETED_ORDER, values)


def show_execution(session: Session, order: BrokerOrder, execution: SimExecution, req_id: int = NO_REQUEST) -> None:
    """Tell one execution, live or as the answer to a request."""
    exchange = order.ticket.exchange
    values: dict[str, Scalar] = {
        **contract_values(execution.instrument, exchange),
        **(combo_values(order.ticket) if execution.instrument == order.ticket.instrument else {}),
        "req_id": req_id,
        "order_id": order.order_id,
        "exec_id": execution.exec_id,
        "time": wire_time(execution.ts_ns),
        "account": order.ticket.account,
        "exec_exchange": execution.instrument.primary_exchange if exchange == "SMART" else exchange,
        "side": "BOT" if execution.side is Side.BUY else "SLD",
        "shares": execution.qty,
        "price": execution.px,
        "perm_id": order.perm_id,
        "client_id": order.client_id,
        "cum_qty": execution.cum_qty,
        "avg_price": eight_places(execution.avg_px),
        "order_ref": order.ticket.order_ref,
    }
    session.send_values(tell.EXEC_DETAILS, values)


def show_commission(session: Session, execution: SimExecution) -> None:
    """Tell what an execution cost."""
    session.send(
        tell.COMMISSION,
        exec_id=execution.exec_id,
        commission=execution.commission,
        currency=execution.currency,
        realized_pnl=execution.realised_pnl,
    )


def _order_values(order: BrokerOrder) -> Values:
    ticket = order.ticket
    return {
        **ticket.attributes,
        **contract_values(ticket.instrument, ticket.exchange),
        **combo_values(ticket),
        "order_id": order.order_id,
        "client_id": order.client_id,
        "perm_id": order.perm_id,
        "action": ticket.side,
        "total_qty": ticket.qty,
        "order_type": ticket.type_text,
        "lmt_price": order.limit_px or 0,
        "aux_price": _aux_price(order),
        "trail_stop_price": order.stop_px,
        "tif": ticket.tif_text,
        "oca_group": group_name(order),
        "oca_type": oca_type(order),
        "account": ticket.account,
        "order_ref": ticket.order_ref,
        "status": order.status,
        "what_if": False,
    }


def _aux_price(order: BrokerOrder) -> Scalar:
    # a trail and a peg have their distance here, everything else its trigger
    trigger = order.ticket.rules.trigger
    if order.ticket.rules.peg is not None or (trigger is not None and trigger.is_trailing):
        sent = order.ticket.attributes.get("aux_price")
        return sent if isinstance(sent, Decimal) else 0
    return order.stop_px or 0


def _preview_values(event: OrderPreviewed) -> Values:
    before, after = event.before, event.after
    margins: dict[str, Scalar] = {
        "init_margin_before": before.initial,
        "maint_margin_before": before.maintenance,
        "equity_with_loan_before": before.equity,
        "init_margin_change": after.initial - before.initial,
        "maint_margin_change": after.maintenance - before.maintenance,
        "equity_with_loan_change": after.equity - before.equity,
        "init_margin_after": after.initial,
        "maint_margin_after": after.maintenance,
        "equity_with_loan_after": after.equity,
        "margin_currency": event.margin_currency,
        "commission": event.commission,
        "min_commission": event.commission,
        "max_commission": event.commission,
        "commission_currency": event.order.ticket.instrument.currency,
    }
    return {**_order_values(event.order), **margins, "what_if": True}
