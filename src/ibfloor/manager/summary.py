"""FloorSummary: what one run of the floor came to, as one line of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from ibfloor.manager.desk import DeskNow
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.marks import Marks
from ibfloor.manager.rows import cents, holdings_by_symbol
from ibfloor.model.ids import StrategyId
from ibfloor.model.order import Order
from ibfloor.portfolio.valuation import value


class StrategySummary(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy: its state and its book at the end."""

    state: str
    state_before: str
    """As it was when the floor was told to end."""
    orders: int
    fills: int
    restarts: int
    positions: dict[str, Decimal]
    pnl: Decimal | None


class FloorSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The whole run; counts include what the ledger had before."""

    strategies: dict[str, StrategySummary]
    orders: int
    fills: int
    rejected: int
    breaks: int
    unknown_orders: int
    ticks: int
    bars_stored: int
    loop_lag_p99_ms: float
    books_equal_account: bool
    left_working: tuple[str, ...] = ()
    """Every order that still works at the broker, those of the policy ``keep`` among them."""
    not_stopped: str = ""
    """What did not end as its stop policy says; empty when all did."""


def left_working(state: FloorState) -> tuple[str, ...]:
    """Return every order that works on, for a person; called on the queue's thread."""
    return tuple(_described(state, order) for order in state.orders.working())


def _described(state: FloorState, order: Order) -> str:
    request = order.request
    instrument = state.instruments.get(request.instrument_id)
    symbol = request.instrument_id if instrument is None else instrument.contract
    return f"{request.cl_ord_id} {request.side} {request.order_qty - order.cum_qty} {symbol} {order.status}"


def strategy_summaries(
    state: FloorState, desks: tuple[DeskNow, ...], before: Mapping[StrategyId, str], marks: Marks
) -> dict[str, StrategySummary]:
    """Return the strategies' part: as ``desks`` say, and the states ``before``; called on the queue's thread."""
    summaries = {}
    for desk in desks:
        book, record = state.books.book(desk.name), state.record(desk.name)
        valuation = value(book, marks.of(set(book.open_positions)), marks.rates())
        summaries[str(desk.name)] = StrategySummary(
            state=desk.state,
            state_before=before.get(desk.name, desk.state),
            orders=record.orders,
            fills=record.fills,
            restarts=desk.restarts,
            positions=holdings_by_symbol(state, valuation),
            pnl=cents(valuation.pnl),
        )
    return summaries
