"""Average cost, exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibfloor.model.lots import LotMethod
from ibfloor.portfolio.lots import OpenLots

D = Decimal
ZERO = Decimal(0)


def fold(*trades: tuple[int, str]) -> tuple[Decimal, Decimal, Decimal]:
    lots, realised = OpenLots(LotMethod.AVERAGE), ZERO
    for change, px in trades:
        realised += lots.trade(D(change), D(change) * D(px), 0, "x1")
    return lots.qty, lots.cost, realised


@pytest.mark.parametrize(
    ("trades", "expected"),
    [
        ([(100, "10")], (100, "1000", "0")),
        ([(100, "10"), (100, "12")], (200, "2200", "0")),
        ([(100, "10"), (100, "12"), (-50, "13")], (150, "1650", "100")),
        ([(100, "10"), (-100, "9.5")], (0, "0", "-50")),
        ([(-100, "10"), (40, "9")], (-60, "-600", "40")),
        ([(100, "10"), (-150, "11")], (-50, "-550", "100")),
        ([(-100, "10"), (150, "11")], (50, "550", "-100")),
        ([(0, "10")], (0, "0", "0")),
    ],
    ids=["open", "add", "reduce", "close", "short and reduce", "flip down", "flip up", "nothing"],
)
def test_opens_adds_reduces_closes_and_flips_at_average_cost(
    trades: list[tuple[int, str]], expected: tuple[int, str, str]
) -> None:
    assert fold(*trades) == tuple(D(amount) for amount in expected)


def test_thirds_leave_nothing_behind() -> None:
    qty, cost, realised = fold((3, "100"), (-1, "101"), (4, "100.01"), (-6, "99"))
    assert (qty, cost) == (ZERO, ZERO)
    assert realised == D("101") - D("300") - D("400.04") + D("594")


TRADES = st.lists(st.tuples(st.integers(-50, 50), st.decimals("0.01", "500", places=2)), max_size=30)


@given(TRADES)
def test_cost_and_result_always_add_up_to_what_was_paid(trades: list[tuple[int, Decimal]]) -> None:
    qty, cost, realised = fold(*((change, str(px)) for change, px in trades))
    paid = sum((change * px for change, px in trades), ZERO)
    assert qty == sum(change for change, _ in trades)
    assert cost - realised == paid
    assert (cost > 0) == (qty > 0)
    assert (cost == 0) == (qty == 0)
