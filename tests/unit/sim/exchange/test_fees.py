"""Commissions, by the price list."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibfloor.model.instrument import SecurityType
from ibfloor.sim.exchange.fees import FIXED_FEES, FOREX_FEES, FUTURE_FEES, STOCK_FEES, FeeSchedule, Traded


@pytest.mark.parametrize(
    ("fees", "qty", "px", "expected"),
    [
        (STOCK_FEES, "100", "50", "1.00"),  # the minimum
        (STOCK_FEES, "1000", "50", "5.00"),
        (STOCK_FEES, "1001", "50", "5.01"),  # 5.005 rounds up
        (STOCK_FEES, "1000", "0.25", "2.50"),  # one per cent of the value
        (STOCK_FEES, "10", "5", "0.50"),  # the maximum wins over the minimum
        (FUTURE_FEES, "3", "4500", "6.75"),
        (FOREX_FEES, "20000", "1.10", "2.00"),
        (FOREX_FEES, "200000", "1.10", "4.40"),
    ],
)
def test_an_order_costs_what_the_price_list_says(fees: FeeSchedule, qty: str, px: str, expected: str) -> None:
    assert fees.order_fee(Traded().plus(Decimal(qty), Decimal(px))) == Decimal(expected)


def test_an_order_that_did_not_trade_costs_nothing() -> None:
    assert STOCK_FEES.order_fee(Traded()) == 0


def test_minimum_is_paid_once_by_the_first_fill_of_an_order() -> None:
    first = Traded().plus(Decimal(100), Decimal(50))
    second = first.plus(Decimal(300), Decimal(50))
    assert STOCK_FEES.fill_fee(Traded(), first) == Decimal("1.00")
    assert STOCK_FEES.fill_fee(first, second) == Decimal("1.00")


@given(
    st.sampled_from(list(SecurityType)[:4]),
    st.lists(st.tuples(st.integers(1, 5000), st.integers(1, 100_000)), min_size=1, max_size=20),
)
def test_fees_of_fills_add_up_to_the_orders_fee_and_are_never_negative(
    kind: SecurityType, parts: list[tuple[int, int]]
) -> None:
    fees, traded, paid = FIXED_FEES[kind], Traded(), Decimal(0)
    for qty, cents in parts:
        after = traded.plus(Decimal(qty), Decimal(cents) / 100)
        fee = fees.fill_fee(traded, after)
        assert fee >= 0
        paid, traded = paid + fee, after
    assert paid == fees.order_fee(traded)
