"""Combinations through the campaign's troubles: kills, outages, lost and repeated messages; the oracle is the gateway.

Every invariant of the campaign holds for them too, and two of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from tests.sim.campaign import invariants, run, world
from tests.sim.campaign.invariants import Evidence, Violation
from tests.sim.campaign.troubles import TROUBLES, Trouble
from tests.sim.campaign.world import MAX_POSITION, World

from ibfloor.manager.floor_state import FloorState
from ibfloor.model.combo import leg_side
from ibfloor.model.fact import OrderSubmitted, ReplaceRequested
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId, owner_of
from ibfloor.model.order import Side
from ibfloor.sim.faults import Fault, When
from ibfloor.sim.faults import actions as do

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SPREADER = Path(__file__).parent / "spreads" / "spreader.py"
SPREADERS = {"alpha": ("Spreader", 0.6), "beta": ("Spreader", 0.8)}
Fills = dict[ClientOrderId, dict[InstrumentId, Decimal]]


def legs_keep_proportion(found: Evidence) -> Iterator[str]:
    """Every leg of a combination has traded its ratio of what the broker says that the whole has."""
    if found.may_break:  # an execution of one leg may be taken back
        return
    filled: Fills = defaultdict(lambda: defaultdict(Decimal))
    for row in found.report.executions:
        if owner_of(row.order_ref):
            filled[row.order_ref][row.con_id] += row.qty  # type: ignore[index]
    whole = {row.order_ref: row.filled_qty for row in found.report.orders}
    for order in found.state.orders:
        combo = order.request.asks.combo
        if combo is None:
            continue
        if order.cum_qty != whole.get(order.cl_ord_id, Decimal(0)):
            yield f"{order.cl_ord_id} has filled {order.cum_qty} here, {whole.get(order.cl_ord_id)} at the broker"
        for leg in combo.legs:
            if filled[order.cl_ord_id][leg.instrument_id] != order.cum_qty * abs(leg.ratio):
                yield f"{order.cl_ord_id}: leg {leg.instrument_id} traded {dict(filled[order.cl_ord_id])}"


def limits_hold_on_every_leg(found: Evidence) -> Iterator[str]:
    """Whatever passes the gate keeps every leg's worst case within its limit, combinations and others together."""
    if found.lies:
        return
    state = FloorState()
    for fact in found.facts:
        state.apply(fact)
        if not isinstance(fact, OrderSubmitted | ReplaceRequested) or owner_of(fact.request.cl_ord_id) is None:
            continue
        request = fact.request
        worst, combo = _worst(state, request.strategy), request.asks.combo
        legs = [(request.instrument_id, 1)] if combo is None else [(leg.instrument_id, leg.ratio) for leg in combo.legs]
        for instrument_id, ratio in legs:
            qty = worst[instrument_id, leg_side(request.side, ratio)]
            if qty > MAX_POSITION:
                yield f"{request.cl_ord_id} was let through with a worst case of {qty} in {instrument_id}"


def _worst(state: FloorState, strategy: StrategyId) -> dict[tuple[InstrumentId, Side], Decimal]:
    worst: dict[tuple[InstrumentId, Side], Decimal] = defaultdict(Decimal)
    for instrument_id, held in state.books.book(strategy).positions.items():
        for side in Side:
            worst[instrument_id, side] += held.qty * side.sign
    for order in state.orders.working():
        request, tracked = order.request, state.orders.tracked(order.cl_ord_id)
        if request.strategy != strategy or tracked is None:
            continue
        traded = {each.instrument_id: each.qty for each in tracked.legs}
        combo = request.asks.combo
        if combo is None:
            worst[request.instrument_id, request.side] += order.leaves_qty
        for leg in () if combo is None else combo.legs:
            leaves = request.order_qty * abs(leg.ratio) - traded.get(leg.instrument_id, Decimal(0))
            worst[leg.instrument_id, leg_side(request.side, leg.ratio)] += max(leaves, Decimal(0))
    return worst


def _crash_between_legs(here: World) -> None:
    # Looks every few milliseconds whether one leg of a combination is booked and another is not yet.
    tables = [here.floor._state.orders] if here.floor is not None and here.is_up else []
    for order in [each for table in tables for each in table if each.request.asks.combo is not None]:
        tracked = tables[0].tracked(order.cl_ord_id)
        assert tracked is not None
        assert order.request.asks.combo is not None
        shares = {each.qty / abs(leg.ratio) for each, leg in zip(tracked.legs, order.request.asks.combo.legs)}  # noqa: B905
        if len(shares) > 1:
            CRASHED.append(order.cl_ord_id)
            here.crash()
            return
    here.loop.call_later(0.005, _crash_between_legs, here)


CRASHED: list[str] = []
MIDST = Trouble(
    name="crash-between-legs",
    line="a leg's execution is late, and the floor is killed before it comes",
    faults=(
        Fault(name="leg-late", what=do.Delay(seconds=0.7), when=When(on="out:exec_details", times=0, probability=0.5)),
    ),
    deed=_crash_between_legs,
)


@pytest.fixture(autouse=True)
def spreaders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "TRADERS", SPREADER)
    monkeypatch.setattr(world, "TRADERS_NOW", SPREADERS)
    judge = invariants.judge

    def judge_more(found: Evidence) -> list[Violation]:
        traded = sum(order.request.asks.combo is not None and order.cum_qty > 0 for order in found.state.orders)
        assert traded > 5 or found.world.kills_s, "runs in which no combination trades prove nothing"
        violations = judge(found)
        violations += [Violation("legs", text) for text in legs_keep_proportion(found)]
        violations += [Violation("leg limits", text) for text in limits_hold_on_every_leg(found)]
        return violations

    monkeypatch.setattr(run, "judge", judge_more)
    monkeypatch.setitem(TROUBLES, MIDST.name, MIDST)


@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("faults", ["clear", "crash", "connections-cut", "exec-twice"])
def test_combinations_survive_what_the_campaign_does_to_them(faults: str, seed: int) -> None:
    outcome = run.run_one("A", faults, seed)

    assert outcome.violations == (), f"{faults}, seed {seed}"


@pytest.mark.parametrize("seed", [1, 2])
def test_a_kill_between_the_legs_of_a_fill_loses_and_doubles_nothing(seed: int) -> None:
    CRASHED.clear()

    outcome = run.run_one("A", MIDST.name, seed)

    assert len(CRASHED) == 1, "one leg was booked, and another not yet"
    assert outcome.violations == (), f"seed {seed}"
