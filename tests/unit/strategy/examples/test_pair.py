"""The pair has two legs of one value, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.model.order import Refusal

if TYPE_CHECKING:
    from tests.unit.strategy.conftest import Desk


def start(desk: Desk) -> None:
    first = desk.clock.ns - 10 * NS_PER_MINUTE
    for symbol, px in (("KO", 60.0), ("PEP", 150.0)):
        desk.past[symbol] = [
            desk.bar_at(symbol, first + n * NS_PER_MINUTE, px + 0.01 * (n % 2) * (symbol == "KO")) for n in range(10)
        ]
    desk.start()


def minute(desk: Desk, first_px: float, second_px: float) -> None:
    desk.forward(60)
    desk.bar("KO", first_px)
    desk.bar("PEP", second_px)


def held(desk: Desk) -> tuple[int, int]:
    return int(desk.held("KO")), int(desk.held("PEP"))


def test_dear_leg_is_sold_and_cheap_leg_bought_for_the_same_value(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("pair-ko-pep")
    start(desk)
    minute(desk, 61.0, 150.0)
    assert held(desk) == (-100, 41)


def test_pair_is_closed_when_the_ratio_is_back(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("pair-ko-pep")
    start(desk)
    minute(desk, 59.0, 150.0)
    assert held(desk) == (100, -39)
    minute(desk, 59.9, 150.0)
    assert held(desk) == (0, 0)


def test_ratio_waits_for_both_legs_of_the_same_minute(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("pair-ko-pep")
    start(desk)
    desk.forward(60)
    desk.bar("KO", 65.0)
    assert not desk.all_orders


def test_lone_leg_is_closed_at_the_next_bar(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("pair-ko-pep")
    start(desk)
    desk.refuse = lambda r: Refusal(rule="any", text="no") if r.instrument_id == 2 else None
    minute(desk, 61.0, 150.0)
    assert held(desk) == (-100, 0)
    minute(desk, 61.0, 150.0)
    assert held(desk) == (0, 0)


def test_a_walk_trades_and_legs_never_share_a_sign(
    demo_desk: Callable[..., Desk], walk: Callable[..., Iterator[float]]
) -> None:
    desk = demo_desk("pair-ko-pep")
    start(desk)
    first, second = walk(60.0, seed=5, step_bps=4), walk(150.0, seed=6, step_bps=4)
    for _ in range(35):
        minute(desk, next(first), next(second))
        assert held(desk)[0] * held(desk)[1] <= 0
        assert (held(desk)[0] == 0) == (held(desk)[1] == 0)
    assert len(desk.fills) >= 4
