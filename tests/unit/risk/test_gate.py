"""Reservations: taken before sending, given back only on proof."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibfloor.model.fact import BreakCleared, BreakFound, OrderDoubted, OrderRejected, ReplaceRequested
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.order import OrdStatus, Refused, Side
from ibfloor.risk.gate import Approved

D = Decimal
SMA = StrategyId("sma")
SPY = InstrumentId(756733)


def slot(desk: Any) -> tuple[int, int, int]:
    found = desk.gate.exposures.slot(SMA, SPY)
    return int(found.qty), int(found.buys), int(found.sells)


def rejected(ref: str = "sma:1") -> OrderRejected:
    return OrderRejected(ts_event_ns=1, ts_init_ns=1, cl_ord_id=ClientOrderId(ref), code=201, text="no")


def test_fill_moves_the_reservation_into_the_position_in_one_step(desk: Any, facts: Any) -> None:
    desk.send(facts.request(1, 100))
    assert slot(desk) == (0, 100, 0)
    desk.take(facts.filled(40))
    assert slot(desk) == (40, 60, 0)
    desk.take(facts.filled(40))  # told again by another session
    assert slot(desk) == (40, 60, 0)


@pytest.mark.parametrize("end", ["canceled", "rejected", "filled"])
def test_reservation_is_given_back_on_a_proven_end(desk: Any, facts: Any, end: str) -> None:
    desk.send(facts.request(1, 100))
    desk.take({"canceled": facts.reported("CANCELED"), "rejected": rejected(), "filled": facts.filled(100)}[end])
    assert slot(desk) == (100 if end == "filled" else 0, 0, 0)


def test_order_of_unknown_fate_stays_reserved(desk: Any, facts: Any) -> None:
    desk.send(facts.request(1, 100))
    desk.take(OrderDoubted(ts_event_ns=1, ts_init_ns=1, cl_ord_id=ClientOrderId("sma:1"), reason="lost"))
    assert slot(desk) == (0, 100, 0)


def test_end_that_owes_executions_keeps_the_reservation_until_they_come(desk: Any, facts: Any) -> None:
    desk.send(facts.request(1, 100))
    desk.take(facts.reported(OrdStatus.FILLED, cum_qty=100))
    assert slot(desk) == (0, 100, 0)
    desk.take(facts.filled(100))
    assert slot(desk) == (100, 0, 0)


def test_order_that_was_not_sent_gives_its_reservation_back(desk: Any, facts: Any) -> None:
    desk.ask(facts.request(1, 100))
    desk.gate.release(ClientOrderId("sma:1"))
    assert slot(desk) == (0, 0, 0)


def test_correction_corrects_the_position(desk: Any, facts: Any) -> None:
    desk.send(facts.request(1, 100))
    desk.take(facts.filled(100, exec_id="e.01"), facts.filled(90, exec_id="e.02"))
    assert slot(desk) == (90, 10, 0)


def test_replay_of_the_ledger_rebuilds_the_reservations(desk: Any, facts: Any) -> None:
    desk.take(facts.submitted(facts.request(1, 100)), facts.filled(30))
    assert slot(desk) == (30, 70, 0)


def test_change_reserves_the_larger_quantity_until_it_is_answered(desk: Any, facts: Any) -> None:
    desk.send(facts.request(1, 100))
    bigger = facts.request(1, 150)
    assert isinstance(desk.change(bigger), Approved)
    desk.take(facts.reported(OrdStatus.NEW))  # the answer to the order itself, overtaken by the change
    assert slot(desk) == (0, 150, 0)
    desk.take(ReplaceRequested(ts_event_ns=1, ts_init_ns=1, request=bigger))
    assert slot(desk) == (0, 150, 0)
    desk.take(rejected())
    assert slot(desk) == (0, 100, 0)


def test_smaller_change_gives_back_only_when_the_broker_took_it(desk: Any, facts: Any) -> None:
    desk.send(facts.request(1, 100))
    desk.take(facts.reported(OrdStatus.NEW))
    smaller = facts.request(1, 60)
    desk.change(smaller)
    desk.take(ReplaceRequested(ts_event_ns=1, ts_init_ns=1, request=smaller))
    assert slot(desk) == (0, 100, 0)
    desk.take(facts.reported(OrdStatus.NEW))
    assert slot(desk) == (0, 60, 0)


def test_change_is_checked_in_full_and_one_not_sent_is_given_back(desk: Any, facts: Any) -> None:
    desk.send(facts.request(1, 100))
    assert desk.change(facts.request(1, 201)).reason.rule == "max_order_qty"
    assert desk.change(facts.request(1, 100, px="106")).reason.rule == "collar"
    assert desk.change(facts.request(1, 100, Side.SELL)).reason.rule == "replace"
    assert desk.change(facts.request(7, 100)).reason.rule == "replace"
    assert slot(desk) == (0, 100, 0)
    desk.change(facts.request(1, 150))
    desk.gate.release_replace(ClientOrderId("sma:1"))
    assert slot(desk) == (0, 100, 0)


def test_break_locks_and_its_end_unlocks(desk: Any) -> None:
    key = f"position:{SPY}"
    desk.take(BreakFound(ts_event_ns=1, ts_init_ns=1, key=key, ours=D(1), theirs=D(2), text="1 against 2"))
    desk.take(BreakFound(ts_event_ns=1, ts_init_ns=1, key="cash:USD", ours=D(1), theirs=D(2), text="cash"))
    assert desk.gate.permissions.locks == {SPY: "1 against 2"}
    desk.take(BreakCleared(ts_event_ns=1, ts_init_ns=1, key=key, reason="mended"))
    assert desk.gate.permissions.locks == {}


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["send", "fill", "cancel", "reject", "doubt", "change", "answer", "take back"]),
        st.integers(0, 7),
        st.sampled_from(list(Side)),
        st.integers(1, 120),
    ),
    max_size=40,
)


@given(events=EVENTS)
def test_worst_case_never_exceeds_the_limit_under_any_interleaving(
    facts: Any, desk_with: Any, events: list[tuple[str, int, Side, int]]
) -> None:
    desk = desk_with(max_position_qty=D(150), max_account_position_qty=None, account={"max_gross_exposure": None})
    sent: list[Any] = []
    left: dict[str, int] = {}  # what the broker may still fill of each order: the oracle, not our own state
    held = 0
    for number, (what, which, side, qty) in enumerate(events, 1):
        if what == "send":
            request = facts.request(number, qty, side)
            if isinstance(desk.send(request), Approved):
                sent.append(request)
                left[request.cl_ord_id] = qty
        elif sent:
            request = sent[which % len(sent)]
            ref = request.cl_ord_id
            if what == "fill" and left[ref]:
                part = min(qty, left[ref])
                left[ref] -= part
                held += part * request.side.sign
                desk.take(facts.filled(part, "100", f"x{number}.01", ref, side=request.side))
            elif what == "cancel":
                left[ref] = 0
                desk.take(facts.reported(OrdStatus.CANCELED, ref=ref))
            elif what == "reject" and (known := desk.table.tracked(ref)) is not None and known.change is None:
                left[ref] = 0
                desk.take(rejected(ref))
            elif what == "doubt":
                desk.take(OrderDoubted(ts_event_ns=1, ts_init_ns=1, cl_ord_id=ref, reason="lost"))
            elif what == "change" and left[ref]:
                wanted = facts.request(int(ref.partition(":")[2]), qty, request.side)
                if isinstance(desk.change(wanted), Approved):
                    desk.take(ReplaceRequested(ts_event_ns=1, ts_init_ns=1, request=wanted))
            elif what == "answer" and left[ref]:
                order = desk.table.get(ref)
                known = desk.table.tracked(ref)
                if order.status is OrdStatus.PENDING_REPLACE and known.change is not None:
                    left[ref] = max(int(known.change.order_qty - order.cum_qty), 0)
                desk.take(facts.reported(OrdStatus.NEW, ref=ref))
        buys = sum(left[each.cl_ord_id] for each in sent if each.side is Side.BUY)
        sells = sum(left[each.cl_ord_id] for each in sent if each.side is Side.SELL)
        assert max(abs(held + buys), abs(held - sells)) <= 150
        qty_known, buys_known, sells_known = slot(desk)
        assert qty_known == held
        assert (buys_known, sells_known) >= (0, 0)
        assert buys_known >= buys
        assert sells_known >= sells


@given(events=EVENTS)
def test_once_every_order_is_done_nothing_stays_reserved(
    facts: Any, desk_with: Any, events: list[tuple[str, int, Side, int]]
) -> None:
    desk = desk_with(max_position_qty=None, max_position_notional=None, account={"max_gross_exposure": None})
    refs: list[tuple[str, Side]] = []
    for number, (what, which, side, qty) in enumerate(events, 1):
        if what == "send" or not refs:
            answer = desk.send(facts.request(number, qty, side))
            refs += [] if isinstance(answer, Refused) else [(answer.request.cl_ord_id, side)]
        else:
            ref, of_side = refs[which % len(refs)]
            desk.take(facts.filled(qty, "100", f"x{number}.01", ref, side=of_side))
    for order in desk.table.working():
        desk.take(facts.reported(OrdStatus.CANCELED, ref=order.cl_ord_id))
    assert slot(desk)[1:] == (0, 0)
    account = desk.gate.exposures.account_slot(SPY)
    assert (account.buys, account.sells) == (D(0), D(0))
    assert desk.gate.exposures.gross == abs(account.qty) * (account.unit_px or 0)
