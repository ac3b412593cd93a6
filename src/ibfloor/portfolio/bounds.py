"""Numbers that the books can hold exactly: a sum of them keeps every digit. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from ibfloor.model.booking import RATIO_MAX, Booking
from ibfloor.model.entry import CashLeg, Leg, PositionLeg, SettleLeg
from ibfloor.model.money import AMOUNT_LIMIT

PLACES = 10


def asked_too_much(booking: Booking) -> str | None:
    """Return what a person may not ask for: a number out of bounds, or finer than the books count."""
    for name, number in _numbers(booking):
        if isinstance(number, int):
            if abs(number) > RATIO_MAX:
                return f"{name} {number} is out of bounds: {RATIO_MAX} at most"
        elif not number.is_finite() or abs(number) >= AMOUNT_LIMIT:
            return f"{name} {number} is out of bounds: it must be less than {AMOUNT_LIMIT:.0e}"
        elif number != round(number, PLACES):
            return f"{name} {number} is too fine: books count {PLACES} decimals"
    return None


def too_much(leg: Leg) -> str | None:
    """Return which number of a leg is larger than what the books keep every digit of."""
    match leg:
        case PositionLeg():
            numbers = [leg.qty, leg.px, leg.multiplier, leg.qty * leg.px * leg.multiplier, leg.value or Decimal(0)]
        case CashLeg():
            numbers = [leg.amount.amount]
        case SettleLeg():
            numbers = [leg.px]
        case _:
            numbers = []
    for number in numbers:
        if abs(number) >= AMOUNT_LIMIT:
            return f"{number:.6g} is out of bounds: quantities, prices and amounts must be less than {AMOUNT_LIMIT:.0e}"
    return None


def _numbers(struct: msgspec.Struct) -> Iterator[tuple[str, Decimal | int]]:
    for field in struct.__struct_fields__:
        value = getattr(struct, field)
        if isinstance(value, Decimal) or (isinstance(value, int) and field in ("new", "old")):
            yield field, value
        elif isinstance(value, msgspec.Struct):
            yield from _numbers(value)
        elif isinstance(value, tuple):
            for each in value:
                yield from _numbers(each)
