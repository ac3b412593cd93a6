"""Whatever arrives, in whatever order: the laws of an order hold, and settling ends."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ibfloor.execution.order_table import OrderTable
from ibfloor.execution.recovery import settle
from ibfloor.model.fact import AnyFact, CancelRequested, OrderDoubted, OrderFilled, OrderRejected, ReplaceRequested
from ibfloor.model.ids import ClientOrderId
from ibfloor.model.order import OrdStatus

SMA_1 = ClientOrderId("sma:1")
NOW_NS = 1 << 50

STATUSES = st.sampled_from(list(OrdStatus))
QUANTITIES = st.integers(0, 120)
MOVES = st.one_of(
    st.tuples(st.just("report"), STATUSES, QUANTITIES, st.integers(0, 3)),
    st.tuples(st.just("fill"), st.integers(1, 60), st.integers(1, 4), st.integers(1, 3)),
    st.tuples(st.sampled_from(["reject", "doubt", "cancel", "replace"])),
)


def fact_of(facts: Any, move: tuple[Any, ...]) -> AnyFact:
    match move:
        case ("report", status, cum_qty, perm_id):
            made: AnyFact = facts.reported(status, cum_qty=cum_qty, perm_id=perm_id)
        case ("fill", qty, root, revision):
            made = facts.filled(qty, "100.25", f"x{root}.0{revision}")
        case ("reject",):
            made = OrderRejected(ts_event_ns=1, ts_init_ns=1, cl_ord_id=SMA_1, code=201, text="no")
        case ("doubt",):
            made = OrderDoubted(ts_event_ns=1, ts_init_ns=1, cl_ord_id=SMA_1, reason="lost")
        case ("cancel",):
            made = CancelRequested(ts_event_ns=1, ts_init_ns=1, cl_ord_id=SMA_1)
        case _:
            made = ReplaceRequested(ts_event_ns=1, ts_init_ns=1, request=facts.request(qty=120))
    return made


def table_with_order(facts: Any) -> OrderTable:
    table = OrderTable()
    table.apply(facts.submitted(facts.request()))
    return table


@given(moves=st.lists(MOVES, max_size=25))
def test_the_laws_of_an_order_hold_under_any_stream(facts: Any, moves: list[tuple[Any, ...]]) -> None:
    table = table_with_order(facts)
    executions: dict[str, tuple[int, Decimal]] = {}
    for move in moves:
        fact = fact_of(facts, move)
        before = table.get(SMA_1)
        assert before is not None
        had_change = (tracked := table.tracked(SMA_1)) is not None and tracked.change is not None
        is_news = table.is_news(fact)
        changed = table.apply(fact)
        after = table.get(SMA_1)
        assert after is not None
        if isinstance(fact, OrderFilled):
            root, _, revision = fact.exec_id.rpartition(".")
            if int(revision) > executions.get(root, (0, Decimal(0)))[0]:
                executions[root] = (int(revision), fact.last_qty)
        elif before.status.is_done:
            assert after.status is before.status, "only a fill brings a done order back"
        # quantities are those of the executions, and of nothing else
        assert after.cum_qty == sum((qty for _, qty in executions.values()), Decimal(0))
        assert after.avg_px == (Decimal("100.25") if after.cum_qty else 0)
        # news and change are the same thing
        assert is_news == (changed is not None)
        assert (changed is None) == (after is before)
        # a refusal answers one question: of a change first, of the order itself when it comes again
        assert not table.is_news(fact) or (isinstance(fact, OrderRejected) and had_change)
        # leaves are never negative, and working lists exactly what is not done
        assert after.leaves_qty >= 0
        assert bool(table.working()) is not after.status.is_done
        if after.status is OrdStatus.PARTIALLY_FILLED:
            assert 0 < after.cum_qty < after.request.order_qty


LISTED = st.lists(
    st.tuples(st.sampled_from(["sma:1", "sma:2", "", "by hand"]), STATUSES, QUANTITIES, st.integers(1, 3)), max_size=3
)
EXECUTED = st.lists(
    st.tuples(st.integers(1, 60), st.integers(1, 4), st.integers(1, 3), st.sampled_from(["sma:1", "sma:2", None])),
    max_size=4,
)


@given(moves=st.lists(MOVES, max_size=10), working=LISTED, completed=LISTED, executed=EXECUTED)
def test_settling_comes_to_rest_and_leaves_no_order_in_doubt(
    facts: Any,
    moves: list[tuple[Any, ...]],
    working: list[tuple[str, OrdStatus, int, int]],
    completed: list[tuple[str, OrdStatus, int, int]],
    executed: list[tuple[int, int, int, str | None]],
) -> None:
    table = table_with_order(facts)
    for move in moves:
        table.apply(fact_of(facts, move))
    snapshot = facts.snapshot(
        working=[facts.listed(status, ref=ref, cum_qty=cum, perm_id=perm) for ref, status, cum, perm in working],
        completed=[facts.listed(status, ref=ref, cum_qty=cum, perm_id=perm) for ref, status, cum, perm in completed],
        fills=[facts.filled(qty, "100.25", f"x{root}.0{rev}", ref) for qty, root, rev, ref in executed],
    )
    doubts: frozenset[ClientOrderId] = frozenset()
    for number in range(8):  # a change proven absent may end an order, whose orphan then needs two more
        snapshot = replace(snapshot, ts_event_ns=NOW_NS + number)
        settlement = settle(table, snapshot, NOW_NS + number, doubts, asked_at=table.changes)
        for fact in settlement.facts:
            assert table.is_news(fact), "settling repeats nothing that is known"
            table.apply(fact)
        doubts = settlement.doubts
    assert settle(table, snapshot, NOW_NS + 9, doubts, asked_at=table.changes).facts == ()
    in_list = {ref for ref, *_ in working}
    for order in table.working():
        assert order.cl_ord_id in in_list or {*order.perm_ids} & {perm for *_, perm in working}
