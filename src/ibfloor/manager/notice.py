"""What the MessageQueue tells a strategy's worker: a fact with the values it changed."""

from __future__ import annotations

import msgspec

from ibfloor.execution.bracket_watch import bracket_orders
from ibfloor.manager.floor_state import Applied, FloorState
from ibfloor.model.fact import AnyFact, OrderFilled
from ibfloor.model.ids import StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.order import Order
from ibfloor.portfolio.book import Book


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A fact of one strategy, with its order and book as they are after it."""

    fact: AnyFact
    order: Order | None
    book: Book
    execution: int = 0
    """Of a fill: the how manieth execution of the strategy it is."""
    instrument: Instrument | None = None
    """Of a fill: the broker's definition, where the floor has met it."""


class Homecoming(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker finds when it starts: its working orders, its book, and how far its ids went."""

    missed: tuple[Notice, ...]
    """The fills that the strategy has not handled, oldest first."""
    told: int
    """Up to which of its executions the strategy counts as told."""
    working: tuple[Order, ...]
    brackets: tuple[Order, ...]
    """All orders of the brackets that are not over, done ones included."""
    book: Book
    last_intent: int
    order_id_high_water: int


def notice_of(applied: Applied, state: FloorState, strategy: StrategyId) -> Notice:
    """Return what to tell a strategy; called on the queue's thread."""
    fact = applied.fact
    if not isinstance(fact, OrderFilled):
        return Notice(fact=fact, order=applied.order, book=state.books.book(strategy))
    return Notice(
        fact=fact,
        order=applied.order,
        book=state.books.book(strategy),
        execution=state.record(strategy).executions,
        instrument=state.instruments.get(fact.instrument_id),
    )


def homecoming(state: FloorState, strategy: StrategyId, client_id: int) -> Homecoming:
    """Return what a strategy's worker starts from; called on the queue's thread."""
    record, book = state.record(strategy), state.books.book(strategy)
    missed = tuple(
        Notice(
            fact=fill,
            order=None if fill.cl_ord_id is None else state.orders.get(fill.cl_ord_id),
            book=book,
            execution=number,
            instrument=state.instruments.get(fill.instrument_id),
        )
        for number, fill in record.untold
    )
    return Homecoming(
        missed=missed,
        told=record.executions if record.told < 0 else record.told,
        working=tuple(order for order in state.orders.working() if order.request.strategy == strategy),
        brackets=bracket_orders(order for order in state.orders if order.request.strategy == strategy),
        book=book,
        last_intent=state.orders.last_intent(strategy),
        order_id_high_water=state.orders.high_water(client_id),
    )
