"""The faulty strategy trades, breaks on time, and lasts longer after each restart."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.strategy.conftest import Desk


def minutes_until_failure(desk: Desk) -> int:
    desk.start()
    for minute in range(1, 200):
        desk.forward(60)
        try:
            desk.bar("IWM", 200.0)
        except RuntimeError:
            return minute
    pytest.fail("it never broke")


def test_it_trades_small_and_then_raises(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("faulty-iwm")
    assert minutes_until_failure(desk) == 4
    assert [fill.signed_qty for fill in desk.fills] == [10, -10, 10]


def test_it_lasts_ten_times_longer_after_a_restart(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("faulty-iwm")
    desk.restarts = 1
    assert minutes_until_failure(desk) == 40


def test_bars_before_the_open_do_not_count(demo_desk: Callable[..., Desk]) -> None:
    desk = demo_desk("faulty-iwm", at="09:26")
    assert minutes_until_failure(desk) == 7
