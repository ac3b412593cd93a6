"""Facts of an order's life, and a home to keep them in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from ibfloor.ledger.journal import JournalWriter
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.model.fact import (
    AnyFact,
    ClientAssigned,
    FeeReported,
    OrderFilled,
    OrderReported,
    OrderSubmitted,
)
from ibfloor.model.ids import ExecId, InstrumentId, StrategyId, cl_ord_id
from ibfloor.model.money import USD, Money
from ibfloor.model.order import OrderRequest, OrdStatus, OrdType, Side

SPY = StrategyId("sma-spy")


def submitted(number: int, strategy: StrategyId = SPY) -> OrderSubmitted:
    request = OrderRequest(
        cl_ord_id=cl_ord_id(strategy, number),
        strategy=strategy,
        instrument_id=InstrumentId(756733),
        side=Side.BUY,
        order_qty=Decimal(100),
        ord_type=OrdType.LIMIT,
        limit_px=Decimal("101.25"),
    )
    return OrderSubmitted(ts_event_ns=number, ts_init_ns=number, request=request, client_id=10, order_id=number + 40)


def life(number: int) -> list[AnyFact]:
    order_id, exec_id = cl_ord_id(SPY, number), ExecId(f"0000e0d5.{number:08x}.01.01")
    filled = OrderFilled(
        ts_event_ns=number,
        ts_init_ns=number,
        exec_id=exec_id,
        cl_ord_id=order_id,
        strategy=SPY,
        instrument_id=InstrumentId(756733),
        side=Side.BUY,
        last_qty=Decimal(100),
        last_px=Decimal("101.24"),
        currency=USD,
    )
    return [
        submitted(number),
        OrderReported(ts_event_ns=number, ts_init_ns=number, cl_ord_id=order_id, status=OrdStatus.NEW, perm_id=7),
        filled,
        OrderReported(ts_event_ns=number, ts_init_ns=number, cl_ord_id=order_id, status=OrdStatus.FILLED),
        FeeReported(ts_event_ns=number, ts_init_ns=number, exec_id=exec_id, fee=Money(Decimal("1.05"), USD)),
    ]


def story(orders: int) -> list[AnyFact]:
    facts: list[AnyFact] = [ClientAssigned(ts_event_ns=0, ts_init_ns=0, strategy=SPY, client_id=10)]
    for number in range(1, orders + 1):
        facts.extend(life(number))
    return facts


Journal = Callable[[Iterable[AnyFact]], None]


@pytest.fixture
def paths(tmp_path: Path) -> LedgerPaths:
    paths = LedgerPaths(tmp_path)
    paths.make_folders()
    return paths


@pytest.fixture
def journal(paths: LedgerPaths) -> Journal:
    """Append facts to the ordered journal as one run of the MessageQueue does."""
    next_seq = 1

    def write(facts: Iterable[AnyFact]) -> None:
        nonlocal next_seq
        with JournalWriter(paths.facts_journal) as writer:
            for fact in facts:
                writer.append(fact, next_seq)
                next_seq += 1

    return write


@pytest.fixture
def order() -> Callable[[int], OrderSubmitted]:
    return submitted


@pytest.fixture
def facts() -> Callable[[int], list[AnyFact]]:
    return story


@pytest.fixture
def fills_of_one() -> Callable[[int], list[AnyFact]]:
    """Executions of one order, and nothing else of it."""
    filled = life(1)[2]
    assert isinstance(filled, OrderFilled)

    def make(count: int) -> list[AnyFact]:
        ids = (ExecId(f"0000e0d5.{number:08x}.01.01") for number in range(count))
        return [msgspec.structs.replace(filled, exec_id=each, last_qty=Decimal(1)) for each in ids]

    return make


@pytest.fixture
def correction() -> list[AnyFact]:
    """An order's life, then the broker's correction of its execution's price."""
    facts = life(1)
    filled = facts[2]
    assert isinstance(filled, OrderFilled)
    exec_id = ExecId(filled.exec_id.removesuffix("01") + "02")
    return [*facts, msgspec.structs.replace(filled, exec_id=exec_id, last_px=Decimal("101.20"))]
