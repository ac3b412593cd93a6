"""What the MessageQueue tells a strategy's worker: a fact with the values it changed."""

from __future__ import annotations

import msgspec

from ibfloor.manager.floor_state import Applied, FloorState
from ibfloor.model.fact import AnyFact
from ibfloor.model.ids import StrategyId
from ibfloor.model.order import Order
from ibfloor.portfolio.book import Book


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A fact of one strategy, with its order and book as they are after it."""

    fact: AnyFact
    order: Order | None
    book: Book


class Homecoming(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker finds when it starts: its working orders, its book, and how far its ids went."""

    working: tuple[Order, ...]
    book: Book
    last_intent: int
    order_id_high_water: int


def notice_of(applied: Applied, state: FloorState, strategy: StrategyId) -> Notice:
    """Return what to tell a strategy; called on the queue's thread."""
    return Notice(fact=applied.fact, order=applied.order, book=state.books.book(strategy))


def homecoming(state: FloorState, strategy: StrategyId, client_id: int) -> Homecoming:
    """Return what a strategy's worker starts from; called on the queue's thread."""
    return Homecoming(
        working=tuple(order for order in state.orders.working() if order.request.strategy == strategy),
        book=state.books.book(strategy),
        last_intent=state.orders.last_intent(strategy),
        order_id_high_water=state.orders.high_water(client_id),
    )
