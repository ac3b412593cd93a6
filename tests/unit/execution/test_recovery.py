"""What is believed after an outage: proof, never guesses."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ibfloor.execution.order_table import OrderTable
from ibfloor.execution.recovery import FILLS_NEVER_TOLD, GONE, NEVER_REACHED, Settlement, settle
from ibfloor.model.account import BrokerSnapshot
from ibfloor.model.fact import OrderDoubted, OrderFilled, OrderSubmitted, OrderWarned, ReplaceRequested
from ibfloor.model.ids import UNASSIGNED, ClientOrderId
from ibfloor.model.order import Order, OrdStatus

SMA_1 = ClientOrderId("sma:1")


@pytest.fixture
def table(facts: Any) -> OrderTable:
    table = OrderTable()
    table.apply(facts.submitted(facts.request()))
    return table


def state(order: Order) -> tuple[OrdStatus, int, int]:
    return order.status, int(order.cum_qty), int(order.leaves_qty)


def known(table: OrderTable) -> Order:
    order = table.get(SMA_1)
    assert order is not None
    return order


def take(
    table: OrderTable,
    snapshot: BrokerSnapshot,
    doubts: frozenset[ClientOrderId] = frozenset(),
    asked_at: int | None = None,
) -> Settlement:
    settlement = settle(
        table, snapshot, snapshot.ts_event_ns, doubts, asked_at=table.changes if asked_at is None else asked_at
    )
    for fact in settlement.facts:
        table.apply(fact)
    return settlement


def doubt(table: OrderTable) -> None:
    table.apply(OrderDoubted(ts_event_ns=1, ts_init_ns=1, cl_ord_id=SMA_1, reason="socket lost"))


def test_missing_executions_and_fees_are_taken_foreign_ones_too(table: OrderTable, facts: Any) -> None:
    own, foreign = facts.filled(40), facts.filled(5, exec_id="f.01", ref=None)
    snapshot = facts.snapshot(
        working=[facts.listed()], fills=[foreign, own], fees=[facts.fee("a.01"), facts.fee("f.01")]
    )
    settlement = take(table, snapshot)
    fills = [fact for fact in settlement.facts if isinstance(fact, OrderFilled)]
    assert [(fill.exec_id, fill.strategy) for fill in fills] == [("a.01", "sma"), ("f.01", UNASSIGNED)]
    assert all(fact.ts_init_ns == snapshot.ts_event_ns for fact in settlement.facts)
    assert known(table).cum_qty == 40
    assert take(table, snapshot).facts == ()


def test_unknown_order_found_working_is_working(table: OrderTable, facts: Any) -> None:
    doubt(table)
    assert not take(table, facts.snapshot(working=[facts.listed()])).doubts
    assert (known(table).status, known(table).perm_ids) == (OrdStatus.NEW, (9001,))


def test_unknown_order_found_canceled_is_canceled_with_its_executions(table: OrderTable, facts: Any) -> None:
    doubt(table)
    done = facts.listed(OrdStatus.CANCELED, cum_qty=30)
    take(table, facts.snapshot(completed=[done], fills=[facts.filled(30)]))
    assert state(known(table))[:2] == (OrdStatus.CANCELED, 30)


def test_unknown_order_found_filled_is_filled_by_its_executions(table: OrderTable, facts: Any) -> None:
    doubt(table)
    done = facts.listed(OrdStatus.FILLED, cum_qty=100)
    settlement = take(table, facts.snapshot(completed=[done], fills=[facts.filled(100)]))
    assert known(table).status is OrdStatus.FILLED
    assert not settlement.doubts


def test_order_found_nowhere_is_refused_only_after_a_second_snapshot(table: OrderTable, facts: Any) -> None:
    doubt(table)
    first = take(table, facts.snapshot())
    assert first == Settlement(facts=(), doubts=frozenset({SMA_1}))
    assert known(table).status is OrdStatus.UNKNOWN
    assert not take(table, facts.snapshot(), first.doubts).doubts
    assert (known(table).status, known(table).text) == (OrdStatus.REJECTED, NEVER_REACHED)


def test_acknowledged_order_found_nowhere_is_gone_not_refused(table: OrderTable, facts: Any) -> None:
    table.apply(facts.reported(OrdStatus.NEW, perm_id=9001))
    take(table, facts.snapshot(), take(table, facts.snapshot()).doubts)
    assert (known(table).status, known(table).text) == (OrdStatus.CANCELED, GONE)


def test_order_that_turns_up_in_the_second_snapshot_was_never_gone(table: OrderTable, facts: Any) -> None:
    doubts = take(table, facts.snapshot()).doubts
    assert not take(table, facts.snapshot(working=[facts.listed()]), doubts).doubts
    assert known(table).status is OrdStatus.NEW


def test_order_sent_after_the_asking_began_is_left_alone(facts: Any) -> None:
    snapshot, table = facts.snapshot(), OrderTable()
    table.apply(facts.submitted(facts.request()))
    assert take(table, snapshot, asked_at=0) == Settlement(facts=())


def test_order_in_doubt_is_settled_though_the_clock_was_set_back(table: OrderTable, facts: Any) -> None:
    snapshot = facts.snapshot()
    later = snapshot.ts_event_ns + 10**15
    table.apply(OrderDoubted(ts_event_ns=later, ts_init_ns=later, cl_ord_id=SMA_1, reason="socket lost"))
    take(table, snapshot, take(table, snapshot).doubts)
    assert known(table).status is OrdStatus.REJECTED


def test_completed_order_whose_executions_are_never_told_ends_after_a_second_snapshot(
    table: OrderTable, facts: Any
) -> None:
    snapshot = facts.snapshot(completed=[facts.listed(OrdStatus.FILLED, cum_qty=100)])
    first = take(table, snapshot)
    assert (known(table).status, first.doubts) == (OrdStatus.NEW, frozenset({SMA_1}))
    take(table, snapshot, first.doubts)
    assert state(known(table))[:2] == (OrdStatus.CANCELED, 0)
    assert known(table).text == FILLS_NEVER_TOLD


def test_working_order_of_a_lost_ledger_is_adopted_with_its_executions(facts: Any) -> None:
    table = OrderTable()
    snapshot = facts.snapshot(working=[facts.listed(cum_qty=20)], fills=[facts.filled(20)])
    settlement = take(table, snapshot)
    assert any(
        isinstance(fact, OrderSubmitted) and fact.request.note.startswith("adopted") for fact in settlement.facts
    )
    assert state(known(table)) == (OrdStatus.PARTIALLY_FILLED, 20, 80)
    assert known(table).perm_ids == (9001,)
    assert take(table, snapshot).facts == ()


def test_order_canceled_here_but_working_there_comes_back_after_a_second_snapshot(
    table: OrderTable, facts: Any
) -> None:
    table.apply(facts.reported(OrdStatus.CANCELED))
    snapshot = facts.snapshot(working=[facts.listed()])
    first = take(table, snapshot)
    assert (first.facts, known(table).status) == ((), OrdStatus.CANCELED)
    take(table, snapshot, first.doubts)
    assert known(table).status is OrdStatus.NEW
    assert [order.cl_ord_id for order in table.working()] == [SMA_1]
    assert take(table, snapshot) == Settlement(facts=())


def test_orphan_of_a_filled_intent_is_told_once(table: OrderTable, facts: Any) -> None:
    table.apply(facts.filled(100))
    snapshot = facts.snapshot(working=[facts.listed(perm_id=9002)])
    doubts = take(table, snapshot).doubts
    settlement = take(table, snapshot, doubts)
    assert any(isinstance(fact, OrderWarned) for fact in settlement.facts)
    assert (known(table).status, known(table).perm_ids) == (OrdStatus.FILLED, (9002,))
    assert take(table, snapshot, doubts).facts == ()


def test_fork_keeps_both_permanent_ids_and_the_working_one_decides(table: OrderTable, facts: Any) -> None:
    snapshot = facts.snapshot(
        working=[facts.listed(perm_id=11), facts.listed(perm_id=12)],
        completed=[facts.listed(OrdStatus.CANCELED, perm_id=10)],
    )
    take(table, snapshot)
    assert (known(table).status, known(table).perm_ids) == (OrdStatus.NEW, (11, 12))


def test_execution_without_reference_is_known_by_its_permanent_id(table: OrderTable, facts: Any) -> None:
    table.apply(facts.reported(OrdStatus.NEW, perm_id=9001))
    snapshot = facts.snapshot(working=[facts.listed()], fills=[facts.filled(10, ref=None, perm_id=9001)])
    settlement = take(table, snapshot)
    fills = [fact for fact in settlement.facts if isinstance(fact, OrderFilled)]
    assert [fill.strategy for fill in fills] == ["sma"]
    assert known(table).cum_qty == 10


def test_recycled_order_id_of_a_foreign_order_is_not_ours(table: OrderTable, facts: Any) -> None:
    snapshot = facts.snapshot(working=[facts.listed(ref="", perm_id=55)])  # same client and order id as sma:1
    assert take(table, snapshot).doubts == {SMA_1}
    assert known(table).perm_ids == ()


def test_only_the_newest_revision_of_an_execution_is_taken(table: OrderTable, facts: Any) -> None:
    fills = [facts.filled(10, "101", "e.02"), facts.filled(10, "100", "e.01")]
    take(table, facts.snapshot(working=[facts.listed()], fills=fills))
    assert (known(table).cum_qty, known(table).avg_px) == (Decimal(10), Decimal(101))


@pytest.mark.parametrize("is_ours", [True, False])
def test_change_is_believed_as_the_brokers_list_shows_it(table: OrderTable, facts: Any, is_ours: bool) -> None:
    table.apply(facts.reported(OrdStatus.NEW, perm_id=9001))
    if is_ours:  # asked for 150, lost on the way; else changed by hand to 80
        table.apply(ReplaceRequested(ts_event_ns=1, ts_init_ns=1, request=facts.request(qty=150)))
    qty = 100 if is_ours else 80
    doubts = take(table, facts.snapshot(working=[facts.listed(qty=qty)])).doubts
    assert doubts == {SMA_1}
    take(table, facts.snapshot(working=[facts.listed(qty=qty)]), doubts)
    assert (known(table).status, known(table).request.order_qty) == (OrdStatus.NEW, Decimal(qty))


def test_change_that_arrived_while_nobody_listened_is_taken(table: OrderTable, facts: Any) -> None:
    table.apply(ReplaceRequested(ts_event_ns=1, ts_init_ns=1, request=facts.request(qty=150)))
    take(table, facts.snapshot(working=[facts.listed(qty=150)]))
    assert (known(table).status, known(table).request.order_qty) == (OrdStatus.NEW, Decimal(150))


@pytest.mark.parametrize("arrived", [True, False], ids=["it arrived", "it was lost"])
@pytest.mark.parametrize("qty", [150, 60])
def test_change_in_doubt_ends_as_the_list_says_and_not_as_we_wished(
    table: OrderTable, facts: Any, qty: int, arrived: bool
) -> None:
    table.apply(facts.reported(OrdStatus.NEW, perm_id=9001))
    table.apply(ReplaceRequested(ts_event_ns=1, ts_init_ns=1, request=facts.request(qty=qty)))
    doubt(table)
    listed = facts.listed(qty=qty if arrived else 100)
    first = take(table, facts.snapshot(working=[listed]))
    take(table, facts.snapshot(working=[listed]), first.doubts)
    assert (known(table).status, known(table).request.order_qty) == (OrdStatus.NEW, listed.order_qty)
    assert take(table, facts.snapshot(working=[listed])).facts == ()


def test_price_in_doubt_ends_as_the_list_says(table: OrderTable, facts: Any) -> None:
    table.apply(facts.reported(OrdStatus.NEW, perm_id=9001))
    dearer = msgspec.structs.replace(facts.request(), limit_px=Decimal(103))
    table.apply(ReplaceRequested(ts_event_ns=1, ts_init_ns=1, request=dearer))
    doubt(table)
    listed = msgspec.structs.replace(facts.listed(), limit_px=Decimal(103))
    take(table, facts.snapshot(working=[listed]))
    assert (known(table).status, known(table).request.limit_px) == (OrdStatus.NEW, Decimal(103))
