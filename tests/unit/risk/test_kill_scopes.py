"""A kill switch forbids what is in its reach, and nothing else; whatever order they come and go in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibfloor.model.errors import ConfigError
from ibfloor.model.fact import KillChecked, KillLatched, KillReset
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.kill import ACCOUNT, KillPlace, KillScope, checked_place, place_of
from ibfloor.model.order import Refused, Side
from ibfloor.risk.kill import KillState, all_after

SMA, PAIR = KillPlace(KillScope.STRATEGY, "sma"), KillPlace(KillScope.STRATEGY, "pair")
SPY, BY_ID = KillPlace(KillScope.INSTRUMENT, "SPY"), KillPlace(KillScope.INSTRUMENT, "756733")
PLACES = (ACCOUNT, SMA, PAIR, SPY, BY_ID)


def latched(place: KillPlace, ts_ns: int = 1) -> KillLatched:
    return KillLatched(
        ts_event_ns=ts_ns, ts_init_ns=ts_ns, actor="ann", reason="r", scope=place.scope, target=place.target
    )


def reset(place: KillPlace) -> KillReset:
    return KillReset(ts_event_ns=1, ts_init_ns=1, actor="ann", reason="r", scope=place.scope, target=place.target)


def checked(place: KillPlace, left: int) -> KillChecked:
    return KillChecked(ts_event_ns=1, ts_init_ns=1, orders_left=left, text="", scope=place.scope, target=place.target)


@pytest.mark.parametrize("place", PLACES)
def test_an_order_is_refused_by_a_switch_that_has_it_in_reach_and_by_no_other(
    desk: Any, facts: Any, place: KillPlace
) -> None:
    desk.take(latched(place))
    orders = {
        ("sma", 756733): desk.ask(facts.request(1)),
        ("pair", 756733): desk.ask(facts.request(1, strategy="pair")),
    }
    for (strategy, key), answer in orders.items():
        is_hit = place.covers(StrategyId(strategy), InstrumentId(key), "SPY")
        assert isinstance(answer, Refused) is is_hit
        assert not is_hit or answer.reason.rule == "kill"
    desk.take(reset(place))
    assert not isinstance(desk.ask(facts.request(2)), Refused)


def test_an_order_on_its_way_is_stopped_by_a_switch_that_closes_meanwhile(desk: Any, facts: Any) -> None:
    request = facts.request(1)
    assert desk.ask(request)
    assert desk.gate.recheck(request) is None
    desk.take(latched(PAIR))
    assert desk.gate.recheck(request) is None
    desk.take(latched(SPY))
    refusal = desk.gate.recheck(request)
    assert refusal is not None
    assert "instrument SPY" in refusal.text


def test_only_what_reduces_passes_while_positions_are_closed(desk: Any, facts: Any) -> None:
    desk.take(facts.filled(50), latched(ACCOUNT), latched(SMA))
    desk.gate.permissions.closing.add(SMA)
    assert isinstance(desk.ask(facts.request(1, 10)), Refused)
    assert isinstance(desk.ask(facts.request(2, 51, Side.SELL)), Refused), "it would flip"
    assert not isinstance(desk.ask(facts.request(3, 50, Side.SELL)), Refused)
    assert isinstance(desk.ask(facts.request(4, 10, Side.SELL)), Refused), "one is on its way already"
    assert isinstance(desk.ask(facts.request(5, 10, Side.SELL, strategy="pair")), Refused)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(["latch", "check", "reset"])), max_size=30))
def test_switches_are_a_fold_and_know_nothing_of_each_other(steps: list[tuple[KillPlace, str]]) -> None:
    together: dict[KillPlace, KillState] = {}
    alone: dict[KillPlace, dict[KillPlace, KillState]] = {place: {} for place in PLACES}
    for number, (place, what) in enumerate(steps):
        fact = {"latch": latched(place, number), "check": checked(place, 0), "reset": reset(place)}[what]
        all_after(together, fact)
        all_after(alone[place], fact)
    assert together == {place: state for own in alone.values() for place, state in own.items()}


def test_a_switch_is_verified_when_the_broker_lists_nothing_and_a_new_one_is_not() -> None:
    states: dict[KillPlace, KillState] = {}
    all_after(states, latched(SMA))
    all_after(states, checked(SMA, 3))
    assert not states[SMA].is_verified
    all_after(states, checked(SMA, 0))
    assert states[SMA].is_verified
    all_after(states, reset(SMA))
    all_after(states, checked(SMA, 0))
    assert states == {}
    all_after(states, latched(SMA))
    assert not states[SMA].is_verified


@pytest.mark.parametrize(
    ("scope", "target"),
    [("galaxy", "x"), ("strategy", ""), ("instrument", "  "), ("account", "sma"), ("instrument", "x" * 65)],
)
def test_an_unclear_kill_is_refused_when_a_person_asks_and_stands_for_all_when_it_is_found(
    scope: str, target: str
) -> None:
    with pytest.raises(ConfigError):
        checked_place(scope, target)
    if scope == "galaxy" or not target:
        assert place_of(scope, target) == ACCOUNT
