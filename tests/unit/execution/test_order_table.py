"""What the order table believes, fact by fact."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ibfloor.execution.order_table import OrderTable
from ibfloor.model.fact import (
    AnyFact,
    CancelRequested,
    OrderDoubted,
    OrderRefused,
    OrderRejected,
    OrderWarned,
    ReplaceRequested,
)
from ibfloor.model.ids import ClientOrderId, StrategyId
from ibfloor.model.order import Order, OrderRequest, OrdStatus, Refusal

SMA_1 = ClientOrderId("sma:1")


@pytest.fixture
def table(facts: Any) -> OrderTable:
    table = OrderTable()
    table.apply(facts.submitted(facts.request()))
    return table


def state(order: Order) -> tuple[OrdStatus, int, int]:
    return order.status, int(order.cum_qty), int(order.leaves_qty)


def after(table: OrderTable, *stream: AnyFact) -> Order:
    for fact in stream:
        table.apply(fact)
    order = table.get(SMA_1)
    assert order is not None
    return order


def rejected(text: str = "margin") -> OrderRejected:
    return OrderRejected(ts_event_ns=1, ts_init_ns=1, cl_ord_id=SMA_1, code=201, text=text)


def cancel() -> CancelRequested:
    return CancelRequested(ts_event_ns=1, ts_init_ns=1, cl_ord_id=SMA_1)


def doubted() -> OrderDoubted:
    return OrderDoubted(ts_event_ns=1, ts_init_ns=1, cl_ord_id=SMA_1, reason="socket lost")


def change(request: OrderRequest) -> ReplaceRequested:
    return ReplaceRequested(ts_event_ns=1, ts_init_ns=1, request=request)


def test_execution_before_the_acknowledgement_fills_and_a_late_acknowledgement_reverts_nothing(
    table: OrderTable, facts: Any
) -> None:
    order = after(table, facts.filled(40), facts.reported(OrdStatus.NEW))
    assert state(order) == (OrdStatus.PARTIALLY_FILLED, 40, 60)


def test_status_reports_never_fill(table: OrderTable, facts: Any) -> None:
    order = after(table, facts.reported(OrdStatus.PARTIALLY_FILLED, cum_qty=70))
    assert state(order)[:2] == (OrdStatus.NEW, 0)
    order = after(table, facts.reported(OrdStatus.FILLED, cum_qty=100))
    assert state(order) == (OrdStatus.NEW, 0, 100)
    order = after(table, facts.filled(100))
    assert state(order)[:2] == (OrdStatus.FILLED, 100)


def test_average_price_is_exact_over_many_executions(table: OrderTable, facts: Any) -> None:
    order = after(table, *(facts.filled(10, f"100.{n:02}", f"x{n}.01") for n in range(10)))
    assert order.avg_px == Decimal("100.045")
    assert order.status is OrdStatus.FILLED


def test_late_fill_after_cancel_still_counts(table: OrderTable, facts: Any) -> None:
    order = after(table, facts.reported(OrdStatus.CANCELED), facts.filled(30))
    assert state(order) == (OrdStatus.CANCELED, 30, 0)
    order = after(table, facts.filled(70, exec_id="b.01"))
    assert state(order)[:2] == (OrdStatus.FILLED, 100)


def test_cancel_that_owes_executions_ends_the_order_only_when_they_are_here(table: OrderTable, facts: Any) -> None:
    order = after(table, facts.reported(OrdStatus.CANCELED, cum_qty=60))
    assert state(order) == (OrdStatus.PENDING_CANCEL, 0, 100)
    order = after(table, facts.filled(60))
    assert state(order) == (OrdStatus.CANCELED, 60, 0)


@pytest.mark.parametrize("end", [OrdStatus.FILLED, OrdStatus.CANCELED])
def test_quantity_that_the_broker_tells_ahead_of_the_executions_is_remembered_until_they_are_here(
    end: OrdStatus, table: OrderTable, facts: Any
) -> None:
    told = after(table, facts.reported(end, cum_qty=60))
    assert [int(qty) for qty in (told.told_qty, told.cum_qty, told.traded_qty)] == [60, 0, 60]
    assert not told.status.is_done
    part = after(table, facts.filled(40, "99", exec_id="a.01"))
    assert [int(qty) for qty in (part.told_qty, part.cum_qty, part.traded_qty)] == [60, 40, 60]
    whole = after(table, facts.filled(20, "99", exec_id="b.01"))
    assert [int(qty) for qty in (whole.told_qty, whole.cum_qty, whole.traded_qty)] == [0, 60, 60]


def test_order_given_up_without_its_executions_keeps_what_the_broker_told(table: OrderTable, facts: Any) -> None:
    told = facts.reported(OrdStatus.FILLED, cum_qty=100)
    given_up = after(table, told, facts.reported(OrdStatus.CANCELED))
    assert (given_up.status, int(given_up.cum_qty), int(given_up.traded_qty)) == (OrdStatus.CANCELED, 0, 100)


def test_fill_after_rejection_wins(table: OrderTable, facts: Any) -> None:
    order = after(table, rejected(), facts.filled(40))
    assert state(order)[:2] == (OrdStatus.UNKNOWN, 40)
    assert after(table, facts.filled(60, exec_id="b.01")).status is OrdStatus.FILLED


def test_canceled_report_after_the_fill_is_ignored(table: OrderTable, facts: Any) -> None:
    order = after(table, facts.filled(100), facts.reported(OrdStatus.CANCELED, text="too late"))
    assert order.status is OrdStatus.FILLED


def test_rejection_of_a_partially_filled_order_keeps_what_filled(table: OrderTable, facts: Any) -> None:
    order = after(table, facts.filled(40), rejected())
    assert (order.status, order.cum_qty, order.text) == (OrdStatus.CANCELED, Decimal(40), "margin")


def test_warning_leaves_the_order_as_it_is(table: OrderTable, facts: Any) -> None:
    warning = OrderWarned(ts_event_ns=1, ts_init_ns=1, cl_ord_id=SMA_1, code=10349, text="TIF set to DAY")
    order = after(table, facts.reported(OrdStatus.NEW), warning)
    assert (order.status, order.text) == (OrdStatus.NEW, "TIF set to DAY")


def test_correction_takes_the_place_of_the_execution(table: OrderTable, facts: Any) -> None:
    order = after(table, facts.filled(10, "100", "e.01"), facts.filled(10, "101", "e.02"))
    assert (order.cum_qty, order.avg_px) == (Decimal(10), Decimal(101))


def test_correction_that_takes_back_quantity_of_a_filled_order_leaves_it_unknown(table: OrderTable, facts: Any) -> None:
    order = after(table, facts.filled(100, exec_id="e.01"), facts.filled(90, exec_id="e.02"))
    assert state(order) == (OrdStatus.UNKNOWN, 90, 10)


def test_repeated_facts_are_no_news_and_change_nothing(table: OrderTable, facts: Any) -> None:
    fill, fee = facts.filled(40), facts.fee()
    ack = facts.reported(OrdStatus.NEW, perm_id=5)
    for fact in (fill, fee, ack, doubted()):
        assert table.is_news(fact)
        table.apply(fact)
        before = table.get(SMA_1)
        assert not table.is_news(fact)
        assert table.apply(fact) is None
        assert table.get(SMA_1) is before


def test_older_revision_after_the_correction_is_no_news(table: OrderTable, facts: Any) -> None:
    after(table, facts.filled(10, "101", "e.02"))
    assert not table.is_news(facts.filled(10, "100", "e.01"))


def test_fee_of_another_amount_is_news_and_foreign_executions_are_remembered(table: OrderTable, facts: Any) -> None:
    foreign = facts.filled(5, exec_id="f.01", ref=None)
    assert table.is_news(foreign)
    assert table.apply(foreign) is None
    assert not table.is_news(foreign)
    table.apply(facts.fee("f.01", "1"))
    assert table.is_news(facts.fee("f.01", "1.25"))


def test_change_is_taken_only_when_the_broker_takes_it(table: OrderTable, facts: Any) -> None:
    bigger = facts.request(qty=150)
    order = after(table, facts.reported(OrdStatus.NEW), change(bigger))
    assert (order.status, order.request.order_qty) == (OrdStatus.PENDING_REPLACE, Decimal(100))
    order = after(table, facts.reported(OrdStatus.NEW))
    assert (order.status, order.request) == (OrdStatus.NEW, bigger)


def test_refused_change_leaves_the_order_alive_as_it_was(table: OrderTable, facts: Any) -> None:
    order = after(table, facts.reported(OrdStatus.NEW), change(facts.request(qty=150)), rejected("no"))
    assert (order.status, order.request.order_qty, order.text) == (OrdStatus.NEW, Decimal(100), "no")


def test_fill_of_the_old_quantity_does_not_end_an_order_whose_larger_quantity_may_be_working(
    table: OrderTable, facts: Any
) -> None:
    order = after(table, facts.reported(OrdStatus.NEW), change(facts.request(qty=150)), facts.filled(100))
    assert order.status is OrdStatus.PENDING_REPLACE
    order = after(table, facts.reported(OrdStatus.NEW))
    assert state(order) == (OrdStatus.PARTIALLY_FILLED, 100, 50)


def test_refused_change_of_an_order_that_filled_meanwhile_leaves_it_filled(table: OrderTable, facts: Any) -> None:
    order = after(
        table, facts.reported(OrdStatus.NEW), change(facts.request(qty=150)), facts.filled(100), rejected("filled")
    )
    assert order.status is OrdStatus.FILLED


def test_acknowledgement_while_canceling_does_not_undo_the_cancel(table: OrderTable, facts: Any) -> None:
    order = after(table, cancel(), facts.reported(OrdStatus.NEW), facts.filled(10))
    assert state(order)[:2] == (OrdStatus.PENDING_CANCEL, 10)


def test_forked_permanent_ids_are_both_kept(table: OrderTable, facts: Any) -> None:
    order = after(table, facts.reported(OrdStatus.NEW, perm_id=11), facts.reported(OrdStatus.NEW, perm_id=12))
    assert order.perm_ids == (11, 12)
    assert table.by_perm_id(11) is table.by_perm_id(12) is order


def test_ids_and_intents_are_remembered_refused_intents_too(facts: Any) -> None:
    table = OrderTable()
    table.apply(facts.submitted(facts.request(4), order_id=77))
    refused = OrderRefused(
        ts_event_ns=1, ts_init_ns=1, request=facts.request(9), reason=Refusal(rule="rate", text="too fast")
    )
    assert table.apply(refused) is None
    assert (table.high_water(7), table.high_water(8)) == (77, 0)
    assert (table.last_intent(StrategyId("sma")), table.last_intent(StrategyId("pair"))) == (9, 0)


def test_working_unknown_and_strategy_views_follow_the_orders(table: OrderTable, facts: Any) -> None:
    table.apply(facts.submitted(facts.request(2), order_id=42))
    after(table, doubted())
    assert [order.cl_ord_id for order in table.working()] == ["sma:1", "sma:2"]
    assert [order.cl_ord_id for order in table.unknown()] == ["sma:1"]
    after(table, facts.filled(100))
    assert [order.cl_ord_id for order in table.working()] == ["sma:2"]
    assert len(table) == 2


def test_forgetting_drops_old_done_orders_and_keeps_the_ids(table: OrderTable, facts: Any) -> None:
    table.apply(facts.submitted(facts.request(2), order_id=42))
    after(table, facts.filled(100))
    assert table.forget_done(before_ns=1 << 60) == 1
    assert table.get(SMA_1) is None
    assert [order.cl_ord_id for order in table] == ["sma:2"]
    assert (table.high_water(7), table.last_intent(StrategyId("sma"))) == (42, 2)


def test_executions_known_before_their_order_count_once_it_is_adopted(facts: Any) -> None:
    table = OrderTable()
    assert table.apply(facts.filled(30)) is None
    order = table.apply(facts.submitted(facts.request()))
    assert order is not None
    assert (order.status, order.avg_px) == (OrdStatus.PARTIALLY_FILLED, Decimal(100))


def test_order_the_broker_made_smaller_is_smaller_at_once(table: OrderTable, facts: Any) -> None:
    shrunk = msgspec.structs.replace(facts.reported(OrdStatus.NEW), order_qty=Decimal(70))
    assert table.is_news(shrunk)
    assert state(after(table, facts.filled(20), shrunk)) == (OrdStatus.PARTIALLY_FILLED, 20, 50)
    assert not table.is_news(shrunk)
    order = after(table, facts.filled(50, exec_id="b.01"))
    assert state(order) == (OrdStatus.FILLED, 70, 0)


def test_quantity_of_before_a_change_is_not_taken_for_the_brokers_word(table: OrderTable, facts: Any) -> None:
    old = msgspec.structs.replace(facts.reported(OrdStatus.PENDING_REPLACE), order_qty=Decimal(100))
    order = after(table, facts.reported(OrdStatus.NEW), change(facts.request(qty=150)), old)
    assert (order.status, order.request.order_qty) == (OrdStatus.PENDING_REPLACE, Decimal(100))
    assert after(table, facts.reported(OrdStatus.NEW)).request.order_qty == 150


@pytest.mark.parametrize(("told", "kept"), [(100, 100), (150, 150)])
def test_doubted_change_is_decided_by_the_quantity_that_is_told(
    table: OrderTable, facts: Any, told: int, kept: int
) -> None:
    answer = msgspec.structs.replace(facts.reported(OrdStatus.NEW), order_qty=Decimal(told))
    order = after(table, facts.reported(OrdStatus.NEW), change(facts.request(qty=150)), doubted(), answer)
    assert (order.status, order.request.order_qty) == (OrdStatus.NEW, Decimal(kept))


def test_fill_beyond_the_old_quantity_proves_that_the_change_arrived(table: OrderTable, facts: Any) -> None:
    order = after(table, facts.reported(OrdStatus.NEW), change(facts.request(qty=150)), facts.filled(150))
    assert (state(order), order.request.order_qty) == ((OrdStatus.FILLED, 150, 0), Decimal(150))
