"""The moving-average cross is on the side its averages say, and flat at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from ibfloor.model.errors import ConfigError
from ibfloor.model.moment import NS_PER_MINUTE

if TYPE_CHECKING:
    from tests.unit.strategy.conftest import Desk


def warm(desk: Desk, *closes: float) -> None:
    first = desk.clock.ns - len(closes) * NS_PER_MINUTE
    desk.past["SPY"] = [desk.bar_at("SPY", first + n * NS_PER_MINUTE, px) for n, px in enumerate(closes)]
    desk.start()


def minute(desk: Desk, px: float) -> None:
    desk.forward(60)
    desk.bar("SPY", px)


def test_warm_up_sends_nothing_and_the_first_live_bar_trades(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("sma-spy")
    warm(desk, *[100.0 + n / 10 for n in range(15)])
    assert not desk.all_orders
    minute(desk, 102.0)
    assert desk.held("SPY") == 100


def test_cross_turns_the_position_with_one_order(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("sma-spy")
    warm(desk, *[100.0 + n / 10 for n in range(15)])
    for px in (102.0, 95.0, 94.0, 93.0):
        minute(desk, px)
    assert desk.held("SPY") == -100
    assert [order.request.order_qty for order in desk.all_orders.values()] == [100, 200]


def test_without_shorts_it_goes_flat_below_the_slow_average(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("sma-spy", may_short=False)
    warm(desk, *[100.0 + n / 10 for n in range(15)])
    for px in (102.0, 95.0, 94.0):
        minute(desk, px)
    assert desk.held("SPY") == 0


def test_too_few_bars_are_no_reason_to_trade(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("sma-spy")
    desk.start()
    for px in (100.0, 101.0, 102.0):
        minute(desk, px)
    assert not desk.all_orders


def test_nothing_is_sent_before_the_open(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("sma-spy", at="09:20")
    warm(desk, *[100.0 + n / 10 for n in range(15)])
    for _ in range(9):
        minute(desk, 103.0)
    assert not desk.all_orders
    minute(desk, 103.0)
    assert len(desk.all_orders) == 1


def test_a_whole_day_never_exceeds_its_size_and_ends_flat(
    demo_desk: Callable[..., Desk], walk: Callable[..., Iterator[float]]
) -> None:
    desk = demo_desk("sma-spy")
    desk.start()
    prices = walk(450.0, seed=11, step_bps=5)
    for _ in range(390):
        minute(desk, next(prices))
        assert abs(desk.held("SPY")) <= 100
    assert len(desk.fills) > 10
    assert desk.held("SPY") == 0


def test_fast_average_that_is_not_faster_is_refused_with_its_name(demo_desk: Callable[..., Desk]) -> None:
    with pytest.raises(ConfigError, match=r"strategy 'sma-spy': .*fast \(20\) must be below slow \(15\)"):
        demo_desk("sma-spy", fast=20)
