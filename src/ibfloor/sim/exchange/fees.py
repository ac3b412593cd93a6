"""Commissions: pure functions of what an order has traded, exact, rounded half up to the cent.

A minimum and a maximum hold per order, so the fee of one fill is the order's fee after it less
the order's fee before it. Fixed price list:

- stocks and ETFs: 0.005 per share, at least 1.00, at most 1 % of the trade's value (the maximum
  wins over the minimum, as at IB);
- futures and options: 2.25 and 0.65 per contract;
- currencies: 0.2 basis points of the value, at least 2.00.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import msgspec

from ibfloor.model.instrument import SecurityType

_CENT = Decimal("0.01")
_ZERO = Decimal(0)


class Traded(msgspec.Struct, frozen=True):
    """What an order has traded so far: quantity, and the sum of quantity x price x multiplier."""

    qty: Decimal = _ZERO
    value: Decimal = _ZERO

    def plus(self, qty: Decimal, px: Decimal, multiplier: Decimal = Decimal(1)) -> Traded:
        """Return the sums after one more fill."""
        return Traded(self.qty + qty, self.value + qty * px * multiplier)


class FeeSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """A price list: so much per unit and per value, with bounds per order. Amounts in the trade's currency."""

    per_unit: Decimal = _ZERO
    of_value: Decimal = _ZERO
    order_min: Decimal = _ZERO
    order_max_of_value: Decimal | None = None

    def order_fee(self, traded: Traded) -> Decimal:
        """Return the whole fee of an order that has traded so much."""
        if traded.qty == 0:
            return _ZERO
        fee = max(self.order_min, self.per_unit * traded.qty + self.of_value * traded.value)
        if self.order_max_of_value is not None:
            fee = min(fee, self.order_max_of_value * traded.value)
        return fee.quantize(_CENT, rounding=ROUND_HALF_UP)

    def fill_fee(self, before: Traded, after: Traded) -> Decimal:
        """Return the fee of the fill that led from one sum to the next; never negative."""
        return self.order_fee(after) - self.order_fee(before)


STOCK_FEES = FeeSchedule(per_unit=Decimal("0.005"), order_min=Decimal("1.00"), order_max_of_value=Decimal("0.01"))
FUTURE_FEES = FeeSchedule(per_unit=Decimal("2.25"))
OPTION_FEES = FeeSchedule(per_unit=Decimal("0.65"), order_min=Decimal("1.00"))
FOREX_FEES = FeeSchedule(of_value=Decimal("0.00002"), order_min=Decimal("2.00"))

FIXED_FEES: dict[SecurityType, FeeSchedule] = {
    SecurityType.STOCK: STOCK_FEES,
    SecurityType.FUTURE: FUTURE_FEES,
    SecurityType.OPTION: OPTION_FEES,
    SecurityType.FOREX: FOREX_FEES,
}
"""The price list by kind of security."""
