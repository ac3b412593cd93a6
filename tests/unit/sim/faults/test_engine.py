"""When faults happen: the engine alone, told the time."""

from __future__ import annotations

from pathlib import Path

import pytest

from ibfloor.model.errors import ConfigError
from ibfloor.model.moment import NS_PER_S
from ibfloor.sim.faults import Fault, FaultEngine, FaultPlan, Now, When, load_plan, read_fault
from ibfloor.sim.faults import actions as do
from ibfloor.sim.gateway.faults.points import check_points

DROP = do.Drop()
ON = "out:order_status"


def at(market_s: float, wall_s: float = 0.0) -> Now:
    return Now(int(market_s * NS_PER_S), int(wall_s * NS_PER_S))


def engine(*faults: Fault, seed: int = 1) -> FaultEngine:
    return FaultEngine(FaultPlan(seed=seed, faults=faults), at(0))


def fired(one: FaultEngine, times: int, point: str = ON, client_id: int = 1, symbol: str = "") -> list[int]:
    return [n for n in range(1, times + 1) if one.at(point, at(0), client_id, symbol)]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (When(on=ON), [1]),
        (When(on=ON, nth=3), [3]),
        (When(on=ON, nth=2, times=3), [2, 3, 4]),
        (When(on=ON, times=0), [1, 2, 3, 4, 5, 6]),
        (When(on=ON, times=0, clients=(2,)), []),
        (When(on=ON, times=0, symbols=("SPY",)), []),
        (When(on="out:error", times=0), []),
    ],
)
def test_a_fault_happens_at_its_point_so_often_as_it_says(when: When, expected: list[int]) -> None:
    assert fired(engine(Fault(name="f", what=DROP, when=when)), 6) == expected


def test_a_fault_waits_for_its_time_and_for_the_event_before_it() -> None:
    one = engine(Fault(name="f", what=DROP, when=When(on=ON, after="event:filled", market_s=10, wall_s=1)))
    assert not one.at(ON, at(100, 100))
    one.at("event:filled", at(100, 100))
    assert not one.at(ON, at(109, 101))
    assert not one.at(ON, at(110, 100.5))
    assert one.at(ON, at(110, 101))


def test_a_fault_of_time_alone_is_due_once_or_every_so_often() -> None:
    once = Fault(name="once", what=do.Notice(code=1, text=""), when=When(market_s=5))
    often = Fault(name="often", what=do.Notice(code=2, text=""), when=When(market_s=5, every_s=10, times=3))
    one = engine(once, often)
    due = [(second, fault.name) for second in range(60) for fault in one.due(at(second))]
    assert due == [(5, "once"), (5, "often"), (15, "often"), (25, "often")]


def test_chance_comes_from_seed_and_name_and_no_other_fault_moves_it() -> None:
    rare = Fault(name="rare", what=DROP, when=When(on=ON, times=0, probability=0.3))
    other = Fault(name="other", what=DROP, when=When(on=ON, times=0, probability=0.3))
    alone = fired(engine(rare), 200)
    both = engine(other, rare)
    together = [n for n in range(1, 201) if any(fault.name == "rare" for fault in both.at(ON, at(0), 1))]
    assert alone == together
    assert 30 < len(alone) < 90
    assert fired(engine(rare, seed=2), 200) != alone


def test_rows_and_firings_say_what_happened() -> None:
    one = engine(Fault(name="f", what=DROP, when=When(on=ON, nth=2)))
    fired(one, 3)
    (row,) = one.rows()
    assert (row.name, row.do, row.seen, row.fired, row.is_spent) == ("f", "drop", 2, 1, True)
    assert [(firing.fault, firing.point, firing.client_id) for firing in one.firings] == [("f", ON, 1)]
    assert one.remove("f")
    assert not one.remove("f")
    assert not one.watches(ON)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault(name="f", what=DROP), "drop needs a message"),
        (Fault(name="f", what=DROP, when=When(on="order")), "'order' is no point"),
        (Fault(name="f", what=DROP, when=When(on=ON, nth=0)), "nth counts from 1"),
        (Fault(name="f", what=DROP, when=When(on=ON, probability=0)), "probability is 0"),
        (Fault(name="f", what=do.Split(at=1), when=When(on="in:place_order")), "split is for messages to clients"),
        (Fault(name="f", what=do.Fail(code=1, text=""), when=When(on=ON)), "fail needs a request"),
        (Fault(name="f", what=do.CorrectFill(), when=When(on=ON)), "correct_fill needs an execution"),
        (Fault(name="f", what=do.FillAfterCancel()), "fill_after_cancel needs a cancel"),
        (Fault(name="f", what=do.Compete(), when=When(times=2)), "needs every_s"),
        (Fault(name="f", what=do.Compete(), when=When(market_s=-1)), "cannot be negative"),
    ],
)
def test_a_fault_that_could_never_happen_is_refused(fault: Fault, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        engine(fault)


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ConfigError, match="the name is taken"):
        engine(*[Fault(name="f", what=DROP, when=When(on=ON))] * 2)


def test_a_point_nothing_passes_is_named_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="did you mean 'out:commission'"):
        check_points(Fault(name="f", what=DROP, when=When(on="out:comission")))


def test_a_plan_is_read_from_toml(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(
        """
        seed = 7
        [[faults]]
        name = "late fee"
        when = { on = "out:commission", times = 0, probability = 0.5 }
        what = { do = "delay", seconds = 30 }
        [[faults]]
        name = "split"
        when = { market_s = 60 }
        what = { do = "move_position", symbol = "SPY", ratio = "2" }
        """
    )
    plan = load_plan(file)
    assert plan.seed == 7
    assert [(fault.name, type(fault.what)) for fault in plan.faults] == [
        ("late fee", do.Delay),
        ("split", do.MovePosition),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seed = 'x'", "seed"),
        ("[[faults]]\nname='f'\nwhat={do='nothing'}", "nothing"),
        ("[[faults]]\nname='f'\nwhat={do='delay', secs=1}\nwhen={on='out:error'}", "secs"),
        ("[[faults]]\nname='f'\nwhat={do='drop'}", "drop needs a message"),
        ("[[faults", "faults.toml"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_the_file(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=says) as caught:
        load_plan(file)
    assert "faults.toml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        load_plan(tmp_path / "none.toml")


def test_a_fault_is_read_from_json() -> None:
    fault = read_fault(b'{"name":"f","what":{"do":"drop"},"when":{"on":"out:error"}}')
    assert fault == Fault(name="f", what=DROP, when=When(on="out:error"))
    with pytest.raises(ConfigError, match="cannot be read"):
        read_fault(b"{}")
