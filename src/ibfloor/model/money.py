"""Money: an exact amount that knows its currency."""

from __future__ import annotations

from decimal import Decimal
from typing import NewType

import msgspec

Currency = NewType("Currency", str)
"""ISO 4217 code, upper case."""

USD = Currency("USD")
ZERO = Decimal(0)


class Money(msgspec.Struct, frozen=True, gc=False):
    """An amount in one currency; adding another currency raises ``ValueError``."""

    amount: Decimal
    currency: Currency

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def _same(self, other: Money) -> Decimal:
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return other.amount
