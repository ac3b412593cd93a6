"""An order for a combination: its legs' executions alone fill it, as far as all of them have come."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ibfloor.execution.order_table import OrderTable
from ibfloor.model.combo import combo_id
from ibfloor.model.fact import OrderFilled
from ibfloor.model.ids import ClientOrderId, InstrumentId
from ibfloor.model.order import Order, OrderRequest, OrdStatus, Side
from ibfloor.model.terms import Combo, ComboLeg, OrderTerms

D = Decimal
SPY, QQQ = InstrumentId(756733), InstrumentId(320227571)
PAIR = Combo(legs=(ComboLeg(instrument_id=SPY, ratio=1), ComboLeg(instrument_id=QQQ, ratio=-2)))
SMA_1 = ClientOrderId("sma:1")


def pair_order(facts: Any, qty: int = 10) -> OrderRequest:
    request: OrderRequest = facts.request(qty=qty, px="12")
    return replace(request, instrument_id=combo_id(PAIR), terms=OrderTerms(combo=PAIR))


@pytest.fixture
def table(facts: Any) -> OrderTable:
    table = OrderTable()
    table.apply(facts.submitted(pair_order(facts)))
    return table


def spy(facts: Any, qty: int, px: str = "168", exec_id: str = "a.01") -> OrderFilled:
    fact: OrderFilled = facts.filled(qty, px, exec_id)
    return fact


def qqq(facts: Any, qty: int, px: str = "78", exec_id: str = "b.01") -> OrderFilled:
    fact: OrderFilled = facts.filled(qty, px, exec_id, side=Side.SELL, instrument_id=QQQ)
    return fact


def state(table: OrderTable) -> tuple[OrdStatus, int]:
    return now(table).status, int(now(table).cum_qty)


def now(table: OrderTable) -> Order:
    order = table.get(SMA_1)
    assert order is not None
    return order


def test_a_combination_has_filled_when_all_its_legs_have(table: OrderTable, facts: Any) -> None:
    table.apply(facts.reported(OrdStatus.NEW))
    table.apply(spy(facts, 10))
    assert state(table) == (OrdStatus.NEW, 0)
    table.apply(qqq(facts, 12))
    assert state(table) == (OrdStatus.PARTIALLY_FILLED, 6)
    assert now(table).leaves_qty == 4
    table.apply(qqq(facts, 8, "77", "c.01"))
    assert state(table) == (OrdStatus.FILLED, 10)
    assert now(table).avg_px == D(168) - 2 * D("77.6")


def test_an_end_that_was_told_first_waits_for_the_last_leg(table: OrderTable, facts: Any) -> None:
    table.apply(facts.reported(OrdStatus.FILLED, cum_qty=10))
    table.apply(spy(facts, 10))
    assert not now(table).status.is_done
    table.apply(qqq(facts, 20))
    assert now(table).status is OrdStatus.FILLED


def test_a_correction_of_a_leg_takes_back_what_it_filled(table: OrderTable, facts: Any) -> None:
    for fact in (facts.reported(OrdStatus.NEW), spy(facts, 5), qqq(facts, 10), qqq(facts, 10, "79", "b.02")):
        table.apply(fact)
    assert (now(table).cum_qty, now(table).avg_px) == (D(5), D(168) - 2 * D(79))
    table.apply(qqq(facts, 6, "79", "b.03"))
    assert (now(table).cum_qty, now(table).status) == (D(3), OrdStatus.PARTIALLY_FILLED)


def test_legs_that_come_before_their_order_are_its_own(facts: Any) -> None:
    table = OrderTable()
    for fact in (spy(facts, 10), qqq(facts, 20), facts.submitted(pair_order(facts))):
        table.apply(fact)
    assert state(table) == (OrdStatus.FILLED, 10)


def test_a_late_leg_after_the_cancel_still_counts(table: OrderTable, facts: Any) -> None:
    for fact in (spy(facts, 4), facts.reported(OrdStatus.CANCELED), qqq(facts, 8)):
        table.apply(fact)
    assert state(table) == (OrdStatus.CANCELED, 4)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9)), max_size=12), st.randoms())
def test_in_whatever_order_legs_come_the_whole_is_what_the_slowest_has(
    facts: Any, parts: list[tuple[bool, int]], random: Any
) -> None:
    fills = [
        spy(facts, qty, exec_id=f"x{n}.01") if is_first else qqq(facts, 2 * qty, exec_id=f"x{n}.01")
        for n, (is_first, qty) in enumerate(parts)
    ]
    ends = set()
    for _ in range(2):
        random.shuffle(fills)
        table = OrderTable()
        table.apply(facts.submitted(pair_order(facts, 1000)))
        for fill in (*fills, *fills):
            if table.is_news(fill):
                table.apply(fill)
        ends.add((now(table).cum_qty, now(table).avg_px))
    first, second = (sum(qty for is_first, qty in parts if is_first is which) for which in (True, False))
    assert {cum_qty for cum_qty, _ in ends} == {D(min(first, second))}
    assert len(ends) == 1
