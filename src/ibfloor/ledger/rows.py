"""From a fact to the rows it makes in the ledger's query tables."""

from __future__ import annotations

import sqlite3

from ibfloor.model.fact import (
    AnyFact,
    ClientAssigned,
    FeeReported,
    OrderDoubted,
    OrderFilled,
    OrderRejected,
    OrderReported,
    OrderSubmitted,
    ReplaceRequested,
)
from ibfloor.model.ids import ClientOrderId, StrategyId, exec_root, owner_of
from ibfloor.model.order import OrderRequest, OrdStatus

_ORDER = "INSERT OR IGNORE INTO orders VALUES (?,?,?,?,?,?,?,?,?,?,?,?,0,?,'',?,?)"
_EXECUTION = "INSERT OR IGNORE INTO executions VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
# What is done stays done, whatever comes late.
_STATUS = """UPDATE orders SET status = ?1, text = ?2, ts_updated_ns = ?3,
    perm_id = CASE ?4 WHEN 0 THEN perm_id ELSE ?4 END
    WHERE cl_ord_id = ?5 AND (?6 OR status NOT IN ('FILLED', 'CANCELED', 'REJECTED'))"""
_REPLACE = "UPDATE orders SET order_qty = ?, limit_px = ?, stop_px = ?, ts_updated_ns = ? WHERE cl_ord_id = ?"


def owner(fact: AnyFact) -> tuple[StrategyId | None, ClientOrderId | None]:
    """Return the strategy and the order a fact is about, where it is about one."""
    request: OrderRequest | None = getattr(fact, "request", None)
    if request is not None:
        return request.strategy, request.cl_ord_id
    order_id: ClientOrderId | None = getattr(fact, "cl_ord_id", None)
    strategy: StrategyId | None = getattr(fact, "strategy", None)
    return strategy or (owner_of(order_id) if order_id else None), order_id


def apply(cursor: sqlite3.Cursor, seq: int, fact: AnyFact) -> None:
    """Fold one fact into the query tables."""
    match fact:
        case OrderSubmitted():
            cursor.execute(_ORDER, _order_row(fact))
        case ReplaceRequested(request=request):
            prices = (_text(request.limit_px), _text(request.stop_px))
            cursor.execute(_REPLACE, (str(request.order_qty), *prices, fact.ts_init_ns, request.cl_ord_id))
        case OrderReported():
            _set_status(cursor, fact.cl_ord_id, fact.status, fact.text, fact.ts_init_ns, fact.perm_id)
        case OrderRejected():
            text = f"{fact.code}: {fact.text}"
            _set_status(cursor, fact.cl_ord_id, OrdStatus.REJECTED, text, fact.ts_init_ns)
        case OrderDoubted():
            _set_status(cursor, fact.cl_ord_id, OrdStatus.UNKNOWN, fact.reason, fact.ts_init_ns)
        case OrderFilled():
            cursor.execute(_EXECUTION, _execution_row(seq, fact))
        case FeeReported():
            row = (fact.exec_id, str(fact.fee.amount), fact.fee.currency)
            cursor.execute("INSERT OR REPLACE INTO fees VALUES (?,?,?)", row)
        case ClientAssigned():
            cursor.execute("INSERT OR REPLACE INTO clients VALUES (?,?)", (fact.strategy, fact.client_id))
        case _:  # all other facts are read from the facts table alone
            pass


def _set_status(
    cursor: sqlite3.Cursor, order_id: ClientOrderId, status: OrdStatus, text: str, ts_ns: int, perm_id: int = 0
) -> None:
    cursor.execute(_STATUS, (status.value, text, ts_ns, perm_id, order_id, status.is_done))


def _order_row(fact: OrderSubmitted) -> tuple[object, ...]:
    request = fact.request
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
        fact.client_id,
        fact.order_id,
        OrdStatus.PENDING_NEW.value,
        fact.ts_event_ns,
        fact.ts_init_ns,
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


def _text(px: object | None) -> str | None:
    return None if px is None else str(px)
