"""What the gate says of order types, terms, the contract's own rules and hours, brackets and groups."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ibfloor.model.contract_rules import ContractRules
from ibfloor.model.ids import ClientOrderId
from ibfloor.model.order import OrderRequest, OrdStatus, OrdType, Refused, Side, TimeInForce
from ibfloor.model.terms import Algo, Oca, OcaKind, OrderTerms
from ibfloor.risk.brackets import check_and_reserve_all
from ibfloor.risk.figures import MarketFigures
from ibfloor.risk.gate import Approved, PriceReference

D = Decimal
NOW = 10_000_000_000
T = TimeInForce


def rule_of(answer: Approved | Refused) -> str:
    return answer.reason.rule if isinstance(answer, Refused) else "approved"


def order(facts: Any, ord_type: OrdType, *, limit: str | None = None, stop: str | None = None, **more: Any) -> Any:
    request = replace(facts.request(), ord_type=ord_type, limit_px=limit and D(limit), stop_px=stop and D(stop))
    return replace(request, **more)


@pytest.mark.parametrize(
    ("ord_type", "limit", "stop", "more"),
    [
        (OrdType.STOP_LIMIT, "102", "101", {}),
        (OrdType.TRAIL, None, None, {"terms": OrderTerms(trail_by=D(1))}),
        (OrdType.TRAIL, None, "101", {"terms": OrderTerms(trail_percent=D(1))}),
        (OrdType.TRAIL_LIMIT, None, None, {"terms": OrderTerms(trail_by=D(1), limit_offset=D(0))}),
        (OrdType.MARKET_IF_TOUCHED, None, "99", {}),
        (OrdType.LIMIT_IF_TOUCHED, "98", "99", {}),
        (OrdType.MARKET_ON_CLOSE, None, None, {}),
        (OrdType.LIMIT_ON_CLOSE, "99", None, {}),
        (OrdType.RELATIVE, None, None, {"terms": OrderTerms(peg_offset=D("0.01"))}),
        (OrdType.RELATIVE, "101", None, {}),
        (OrdType.MARKET_TO_LIMIT, None, None, {"time_in_force": T.GTC}),
        (OrdType.LIMIT, "99", None, {"time_in_force": T.FOK}),
        (OrdType.MARKET, None, None, {"time_in_force": T.AT_OPEN}),
        (OrdType.LIMIT, "99", None, {"time_in_force": T.GTD, "terms": OrderTerms(good_till_ns=NOW + 1)}),
        (OrdType.MARKET, None, None, {"terms": OrderTerms(algo=Algo(name="Twap"))}),
    ],
)
def test_every_kind_of_order_passes(
    desk: Any, facts: Any, ord_type: OrdType, limit: str | None, stop: str | None, more: dict[str, Any]
) -> None:
    assert rule_of(desk.ask(order(facts, ord_type, limit=limit, stop=stop, **more))) == "approved"


@pytest.mark.parametrize(
    ("ord_type", "limit", "stop", "more", "field"),
    [
        (OrdType.STOP_LIMIT, "102", None, {}, "prices"),
        (OrdType.MARKET_ON_CLOSE, "102", None, {}, "prices"),
        (OrdType.TRAIL, None, None, {}, "trail"),
        (OrdType.TRAIL, None, None, {"terms": OrderTerms(trail_by=D(1), trail_percent=D(1))}, "trail"),
        (OrdType.TRAIL, None, None, {"terms": OrderTerms(trail_percent=D(100))}, "trail"),
        (OrdType.TRAIL, None, None, {"terms": OrderTerms(trail_by=D(0))}, "trail"),
        (OrdType.LIMIT, "99", None, {"terms": OrderTerms(trail_by=D(1))}, "trail"),
        (OrdType.TRAIL_LIMIT, None, None, {"terms": OrderTerms(trail_by=D(1))}, "limit offset"),
        (OrdType.RELATIVE, None, None, {"terms": OrderTerms(peg_offset=D(-1))}, "offset"),
        (OrdType.MARKET_ON_CLOSE, None, None, {"time_in_force": T.GTC}, "time in force GTC"),
        (OrdType.STOP, None, "101", {"time_in_force": T.IOC}, "time in force IOC"),
        (OrdType.STOP, None, "101", {"time_in_force": T.AT_OPEN}, "time in force OPG"),
        (OrdType.LIMIT, "99", None, {"time_in_force": T.GTD}, "GTD"),
        (OrdType.LIMIT, "99", None, {"time_in_force": T.GTD, "terms": OrderTerms(good_till_ns=NOW)}, "good till"),
        (OrdType.LIMIT, "99", None, {"terms": OrderTerms(good_till_ns=NOW + 1)}, "good till"),
        (
            OrdType.LIMIT,
            "99",
            None,
            {"time_in_force": T.GTD, "terms": OrderTerms(good_till_ns=NOW + 1, good_after_ns=NOW + 2)},
            "good till",
        ),
        (OrdType.STOP, None, "101", {"terms": OrderTerms(algo=Algo(name="Twap"))}, "algo Twap"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_the_field_is_named(
    desk: Any, facts: Any, ord_type: OrdType, limit: str | None, stop: str | None, more: dict[str, Any], field: str
) -> None:
    answer = desk.ask(order(facts, ord_type, limit=limit, stop=stop, **more))
    assert rule_of(answer) == "shape"
    assert field in answer.reason.text


@pytest.mark.parametrize(
    ("ord_type", "side", "px", "rule"),
    [
        (OrdType.STOP, Side.BUY, "99.99", "collar"),
        (OrdType.STOP, Side.BUY, "100.01", "approved"),
        (OrdType.STOP, Side.SELL, "100.01", "collar"),
        (OrdType.STOP, Side.SELL, "99.99", "approved"),
        (OrdType.MARKET_IF_TOUCHED, Side.BUY, "100.01", "collar"),
        (OrdType.MARKET_IF_TOUCHED, Side.BUY, "99.99", "approved"),
        (OrdType.MARKET_IF_TOUCHED, Side.SELL, "99.99", "collar"),
    ],
)
def test_entry_that_would_trigger_at_once_is_refused(
    desk: Any, facts: Any, ord_type: OrdType, side: Side, px: str, rule: str
) -> None:
    assert rule_of(desk.ask(order(facts, ord_type, stop=px, side=side))) == rule


def test_protective_stop_the_market_has_passed_still_goes_out(desk: Any, facts: Any) -> None:
    desk.take(facts.moved(100, "100"))
    assert rule_of(desk.ask(order(facts, OrdType.STOP, stop="101", side=Side.SELL))) == "approved"


STEPS = ContractRules(price_steps=((D(0), D("0.0001")), (D(1), D("0.01"))))
STOCK = ContractRules(
    order_types=("DAY", "GTC", "LMT", "MKT", "STPLMT"), exchanges=("NYSE", "SMART"), qty_min=D(100), qty_step=D(100)
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ord_type": OrdType.MARKET_ON_CLOSE, "limit_px": None}, "MOC"),
        ({"time_in_force": T.FOK}, "FOK"),
        ({"terms": OrderTerms(algo=Algo(name="Vwap"))}, "ALGO"),
        ({"order_qty": D(50)}, "smallest order"),
        ({"order_qty": D(150)}, "steps of 100"),
    ],
)
def test_what_the_contract_does_not_take_is_refused(desk: Any, facts: Any, change: dict[str, Any], said: str) -> None:
    instrument = replace(desk.instrument, rules=STOCK)
    assert rule_of(desk.ask(facts.request(), instrument)) == "approved"
    answer = desk.ask(replace(facts.request(2), **change), instrument)
    assert rule_of(answer) == "contract"
    assert said in answer.reason.text


def test_exchange_the_contract_is_not_listed_at_is_refused(desk: Any, facts: Any) -> None:
    instrument = replace(desk.instrument, rules=STOCK, exchange="IBIS")
    answer = desk.ask(facts.request(), instrument)
    assert (rule_of(answer), "IBIS" in answer.reason.text) == ("contract", True)


def test_price_steps_depend_on_the_price(desk: Any, facts: Any) -> None:
    instrument = replace(desk.instrument, rules=STEPS)
    desk.reference = PriceReference(D("0.99"), NOW)
    assert rule_of(desk.ask(facts.request(1, px="0.9901"), instrument)) == "approved"
    assert rule_of(desk.ask(facts.request(2, px="1.0001"), instrument)) == "shape"
    assert instrument.round_price(0.99014, Side.BUY) == D("0.9901")
    assert instrument.round_price(1.00014, Side.SELL) == D("1.01")


CLOSED = ContractRules(trading_hours=((0, NOW), (NOW + 5, NOW + 9)), liquid_hours=((NOW + 6, NOW + 8),))
EXTENDED = ContractRules(trading_hours=((0, NOW + 9),), liquid_hours=((NOW + 6, NOW + 8),))


@pytest.mark.parametrize(
    ("rules", "change", "rule"),
    [
        (CLOSED, {"ord_type": OrdType.MARKET, "limit_px": None}, "hours"),
        (CLOSED, {"time_in_force": T.IOC}, "hours"),
        (CLOSED, {"time_in_force": T.FOK, "terms": OrderTerms(outside_rth=True)}, "hours"),
        (CLOSED, {}, "approved"),
        (CLOSED, {"ord_type": OrdType.MARKET, "limit_px": None, "time_in_force": T.AT_OPEN}, "approved"),
        (
            CLOSED,
            {"ord_type": OrdType.MARKET, "limit_px": None, "terms": OrderTerms(good_after_ns=NOW + 7)},
            "approved",
        ),
        (EXTENDED, {"time_in_force": T.IOC}, "hours"),
        (EXTENDED, {"time_in_force": T.IOC, "terms": OrderTerms(outside_rth=True)}, "approved"),
        (ContractRules(trading_hours=((0, 5),)), {"time_in_force": T.IOC}, "approved"),
    ],
)
def test_closed_market_refuses_what_must_fill_at_once(
    desk: Any, facts: Any, rules: ContractRules, change: dict[str, Any], rule: str
) -> None:
    answer = desk.ask(replace(facts.request(), **change), replace(desk.instrument, rules=rules))
    assert rule_of(answer) == rule


def test_closed_market_takes_a_market_order_that_reduces(desk: Any, facts: Any) -> None:
    desk.take(facts.moved(100, "100"))
    request = facts.request(side=Side.SELL, ord_type=OrdType.MARKET, px=None)
    assert rule_of(desk.ask(request, replace(desk.instrument, rules=CLOSED))) == "approved"


# brackets and groups


def exits(facts: Any, entry: OrderRequest, *, profit: str = "105", stop: str = "95") -> tuple[OrderRequest, ...]:
    terms = OrderTerms(bracket=entry.cl_ord_id, oca=Oca(group=entry.cl_ord_id, kind=OcaKind.REDUCE))
    out = entry.side.opposite
    common = {"side": out, "order_qty": entry.order_qty, "terms": terms, "time_in_force": T.GTC}
    return (
        replace(facts.request(2), limit_px=D(profit), **common),
        replace(facts.request(3, ord_type=OrdType.STOP), stop_px=D(stop), **common),
    )


def ask_all(desk: Any, *requests: OrderRequest) -> str:
    orders = [(request, desk.instrument, desk.reference) for request in requests]
    refusal = check_and_reserve_all(desk.gate, orders, desk.now_ns)
    return "approved" if refusal is None else refusal.rule


def working(desk: Any) -> Any:
    slot = desk.gate.exposures.slot("sma", desk.instrument.instrument_id)
    return slot.qty, slot.buys, slot.sells


def test_exits_claim_only_what_their_entry_has_filled(desk: Any, facts: Any) -> None:
    entry = facts.request()
    profit, stop = exits(facts, entry)
    assert ask_all(desk, entry, profit, stop) == "approved"
    assert working(desk) == (0, 100, 0)
    for n, request in enumerate((entry, profit, stop)):
        desk.take(facts.submitted(request, order_id=41 + n))
    desk.take(facts.filled(40, exec_id="a.01", ref="sma:1"))
    assert working(desk) == (40, 60, 40), "one of the two exits will fill, not both"
    desk.take(facts.filled(60, exec_id="b.01", ref="sma:1"))
    desk.take(facts.filled(30, "105", exec_id="c.01", ref="sma:2", side=Side.SELL))
    assert working(desk) == (70, 0, 70)
    desk.take(facts.filled(70, "105", exec_id="d.01", ref="sma:2", side=Side.SELL))
    desk.take(facts.reported(OrdStatus.CANCELED, ref="sma:3"))
    assert working(desk) == (0, 0, 0)


def test_exits_pass_where_only_orders_that_reduce_may(desk: Any, facts: Any) -> None:
    entry = facts.request()
    profit, stop = exits(facts, entry)
    assert ask_all(desk, entry, profit, stop) == "approved"
    for n, request in enumerate((entry, profit, stop)):
        desk.take(facts.submitted(request, order_id=41 + n))
    desk.take(facts.filled(100, ref="sma:1"))
    desk.gate.permissions.reducing["test"] = "only out"
    assert rule_of(desk.change(replace(stop, stop_px=D(96)))) == "approved"


@pytest.mark.parametrize(("profit", "stop"), [("99", "95"), ("105", "100"), ("105", "101")])
def test_exit_on_the_wrong_side_of_its_entry_refuses_the_whole_bracket(
    desk: Any, facts: Any, profit: str, stop: str
) -> None:
    entry = facts.request()
    assert ask_all(desk, entry, *exits(facts, entry, profit=profit, stop=stop)) == "bracket"
    assert working(desk) == (0, 0, 0), "what had passed is given back"


def test_exits_are_judged_by_the_entry_not_by_the_market_now(desk: Any, facts: Any) -> None:
    entry = facts.request(px="80")
    assert ask_all(desk, entry, *exits(facts, entry, profit="85", stop="75")) == "approved"


def test_group_claims_its_largest_member_once(desk: Any, facts: Any) -> None:
    desk.take(facts.moved(100, "100"))
    group = OrderTerms(oca=Oca(group="sma:1", kind=OcaKind.CANCEL))
    one = replace(facts.request(1, side=Side.SELL), terms=group)
    two = replace(facts.request(2, side=Side.SELL, ord_type=OrdType.STOP, px="95"), terms=group)
    desk.gate.permissions.reducing["test"] = "only out"
    assert ask_all(desk, one, two) == "approved", "together they sell what is held, once"
    assert working(desk) == (100, 0, 100)
    desk.gate.release(ClientOrderId("sma:1"))
    assert working(desk) == (100, 0, 100)
    desk.gate.release(ClientOrderId("sma:2"))
    assert working(desk) == (100, 0, 0)


def test_group_without_protection_claims_every_member(desk: Any, facts: Any) -> None:
    group = OrderTerms(oca=Oca(group="sma:1", kind=OcaKind.REDUCE_UNBLOCKED))
    one, two = (replace(facts.request(n), terms=group) for n in (1, 2))
    assert ask_all(desk, one, two) == "approved"
    assert working(desk) == (0, 200, 0)


def test_a_bracket_is_one_entry_however_many_exits_it_has(desk_with: Any, facts: Any) -> None:
    desk = desk_with(repeat_entries_max=D(2))

    def bracket(first: int) -> list[OrderRequest]:
        entry = facts.request(first, qty=50)
        numbered = zip(exits(facts, entry), (first + 1, first + 2), strict=True)
        return [entry, *(replace(each, cl_ord_id=ClientOrderId(f"sma:{number}")) for each, number in numbered)]

    assert [ask_all(desk, *bracket(first)) for first in (1, 4, 7)] == ["approved", "approved", "repeated_execution"]
    assert [trip.strategy for trip in desk.gate.trips] == ["sma"]


def test_refused_bracket_leaves_nothing_behind_and_the_corrected_one_passes(desk_with: Any, facts: Any) -> None:
    desk = desk_with(
        duplicate_window_s=D(60),
        repeat_entries_max=D(1),
        order_rate_per_s=D("0.001"),
        order_burst=D(3),
        fat_finger_adv_pct=D(1),
        account={"order_rate_per_s": D("0.001"), "order_burst": D(3)},
    )
    gate, spy = desk.gate, desk.instrument.instrument_id
    gate.figures[spy] = MarketFigures(average_volume=D(5_000))
    entry = facts.request()
    assert rule_of(desk.ask(entry)) == "fat_finger"
    gate.confirmations.confirm(entry.cl_ord_id, desk.now_ns)
    assert ask_all(desk, entry, *exits(facts, entry, stop="101")) == "bracket"
    assert (len(gate.reservations), working(desk)) == (0, (0, 0, 0))
    entry = facts.request(4)
    profit, stop = exits(facts, entry)
    corrected = (entry, *(replace(each, cl_ord_id=ClientOrderId(f"sma:{n}")) for n, each in ((5, profit), (6, stop))))
    assert ask_all(desk, *corrected) == "approved", "not a duplicate, nor too fast, nor again and again"
    assert not gate.confirmations, "it was for one order, and that has passed"
    assert (gate.trips, len(gate.reservations)) == ([], 3)
