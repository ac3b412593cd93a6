"""The gateway's own record: every order's incarnations, every execution, what clients were told.

Tests judge the floor by it, never by the floor's own state.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from decimal import Decimal

import msgspec

from ibfloor.model.order import Side
from ibfloor.sim.account import SimAccount, SimExecution
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.orders import COMPLETED_ORDER, OPEN_ORDER
from ibfloor.sim.gateway.codec.responses import COMMISSION, ERROR, EXEC_DETAILS, ORDER_STATUS
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.core import Broker
from ibfloor.sim.gateway.events import (
    BrokerEvent,
    BrokerOrder,
    ComboExecuted,
    Executed,
    OrderCanceled,
    OrderShown,
    Refused,
)
from ibfloor.sim.gateway.routing import group_name

_NOTED = frozenset({OPEN_ORDER, COMPLETED_ORDER, ORDER_STATUS, EXEC_DETAILS, COMMISSION, ERROR})
_SENT_MAX = 200_000


class OrderRow(msgspec.Struct, frozen=True, kw_only=True):
    """One incarnation of an order: how it stood after one change."""

    account: str
    perm_id: int
    client_id: int
    order_id: int
    order_ref: str
    con_id: int
    symbol: str
    side: Side
    qty: Decimal
    ord_type: str
    limit_px: Decimal | None
    stop_px: Decimal | None
    time_in_force: str
    status: str
    filled_qty: Decimal
    avg_px: Decimal
    placed_ns: int
    completed_ns: int
    parent_perm_id: int = 0
    oca_group: str = ""
    why_held: str = ""


class ExecutionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One execution, with the order it belongs to."""

    account: str
    exec_id: str
    perm_id: int
    client_id: int
    order_id: int
    order_ref: str
    con_id: int
    symbol: str
    side: Side
    qty: Decimal
    px: Decimal
    ts_ns: int
    commission: Decimal
    currency: str
    realised_pnl: Decimal | None


class PositionRow(msgspec.Struct, frozen=True, kw_only=True):
    """What an account holds of one contract."""

    con_id: int
    symbol: str
    qty: Decimal
    avg_cost: Decimal
    realised_pnl: Decimal


class MoveRow(msgspec.Struct, frozen=True, kw_only=True):
    """A change without an execution: a dividend, a settlement, an exercise, a split."""

    kind: str
    ts_ns: int
    currency: str
    con_id: int
    """0 for one of cash alone."""
    qty: Decimal
    """Added to the position, at ``px``."""
    px: Decimal
    amount: Decimal
    """Added to cash, beside what ``qty`` at ``px`` costs."""


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    """One account of the login."""

    account: str
    base_currency: str
    opening_cash: dict[str, Decimal]
    cash: dict[str, Decimal]
    positions: list[PositionRow]
    moves: list[MoveRow]


class SentRow(msgspec.Struct, frozen=True, kw_only=True):
    """A message about orders that a client was sent."""

    ts_ns: int
    client_id: int | None
    message: str
    order_id: int
    perm_id: int
    exec_id: str
    code: int
    text: str
    status: str


class BookReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole record."""

    accounts: list[AccountRow]
    """Every account, the login's first one first."""
    orders: list[OrderRow]
    """Every order as it stands now, oldest first."""
    incarnations: list[OrderRow]
    executions: list[ExecutionRow]
    """Those of every account as they stand now, oldest first."""
    bookings: list[ExecutionRow]
    """Every execution and correction as it came; one whose root is no more among ``executions`` was taken back."""
    refusals: list[Refused]
    sent: list[SentRow]

    @property
    def account(self) -> str:
        """Return the name of the first account."""
        return self.accounts[0].account

    @property
    def cash(self) -> dict[str, Decimal]:
        """Return the cash of the first account."""
        return self.accounts[0].cash

    @property
    def positions(self) -> list[PositionRow]:
        """Return the positions of the first account."""
        return self.accounts[0].positions


class Book:
    """Takes note of everything; bounded only in what was sent. Owner: the gateway's one thread."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self.incarnations: list[OrderRow] = []
        self.bookings: list[ExecutionRow] = []
        self.refusals: list[Refused] = []
        self.sent: deque[SentRow] = deque(maxlen=_SENT_MAX)

    def note_event(self, event: BrokerEvent) -> None:
        """Keep what happened to an order."""
        match event:
            case OrderShown(order=order) | OrderCanceled(order=order) | ComboExecuted(order=order):
                self.incarnations.append(_order_row(order))
            case Executed(order=order, execution=execution):
                self.incarnations.append(_order_row(order))
                self.bookings.append(_execution_row(execution, order))
            case Refused():
                self.refusals.append(event)
            case _:
                pass  # previews and bindings change no order

    def note_sent(self, client_id: int | None, message: Table, values: Values) -> None:
        """Keep a message about orders; market data and account values are not kept."""
        if message not in _NOTED:
            return
        self.sent.append(
            SentRow(
                ts_ns=self._now_ns(),
                client_id=client_id,
                message=message.name,
                order_id=_int(values, "req_id" if message is ERROR else "order_id"),
                perm_id=_int(values, "perm_id"),
                exec_id=str(values.get("exec_id", "")),
                code=_int(values, "code"),
                text=str(values.get("text", "")),
                status=str(values.get("status", "")),
            )
        )

    def report(self, broker: Broker) -> BookReport:
        """Return the whole record as it stands."""
        orders = sorted((*broker.open_orders(), *broker.completed_orders()), key=lambda order: order.perm_id)
        return BookReport(
            accounts=[_account_row(account) for account in broker.accounts.values()],
            orders=[_order_row(order) for order in orders],
            incarnations=list(self.incarnations),
            executions=[_execution_row(one, broker.order(one.order_key)) for one in broker.executions()],
            bookings=list(self.bookings),
            refusals=list(self.refusals),
            sent=list(self.sent),
        )


def book_hash(report: BookReport) -> str:
    """Return a digest of a record: equal records, equal digests."""
    return hashlib.sha256(msgspec.json.encode(report)).hexdigest()


def _int(values: Values, name: str) -> int:
    value = values.get(name)
    return value if isinstance(value, int) else 0


def _account_row(account: SimAccount) -> AccountRow:
    return AccountRow(
        account=account.account,
        base_currency=account.base_currency,
        opening_cash={str(currency): amount for currency, amount in account.opening_cash.items()},
        cash={str(currency): amount for currency, amount in account.cash.items()},
        positions=[
            PositionRow(
                con_id=position.instrument.instrument_id,
                symbol=position.instrument.contract.symbol,
                qty=position.qty,
                avg_cost=position.avg_cost,
                realised_pnl=position.realised_pnl,
            )
            for position in account.positions
        ],
        moves=[
            MoveRow(
                kind=move.kind,
                ts_ns=move.ts_ns,
                currency=move.currency,
                con_id=0 if move.instrument is None else move.instrument.instrument_id,
                qty=move.qty,
                px=move.px,
                amount=move.amount,
            )
            for move in account.moves
        ],
    )


def _order_row(order: BrokerOrder) -> OrderRow:
    ticket = order.ticket
    return OrderRow(
        account=ticket.account,
        perm_id=order.perm_id,
        client_id=order.client_id,
        order_id=order.order_id,
        order_ref=ticket.order_ref,
        con_id=ticket.instrument.instrument_id,
        symbol=ticket.instrument.contract.symbol,
        side=ticket.side,
        qty=ticket.qty,
        ord_type=ticket.type_text,
        limit_px=order.limit_px,
        stop_px=order.stop_px,
        time_in_force=ticket.tif_text,
        status=order.status,
        filled_qty=order.filled_qty,
        avg_px=order.avg_px,
        placed_ns=order.placed_ns,
        completed_ns=order.completed_ns,
        parent_perm_id=order.parent_perm_id,
        oca_group=group_name(order),
        why_held=order.why_held,
    )


def _execution_row(execution: SimExecution, order: BrokerOrder) -> ExecutionRow:
    return ExecutionRow(
        account=order.ticket.account,
        exec_id=execution.exec_id,
        perm_id=order.perm_id,
        client_id=order.client_id,
        order_id=order.order_id,
        order_ref=order.ticket.order_ref,
        con_id=execution.instrument.instrument_id,
        symbol=execution.instrument.contract.symbol,
        side=execution.side,
        qty=execution.qty,
        px=execution.px,
        ts_ns=execution.ts_ns,
        commission=execution.commission,
        currency=execution.currency,
        realised_pnl=execution.realised_pnl,
    )
