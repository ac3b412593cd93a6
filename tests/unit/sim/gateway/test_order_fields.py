"""Every field of placeOrder: supported by a named test, kept and told back, or refused; never dropped."""

from __future__ import annotations

import ast
import struct
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ibfloor.model.ids import AccountId
from ibfloor.model.money import USD
from ibfloor.sim.account import SimAccount
from ibfloor.sim.gateway.clock import SimClock, market_start_ns
from ibfloor.sim.gateway.codec.orders import OPEN_ORDER, PLACE_ORDER
from ibfloor.sim.gateway.codec.table import Block, Field, Item, Rows
from ibfloor.sim.gateway.gateway import Gateway
from ibfloor.sim.gateway.lab import LAB_DAY
from ibfloor.sim.gateway.scripted import ScriptedMarket
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.gateway.ticket_fields import BY_TYPE, CARRIED, CONTRACT, REFUSED, TERMS, UNDER
from ibfloor.sim.gateway.wire import PREAMBLE, split_fields

TESTS = Path(__file__).resolve().parents[3]
SPY = 756733
LEG = {"con_id": SPY, "ratio": 1, "action": "BUY", "exchange": "SMART"}
BAG = {
    "sec_type": "BAG",
    "symbol": "SPY,AAPL",
    "combo_legs": [LEG, {**LEG, "con_id": 265598, "action": "SELL"}],
    "leg_prices": [],
    "smart_combo_params": [],
}
BEHAVIOUR: dict[str, str] = {
    "order_id": "test_an_order_id_below_the_highest_used_is_a_duplicate",
    "action": "test_trailing_stop_shows_each_step_and_fills_after_the_turn",
    "total_qty": "test_sizes_that_no_market_takes_are_refused_by_their_codes",
    "order_type": "test_a_pegged_order_follows_the_price_its_type_names",
    "lmt_price": "test_a_limit_that_nobody_means_is_109_unless_overridden",
    "aux_price": "test_stop_limit_waits_then_rests_at_its_limit",
    "tif": "test_fill_or_kill_and_immediate_or_cancel",
    "oca_group": "test_group_ends_or_reduces_the_other_order",
    "oca_type": "test_group_ends_or_reduces_the_other_order",
    "account": "test_an_order_names_its_account_and_only_that_one_moves",
    "order_ref": "test_an_order_outside_regular_hours_trades_only_when_it_says_so",
    "transmit": "test_untransmitted_bracket_reaches_no_market",
    "parent_id": "test_bracket_is_held_until_its_last_child_then_follows_its_parent",
    "display_size": "test_an_iceberg_shows_its_parts_one_after_the_other",
    "outside_rth": "test_an_order_outside_regular_hours_trades_only_when_it_says_so",
    "hidden": "test_a_hidden_order_trades_after_what_is_displayed",
    "discretionary_amt": "test_discretion_takes_a_price_beyond_the_limit",
    "good_after_time": "test_good_till_date_ends_then_and_good_after_time_begins_then",
    "good_till_date": "test_good_till_date_ends_then_and_good_after_time_begins_then",
    "all_or_none": "test_minimum_quantity_and_all_or_none_wait_for_size",
    "min_qty": "test_minimum_quantity_and_all_or_none_wait_for_size",
    "percent_offset": "test_a_relative_order_may_name_its_offset_in_per_cent",
    "override_percentage_constraints": "test_a_limit_that_nobody_means_is_109_unless_overridden",
    "trail_stop_price": "test_trailing_stop_limit_by_percent_starts_where_it_was_told",
    "trailing_percent": "test_trailing_stop_limit_by_percent_starts_where_it_was_told",
    "lmt_price_offset": "test_trailing_stop_limit_by_percent_starts_where_it_was_told",
    "scale_init_level_size": "test_a_scale_works_its_components_down_the_market",
    "scale_subs_level_size": "test_a_scale_works_its_components_down_the_market",
    "scale_price_increment": "test_a_scale_works_its_components_down_the_market",
    "hedge_type": "test_a_hedge_follows_the_fills_of_its_parent",
    "hedge_param": "test_a_hedge_follows_the_fills_of_its_parent",
    "algo_strategy": "test_twap_lets_equal_slices_go_a_minute_under_one_order",
    "algo_params": "test_twap_lets_equal_slices_go_a_minute_under_one_order",
    "what_if": "test_what_if_tells_margins_before_and_after_for_every_kind",
    "conditions": "test_conditions_hold_an_order_until_they_are_met",
    "conditions_ignore_rth": "test_a_condition_is_met_in_regular_hours_unless_it_ignores_them",
    "conditions_cancel_order": "test_a_condition_may_cancel_an_order_that_works",
    "cash_qty": "test_a_sum_of_money_buys_whole_units",
    "auto_cancel_parent": "test_a_child_may_take_its_parent_along",
    "block_order": "test_attributes_that_do_not_fit_get_ibs_codes",
}
"""The test that shows what each supported field does."""
SCALED = {"scale_price_increment": Decimal("0.1"), "scale_init_level_size": 5}
NEEDS: dict[str, dict[str, Any]] = {
    "leg_prices": BAG,
    "smart_combo_params": BAG,
    **{name: {"order_type": "PEG MID"} for name in REFUSED if name.startswith("mid_offset")},
    **{name: SCALED for name in REFUSED if name.startswith("scale_") and name != "scale_table"},
    **{name: {"order_type": of_type, "min_compete_size": 1} for name, of_type in BY_TYPE.items()},
    "min_trade_qty": {"exchange": "IBKRATS"},
}
"""What a field needs beside it to be sent at all."""
VERSIONS = {"fa_profile": 176, "rfq_name": 188, "rfq_value": 188}
PROBES: dict[str, Any] = {
    "leg_prices": [{"price": Decimal(1)}],
    "smart_combo_params": [{"tag": "NonGuaranteed", "value": "1"}],
    "clearing_intent": "Away",
    "trigger_method": 4,
}


def fields_of(items: Sequence[Item]) -> Iterator[Field | Rows]:
    for item in items:
        if isinstance(item, Block):
            yield from fields_of(item.items)
        elif isinstance(item, Rows) or not item.constant:
            yield item


FIELDS = {item.name: item for item in fields_of(PLACE_ORDER.items)}
SHOWN = {item.name for item in fields_of(OPEN_ORDER.items)}


def probe(name: str) -> Any:
    if name in PROBES:
        return PROBES[name]
    field = FIELDS[name]
    assert isinstance(field, Field)
    return {"text": "x", "int": 1, "number": Decimal("0.5"), "bool": True}[field.kind.name]


def send(version: int, **values: Any) -> tuple[list[tuple[int, str]], list[dict[str, Any]]]:
    """Place an order with a gateway of its own; return the errors told, and the orders shown."""
    market, start_ns = ScriptedMarket(), market_start_ns(LAB_DAY, "10:00")
    account = SimAccount(AccountId("DU1"), {USD: Decimal(1_000_000)})
    gateway = Gateway(market, account, SimClock(start_ns, is_stepped=True))
    market.quote("SPY", "168.00", "168.02", start_ns)
    market.quote("AAPL", "480.00", "480.10", start_ns)
    gateway.step()
    sent = bytearray()
    session = Session(gateway, sent.extend, lambda: None)
    session.receive(PREAMBLE + struct.pack(">I", 9) + f"v{version}..{version}".encode())
    gateway.join(session, 1)
    gateway.flush()
    sent.clear()
    sound: dict[str, Any] = {"order_id": 1, "symbol": "SPY", "sec_type": "STK", "exchange": "SMART", "currency": "USD"}
    sound |= {"action": "BUY", "total_qty": 10, "order_type": "LMT", "lmt_price": Decimal("167.5"), "tif": "DAY"}
    session.receive(PLACE_ORDER.layout(version).encode({**sound, "transmit": True, **values}))
    gateway.flush()
    errors, shown, data = [], [], bytes(sent)
    while data:
        (length,) = struct.unpack_from(">I", data)
        fields, data = split_fields(data[4 : 4 + length]), data[4 + length :]
        if fields[0] == "4":
            at = 1 if version >= 194 else 2
            errors.append((int(fields[at + 1]), fields[at + 2]))
        elif fields[0] == "5":
            shown.append(dict(OPEN_ORDER.layout(version).decode(fields)[0]))
    return errors, shown


def test_every_field_of_the_table_has_one_meaning() -> None:
    meanings = [CONTRACT, TERMS, CARRIED, set(REFUSED), set(BY_TYPE), set(UNDER)]
    assert set().union(*meanings) == set(FIELDS)
    assert sum(len(names) for names in meanings) == len(FIELDS)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_field_that_no_order_can_have_is_refused_in_ibs_words(name: str) -> None:
    errors, shown = send(VERSIONS.get(name, 200), **{**NEEDS.get(name, {}), name: probe(name)})
    expected = REFUSED[name]
    if name == "min_trade_qty":  # only asked for on a venue that no stock here trades on
        assert [code for code, _ in errors] == [200]
    else:
        assert errors == [(expected.code, expected.text)]
    assert shown == []


def test_an_order_that_its_own_account_clears_is_taken_and_told_so() -> None:
    errors, shown = send(200, account="DU1", clearing_account="DU1", clearing_intent="IB")
    assert errors == []
    assert {(one["clearing_account"], one["clearing_intent"]) for one in shown} == {("DU1", "IB")}


@pytest.mark.parametrize("name", sorted(BY_TYPE))
def test_a_field_of_a_refused_type_is_refused_with_it(name: str) -> None:
    errors, shown = send(200, **{**NEEDS[name], name: probe(name)})
    assert [code for code, _ in errors] == [387]
    assert shown == []


@pytest.mark.parametrize("name", sorted(UNDER))
def test_a_field_under_a_refused_one_comes_only_with_it(name: str) -> None:
    errors, shown = send(200, **{UNDER[name]: probe(UNDER[name]), name: probe(name)})
    assert [code for code, _ in errors] == [REFUSED[UNDER[name]].code]
    assert shown == []


@pytest.mark.parametrize("name", sorted(CARRIED))
def test_a_field_that_changes_nothing_here_is_taken_and_told_back(name: str) -> None:
    value = probe(name)
    errors, shown = send(200, **{**NEEDS.get(name, {}), name: value})
    assert errors == []
    assert shown
    if name in SHOWN:
        assert all(order[name] == value for order in shown)


def test_a_plain_order_shows_no_refusal() -> None:
    errors, shown = send(200)
    assert errors == []
    assert shown[-1]["status"] == "Submitted"


def test_every_supported_field_names_the_test_of_what_it_does() -> None:
    assert set(BEHAVIOUR) == TERMS
    there = {
        node.name
        for file in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert {name: test for name, test in BEHAVIOUR.items() if test not in there} == {}
