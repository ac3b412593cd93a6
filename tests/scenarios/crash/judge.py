"""What must hold after a kill, judged by the gateway's own book."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from tests.scenarios.crash.stage import NAMES, Stage

from ibfloor.ledger.verify import verify
from ibfloor.manager.floor_state import FloorState
from ibfloor.model.ids import UNASSIGNED, StrategyId, owner_of
from ibfloor.sim.gateway.book import BookReport

_WORKING = ("PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel")
_ENDED = {"Filled": "FILLED", "Cancelled": "CANCELED", "Inactive": "REJECTED"}


def violations(stage: Stage, *, repeats_allowed: int) -> list[str]:
    """Return what is wrong once the last floor has ended; ``repeats_allowed``: fills told twice."""
    book, state, summary = stage.book(), stage.ledger(), stage.summary()
    found = [
        *_orders(book, state),
        *_fills(book, state),
        *_books(book, state),
        *_told(stage, book, state, repeats_allowed),
    ]
    if summary.get("books_equal_account") is not True:
        found.append("the floor does not find its books equal to the account")
    if summary.get("unknown_orders") or summary.get("breaks"):
        found.append(f"unknown orders {summary.get('unknown_orders')}, breaks {summary.get('breaks')}")
    report = verify(stage.home)
    return found + [f"ledger: {problem}" for problem in report.problems]


def _orders(book: BookReport, state: FloorState) -> Iterator[str]:
    times = Counter(row.order_ref for row in book.orders)
    yield from (f"{ref} is at the broker {n} times" for ref, n in times.items() if n > 1)
    ids = Counter((row.client_id, row.order_id) for row in book.orders)
    yield from (f"order id {key} was used {n} times" for key, n in ids.items() if n > 1)
    theirs = {row.order_ref: row for row in book.orders}
    for row in book.orders:
        if row.status in _WORKING:
            yield f"{row.order_ref} works on ({row.status}): nobody could cancel it"
    for order in state.orders:
        row_or_none = theirs.pop(order.cl_ord_id, None)
        if row_or_none is None:
            if order.status.value not in ("REJECTED", "CANCELED") or order.cum_qty:
                yield f"{order.cl_ord_id} is {order.status} with {order.cum_qty}, and the broker never had it"
            continue
        ended = _ENDED.get(row_or_none.status, row_or_none.status)
        # The broker calls an order it refused either word.
        if ended != order.status.value and {ended, order.status.value} != {"REJECTED", "CANCELED"}:
            yield f"{order.cl_ord_id} is {order.status} in the ledger, {row_or_none.status} at the broker"
        if order.cum_qty != row_or_none.filled_qty:
            yield f"{order.cl_ord_id} filled {order.cum_qty} in the ledger, {row_or_none.filled_qty} at the broker"
    yield from (f"{ref} is at the broker, and the ledger does not know it" for ref in theirs)


def _fills(book: BookReport, state: FloorState) -> Iterator[str]:
    ours = {fill.exec_id: (fill.strategy, fill.side, fill.last_qty, fill.last_px) for fill in state.fills.values()}
    for row in book.executions:
        theirs = (owner_of(row.order_ref) or UNASSIGNED, row.side, row.qty, row.px)
        mine = ours.pop(row.exec_id, None)  # type: ignore[call-overload]
        if mine is None:
            yield f"execution {row.exec_id} of {row.order_ref} is not in the ledger"
        elif mine != theirs:
            yield f"execution {row.exec_id}: {mine} in the ledger, {theirs} at the broker"
    yield from (f"execution {exec_id} is in the ledger alone" for exec_id in ours)


def _books(book: BookReport, state: FloorState) -> Iterator[str]:
    for name in NAMES:
        rows = [row for row in book.executions if owner_of(row.order_ref) == name]
        cash = sum((-row.side.sign * row.qty * row.px - row.commission for row in rows), Decimal(0))
        ours = state.books.book(StrategyId(name)).cash.get("USD", Decimal(0))  # type: ignore[call-overload]
        if ours != cash:
            yield f"{name} has {ours} in its book, by the gateway {cash}"
    if (total := state.books.account_cash().get("USD")) != book.cash.get("USD"):  # type: ignore[call-overload]
        yield f"the books' cash is {total}, the account's {book.cash.get('USD')}"


def _told(stage: Stage, book: BookReport, state: FloorState, repeats_allowed: int) -> Iterator[str]:
    for name in NAMES:
        told = Counter(stage.notes(name, "fill"))
        untold = {fill.exec_id for _, fill in state.record(StrategyId(name)).untold}
        theirs = {row.exec_id for row in book.executions if owner_of(row.order_ref) == name}
        for exec_id in theirs - set(told) - untold:
            yield f"{name} was never told of {exec_id}, and it is not kept for its next start"
        repeats = [exec_id for exec_id, n in told.items() if n > 1]
        if len(repeats) > repeats_allowed:
            yield f"{name} was told twice of {repeats}"
