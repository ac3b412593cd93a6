"""One intent, two orders at the broker: both are known, and what works is canceled until nothing does."""

from __future__ import annotations

from typing import Any

import pytest

from ibfloor.execution.order_table import OrderTable
from ibfloor.execution.recovery import forks
from ibfloor.model.fact import OrderForked
from ibfloor.model.ids import ClientOrderId
from ibfloor.model.order import OrdStatus

SMA_1 = ClientOrderId("sma:1")


@pytest.fixture
def table(facts: Any) -> OrderTable:
    table = OrderTable()
    table.apply(facts.submitted(facts.request()))
    table.apply(facts.reported(OrdStatus.NEW, perm_id=11))
    return table


def test_two_orders_of_one_intent_are_a_fork_and_one_is_none(table: OrderTable, facts: Any) -> None:
    one, other = facts.listed(perm_id=11), facts.listed(perm_id=12)
    assert forks(table, facts.snapshot(working=[one])) == {}
    assert forks(table, facts.snapshot(working=[one, other])) == {SMA_1: (11, 12)}


def test_half_of_a_fork_is_one_still(table: OrderTable, facts: Any) -> None:
    rest = facts.snapshot(working=[facts.listed(perm_id=11)])
    assert forks(table, rest, {SMA_1}) == {SMA_1: (11,)}
    assert forks(table, facts.snapshot(), {SMA_1}) == {}


def test_filled_intent_that_works_on_is_a_fork(table: OrderTable, facts: Any) -> None:
    table.apply(facts.filled(100))
    assert forks(table, facts.snapshot(working=[facts.listed(perm_id=12)])) == {SMA_1: (12,)}


def test_order_of_nobody_is_no_fork(table: OrderTable, facts: Any) -> None:
    foreign = [facts.listed(ref="", perm_id=55), facts.listed(ref="", perm_id=56)]
    assert forks(table, facts.snapshot(working=foreign)) == {}


def test_fill_of_either_is_the_intents_own_without_a_reference(table: OrderTable, facts: Any) -> None:
    table.apply(OrderForked(ts_event_ns=1, ts_init_ns=1, cl_ord_id=SMA_1, perm_ids=(11, 12, 13)))
    order = table.get(SMA_1)
    assert order is not None
    assert order.perm_ids == (11, 12, 13)
    assert {table.by_perm_id(perm_id) for perm_id in (11, 12, 13)} == {order}
