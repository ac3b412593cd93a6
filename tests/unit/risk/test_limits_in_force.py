"""Limits by scope, changed while the floor runs: what wins, what is loosening, what the journal brings back."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ibfloor.model.fact import AnyFact
from ibfloor.model.ids import StrategyId
from ibfloor.model.instrument import SecurityType
from ibfloor.model.order import Refused
from ibfloor.model.risk_fact import LimitsChanged
from ibfloor.risk.gate import Approved, RiskGate
from ibfloor.risk.limits import ACCOUNT, COMMON, LimitValue, Scope, ScopeKind
from ibfloor.risk.limits_in_force import Proposal
from ibfloor.risk.parameters import is_loosening, parameters_of, read_value

D = Decimal
SMA = Scope(ScopeKind.STRATEGY, "sma")
FUTURES = Scope(ScopeKind.CLASS, "FUT")
ESZ6 = Scope(ScopeKind.INSTRUMENT, "ESZ6")
MakeDesk = Callable[..., Any]


def rule_of(answer: Approved | Refused) -> str:
    return answer.reason.rule if isinstance(answer, Refused) else "approved"


def change(gate: RiskGate, scope: Scope, **values: str) -> Proposal:
    proposal = gate.in_force.propose(scope, tuple(values.items()))
    gate.apply(fact_of(gate, proposal))
    return proposal


def fact_of(gate: RiskGate, proposal: Proposal) -> LimitsChanged:
    return LimitsChanged(
        ts_event_ns=1, ts_init_ns=1, version=gate.limits.version + 1, changes=proposal.changes, actor="ann"
    )


def test_most_specific_limit_wins_instrument_then_class_then_strategy(desk: Any, facts: Any) -> None:
    future = facts.instrument(SecurityType.FUTURE, "ESZ6", instrument_id=2, multiplier="1")
    gate = desk.gate
    change(gate, SMA, max_order_qty="5")
    assert rule_of(desk.ask(facts.request(1, 6))) == "max_order_qty"
    change(gate, FUTURES, max_order_qty="7")
    assert rule_of(desk.ask(facts.request(2, 7, instrument_id=2), future)) == "approved"
    assert rule_of(desk.ask(facts.request(3, 6))) == "max_order_qty", "a stock still goes by its strategy"
    change(gate, ESZ6, max_order_qty="9")
    assert rule_of(desk.ask(facts.request(4, 9, instrument_id=2), future)) == "approved"
    answer = desk.ask(facts.request(5, 10, instrument_id=2), future)
    assert (rule_of(answer), answer.reason.limit) == ("max_order_qty", "9")
    change(gate, Scope(ScopeKind.INSTRUMENT, "2"), max_order_qty="off")
    assert rule_of(desk.ask(facts.request(6, 11, instrument_id=2), future)) == "approved", "by its conId, and off"


def test_change_holds_for_the_next_order_and_is_recorded_by_its_version(desk: Any, facts: Any) -> None:
    assert desk.ask(facts.request(1, 100)).limits_version == 3
    change(desk.gate, COMMON, max_order_qty="50")
    assert desk.ask(facts.request(2, 51)).reason.limit == "50"
    assert desk.ask(facts.request(3, 50)).limits_version == 4
    change(desk.gate, ACCOUNT, max_gross_exposure="1000")
    assert rule_of(desk.ask(facts.request(4, 50))) == "max_gross_exposure"


def test_journal_brings_changes_back_and_a_reset_the_file(desk: Any, desk_with: MakeDesk, facts: Any) -> None:
    journal: list[AnyFact] = []
    for scope, values in (
        (COMMON, {"max_order_qty": "50"}),
        (SMA, {"collar_pct": "off"}),
        (ACCOUNT, {"max_leverage": "2"}),
    ):
        proposal = desk.gate.in_force.propose(scope, tuple(values.items()))
        journal.append(fact_of(desk.gate, proposal))
        desk.gate.apply(journal[-1])
        desk.gate.apply(journal[-1])  # at once, and again once it is journaled
    again = desk_with().gate
    for fact in journal:
        again.apply(fact)
    assert again.limits == desk.gate.limits
    assert again.limits.version == 6
    rows = {f"{row.scope} {row.limit}": (row.value, row.in_file, row.is_changed) for row in again.in_force.rows()}
    assert rows["risk max_order_qty"] == ("50", "200", True)
    assert rows["strategy.sma collar_pct"] == ("off", "", True)
    reset = again.in_force.propose_reset(None)
    assert {change.limit for change in reset.loosened} == {"max_order_qty", "max_leverage"}, "a collar comes back"
    again.apply(fact_of(again, reset))
    assert replace(again.limits, version=3) == desk_with().gate.limits


def test_tightening_needs_no_word_and_loosening_is_told_apart(desk: Any) -> None:
    propose = desk.gate.in_force.propose
    assert propose(COMMON, [("max_order_qty", "199")]).loosened == ()
    assert len(propose(COMMON, [("max_order_qty", "201"), ("collar_pct", "4")]).loosened) == 1
    assert len(propose(SMA, [("max_order_qty", "201")]).loosened) == 1
    assert propose(SMA, [("max_order_qty", "100")]).loosened == ()
    assert propose(COMMON, [("max_order_qty", "200")]).changes == (), "it is so already"


def test_limit_of_an_instrument_that_lets_one_strategy_do_more_is_loosening(desk: Any) -> None:
    change(desk.gate, SMA, max_order_qty="5")
    assert len(desk.gate.in_force.propose(ESZ6, [("max_order_qty", "50")]).loosened) == 1, "sma may not do that now"
    change(desk.gate, ESZ6, max_order_qty="4")
    assert len(desk.gate.in_force.propose_reset(ESZ6).loosened) == 1


@pytest.mark.parametrize(
    ("scope", "name", "text", "words"),
    [
        (COMMON, "max_oder_qty", "1", "there are: max_order_qty"),
        (COMMON, "max_order_qty", "many", "a number above zero, or off"),
        (COMMON, "max_order_qty", "0", "above zero"),
        (COMMON, "max_order_qty", "NaN", "above zero"),
        (COMMON, "max_order_qty", "-Infinity", "above zero"),
        (COMMON, "order_burst", "1.5", "whole number"),
        (COMMON, "order_rate_per_s", "off", "a number above zero"),
        (COMMON, "restricted", "yes", "true or false"),
        (ESZ6, "order_rate_per_s", "1", "instrument.ESZ6 has no limit"),
        (ACCOUNT, "collar_pct", "1", "account has no limit"),
    ],
)
def test_value_that_is_none_is_refused_with_what_would_be_right(
    desk: Any, scope: Scope, name: str, text: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words.replace(".", r"\.")):
        desk.gate.in_force.propose(scope, [(name, text)])
    assert desk.gate.limits.version == 3


def test_tokens_that_are_used_stay_used_when_a_rate_changes(desk_with: MakeDesk, facts: Any) -> None:
    desk = desk_with(order_rate_per_s=D(1), order_burst=D(2))
    assert [rule_of(desk.ask(facts.request(n, 1))) for n in (1, 2, 3)] == ["approved", "approved", "order_rate"]
    change(desk.gate, COMMON, order_burst="3")
    assert [rule_of(desk.ask(facts.request(n, 1))) for n in (4, 5)] == ["approved", "order_rate"]


VALUES = st.sampled_from(["off", "1", "2.5", "10", "100", "true", "false"])


@given(data=st.data())
def test_what_is_loosening_one_way_is_tightening_the_other(data: st.DataObject) -> None:
    scope = data.draw(st.sampled_from([COMMON, ACCOUNT, SMA, FUTURES, ESZ6]))
    name = data.draw(st.sampled_from(sorted(parameters_of(scope.kind))))
    values: list[LimitValue] = []
    for text in (data.draw(VALUES), data.draw(VALUES)):
        try:
            values.append(read_value(scope, name, text))
        except ValueError:
            return
    one, two = values
    assert is_loosening(scope, name, one, two) + is_loosening(scope, name, two, one) == (one != two)


def test_strategies_of_the_floor_keep_their_own_limits(desk: Any) -> None:
    change(desk.gate, SMA, max_order_qty="5")
    limits = desk.gate.limits
    assert (limits.of(StrategyId("sma")).max_order_qty, limits.of(StrategyId("pair")).max_order_qty) == (D(5), D(200))


def test_limit_by_id_is_loosening_where_it_goes_before_that_of_the_symbol(desk: Any, facts: Any) -> None:
    gate, by_symbol, by_id = desk.gate, Scope(ScopeKind.INSTRUMENT, "SPY"), Scope(ScopeKind.INSTRUMENT, "756733")
    assert (desk.instrument.local_symbol, desk.instrument.instrument_id) == ("SPY", 756733)
    change(gate, by_symbol, max_order_qty="100", restricted="true")
    loosened = gate.in_force.propose(by_id, (("max_order_qty", "150"), ("restricted", "false"))).loosened
    assert [each.limit for each in loosened] == ["max_order_qty", "restricted"]
    assert not gate.in_force.propose(by_id, (("max_order_qty", "90"), ("restricted", "true"))).loosened
    change(gate, by_id, max_order_qty="90", restricted="true")
    assert [each.limit for each in gate.in_force.propose_reset(by_id).loosened] == ["max_order_qty", "restricted"]
    assert not gate.in_force.propose(by_symbol, (("max_order_qty", "80"),)).loosened
