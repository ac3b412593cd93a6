"""From facts to the ledger's query tables: an order's row is what the order table makes of its facts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from ibfloor.execution.order_table import OrderTable
from ibfloor.ledger.segment import decode_fact
from ibfloor.model.entry import BookEntry, CashLeg, PositionLeg, SettleLeg, SplitLeg
from ibfloor.model.fact import AnyFact, ClientAssigned, FeeReported, FillsTold, OrderFilled
from ibfloor.model.ids import ClientOrderId, StrategyId, exec_root, owner_of
from ibfloor.model.order import Order, OrderRequest

_ORDER = "INSERT OR REPLACE INTO orders VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_EXECUTION = "INSERT OR IGNORE INTO executions VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
_ENTRY = "INSERT OR IGNORE INTO entries VALUES (?,?,?,?,?,?,?,?)"
_LEG = "INSERT OR IGNORE INTO entry_legs VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
_EARLIER = "SELECT body FROM facts WHERE cl_ord_id = ? AND seq < ? ORDER BY seq"
_ORDERS_KEPT = 500


def owner(fact: AnyFact) -> tuple[StrategyId | None, ClientOrderId | None]:
    """Return the strategy and the order a fact is about, where it is about one."""
    request: OrderRequest | None = getattr(fact, "request", None)
    if request is not None:
        return request.strategy, request.cl_ord_id
    order_id: ClientOrderId | None = getattr(fact, "cl_ord_id", None)
    strategy: StrategyId | None = getattr(fact, "strategy", None)
    return strategy or (owner_of(order_id) if order_id else None), order_id


class QueryTables:
    """Folds facts into rows. It remembers recent orders: throw it away when its transaction fails."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._orders = OrderTable()
        self._met: set[ClientOrderId] = set()
        """Orders whose earlier facts are in the table, also those that no ``OrderSubmitted`` names."""
        self._changed: dict[ClientOrderId, Order] = {}

    def apply(self, seq: int, fact: AnyFact, order_id: ClientOrderId | None) -> None:
        """Fold one fact, in order; ``order_id`` is the order it is about. Orders wait for ``flush``."""
        if order_id is not None:
            self._apply_to_order(seq, fact, order_id)
        match fact:
            case OrderFilled():
                self._db.execute(_EXECUTION, _execution_row(seq, fact))
            case FeeReported():
                row = (fact.exec_id, str(fact.fee.amount), fact.fee.currency)
                self._db.execute("INSERT OR REPLACE INTO fees VALUES (?,?,?)", row)
            case BookEntry():
                self._db.execute(_ENTRY, _entry_row(seq, fact))
                self._db.executemany(_LEG, _leg_rows(fact))
            case ClientAssigned():
                self._db.execute("INSERT OR REPLACE INTO clients VALUES (?,?)", (fact.strategy, fact.client_id))
            case FillsTold():
                self._db.execute("INSERT OR REPLACE INTO told VALUES (?,?)", (fact.strategy, fact.number))
            case _:  # all other facts are read from the facts table alone
                pass

    def _apply_to_order(self, seq: int, fact: AnyFact, order_id: ClientOrderId) -> None:
        if order_id not in self._met:
            self._met.add(order_id)
            for (body,) in self._db.execute(_EARLIER, (order_id, seq)):
                self._orders.apply(decode_fact(body))
        order = self._orders.apply(fact)
        if order is not None:
            self._changed[order_id] = order

    def flush(self) -> None:
        """Write the rows of changed orders, each once, in the state the last fact left it."""
        self._db.executemany(_ORDER, map(_order_row, self._changed.values()))
        self._changed.clear()
        if len(self._met) > _ORDERS_KEPT:  # not before: facts of this transaction cannot be read back yet
            self._orders, self._met = OrderTable(), set()


def _order_row(order: Order) -> tuple[object, ...]:
    request = order.request
    return (
        request.cl_ord_id,
        request.strategy,
        request.instrument_id,
        request.side.value,
        str(request.order_qty),
        request.ord_type.value,
        _text(request.limit_px),
        _text(request.stop_px),
        request.time_in_force.value,
        request.note,
        order.client_id,
        order.order_id,
        " ".join(map(str, order.perm_ids)),
        order.status.value,
        str(order.cum_qty),
        str(order.avg_px),
        order.text,
        order.ts_submitted_ns,
        order.ts_updated_ns,
    )


def _execution_row(seq: int, fact: OrderFilled) -> tuple[object, ...]:
    root, revision = exec_root(fact.exec_id)
    return (
        fact.exec_id,
        root,
        revision,
        fact.cl_ord_id,
        fact.strategy,
        fact.instrument_id,
        fact.side.value,
        str(fact.last_qty),
        str(fact.last_px),
        fact.currency,
        str(fact.multiplier),
        fact.ts_event_ns,
        seq,
    )


def _entry_row(seq: int, fact: BookEntry) -> tuple[object, ...]:
    return (
        fact.entry_id,
        fact.kind.value,
        fact.reason,
        fact.actor,
        fact.reverses,
        fact.break_key,
        fact.ts_event_ns,
        seq,
    )


def _leg_rows(fact: BookEntry) -> Iterator[tuple[object, ...]]:
    for number, leg in enumerate(fact.legs):
        head = (f"{fact.entry_id}#{number:05}", fact.entry_id)
        who = (leg.strategy, leg.instrument_id)
        match leg:
            case PositionLeg():
                of_position = (str(leg.qty), str(leg.px), leg.currency, str(leg.multiplier))
                yield (*head, "position", *who, *of_position, None, None, None)
            case CashLeg():
                yield (*head, "cash", *who, None, None, leg.amount.currency, None, str(leg.amount.amount), None, None)
            case SettleLeg():
                yield (*head, "settlement", *who, None, str(leg.px), None, None, None, None, None)
            case SplitLeg():
                yield (*head, "split", *who, None, None, None, None, None, leg.new, leg.old)


def _text(px: object | None) -> str | None:
    return None if px is None else str(px)
