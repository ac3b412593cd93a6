"""What orders cost in memory once they are done: each is remembered for two weeks, few are shown."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from typing import cast

import pytest
from tests.unit.unlimited import NO_LIMITS

from ibfloor.clock import FloorClock
from ibfloor.ledger.segment import decode_fact, encode
from ibfloor.manager.account_board import AccountBoard
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.portfolio_manager import PortfolioManager
from ibfloor.manager.screen import KEEP, Screen
from ibfloor.model.arrival import Arrival
from ibfloor.model.fact import AnyFact, FeeReported, OrderFilled, OrderReported, OrderSubmitted
from ibfloor.model.ids import AccountId, ExecId, InstrumentId, StrategyId, cl_ord_id
from ibfloor.model.money import USD, Money
from ibfloor.model.order import OrderRequest, OrdStatus, OrdType, Side
from ibfloor.risk.gate import RiskGate

STRATEGY, SPY = StrategyId("alpha"), InstrumentId(756733)
ORDERS = 1_000
BYTES_MAX = 3_072


def life(number: int) -> Iterator[AnyFact]:
    """Yield the facts of an order that fills: bought and sold in turn, each at a price of its own."""
    order_id, ts_ns = cl_ord_id(STRATEGY, number), 1_380_000_000_000_000_000 + number * 1_000_000_007
    exec_id, px = ExecId(f"0000e0d5.{number:08x}.01.01"), Decimal(f"168.{number % 100:02}")
    side = Side.BUY if number % 2 else Side.SELL
    request = OrderRequest(
        cl_ord_id=order_id,
        strategy=STRATEGY,
        instrument_id=SPY,
        side=side,
        order_qty=Decimal(100),
        ord_type=OrdType.LIMIT,
        limit_px=px,
    )
    yield OrderSubmitted(
        ts_event_ns=ts_ns,
        ts_init_ns=ts_ns,
        request=request,
        client_id=10,
        order_id=number,
        arrival=Arrival(px, ts_ns, "mid"),
    )
    for status in (OrdStatus.PENDING_NEW, OrdStatus.NEW):
        yield OrderReported(
            ts_event_ns=ts_ns + 1, ts_init_ns=ts_ns + 1, cl_ord_id=order_id, status=status, perm_id=900_000 + number
        )
    yield OrderFilled(
        ts_event_ns=ts_ns + 2,
        ts_init_ns=ts_ns + 3,
        exec_id=exec_id,
        cl_ord_id=order_id,
        strategy=STRATEGY,
        instrument_id=SPY,
        side=side,
        last_qty=Decimal(100),
        last_px=px,
        currency=USD,
        perm_id=900_000 + number,
        account=AccountId("DU1000001"),
        order_ref=order_id,
    )
    yield FeeReported(ts_event_ns=ts_ns + 4, ts_init_ns=ts_ns + 4, exec_id=exec_id, fee=Money(Decimal("1.05"), USD))


@pytest.mark.slow
def test_an_order_that_is_done_costs_less_than_three_kib_with_its_fill_and_its_fee() -> None:
    state, gate = FloorState(), RiskGate(NO_LIMITS)

    def fold(first: int, count: int) -> None:
        for number in range(first, first + count):
            for fact in life(number):
                taken = decode_fact(encode(fact))  # as replay does: no value is shared with any other fact
                gate.apply(taken, state.apply(taken).order)
        state.books.book(STRATEGY)

    fold(1, 100)
    gc.collect()
    tracemalloc.start()
    try:
        fold(101, ORDERS)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(state.orders) == ORDERS + 100
    assert not state.orders.working()
    assert held / ORDERS < BYTES_MAX


def test_a_floor_that_comes_back_shows_the_newest_orders_and_those_that_work() -> None:
    state = FloorState()
    submitted, *_ = life(1)
    state.apply(submitted)
    for number in range(2, 1_002):
        for fact in life(number):
            state.apply(fact)
    rows = Screen(state, cast(PortfolioManager, None), AccountBoard(), FloorClock())._touched()
    orders = [key for topic, key, _ in rows if topic == "orders"]
    first = 1_002 - KEEP["orders"]
    assert sorted(orders) == sorted([cl_ord_id(STRATEGY, n) for n in (1, *range(first, 1_002))])
    assert sum(topic == "fills" for topic, _, _ in rows) == KEEP["fills"]
