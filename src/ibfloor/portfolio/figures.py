"""Figures that know when they are not known: a sum with one part missing is missing, and says why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

import msgspec

from ibfloor.model.money import Currency

_ZERO = Decimal(0)
CENT = Decimal("0.01")
NO_PRICE, NO_RATE = "no price of ", "no rate of "
_LISTED = (NO_PRICE, NO_RATE)


class Figure(msgspec.Struct, frozen=True, omit_defaults=True):
    """An exact amount; ``None`` with the reason where a mark, a rate or a base is missing."""

    value: Decimal | None
    why: str = ""

    def __add__(self, other: Figure) -> Figure:
        return total((self, other))

    def __sub__(self, other: Figure) -> Figure:
        return total((self, -other))

    def __neg__(self) -> Figure:
        return self if self.value is None else Figure(-self.value)

    def times(self, factor: Figure) -> Figure:
        """Return the product; nothing times what is not known is still nothing."""
        if self.value is not None and not self.value:
            return self
        if self.value is None or factor.value is None:
            return Figure(None, self.why or factor.why)
        return Figure(self.value * factor.value)

    def over(self, divisor: Figure, why: str) -> Figure:
        """Return the quotient; not known, and ``why``, where the divisor is not above zero."""
        if self.value is None or divisor.value is None:
            return Figure(None, self.why or divisor.why)
        return Figure(self.value / divisor.value) if divisor.value > 0 else Figure(None, why)


ZERO = Figure(_ZERO)
FigureByCurrency = dict[Currency, Figure]


def total(figures: Iterable[Figure]) -> Figure:
    """Return the sum; where parts are missing it is missing, with every reason once."""
    amount, reasons = _ZERO, []
    for figure in figures:
        if figure.value is None:
            reasons.append(figure.why)
        else:
            amount += figure.value
    return Figure(None, as_one_reason(reasons)) if reasons else Figure(amount)


def as_one_reason(reasons: Iterable[str]) -> str:
    """Return every reason once; what has no price is named in one list, and what has no rate in another."""
    said: dict[str, dict[str, None]] = {}
    for reason in reasons:
        for each in reason.split("; "):
            lead = next((lead for lead in _LISTED if each.startswith(lead)), "")
            names = each.removeprefix(lead).split(", ") if lead else ()
            said.setdefault(lead or each, {}).update(dict.fromkeys(names))
    return "; ".join(lead + ", ".join(names) for lead, names in said.items())


def cents_that_add_up(parts: Sequence[Decimal], whole: Decimal) -> list[Decimal]:
    """Return the parts in cents so that their sum is exactly ``whole``, itself in cents.

    Each part is at most a cent off its exact value, as long as the exact parts add up to the whole.
    """
    floors = [part.quantize(CENT, ROUND_FLOOR) for part in parts]
    missing = int((whole - sum(floors, _ZERO)) / CENT)
    # Those that lost most get a cent first; what is exact anyway is touched last.
    order = sorted(range(len(parts)), key=lambda index: floors[index] - parts[index])
    for number in range(abs(missing) if parts else 0):
        index = order[number % len(parts)] if missing > 0 else order[-1 - number % len(parts)]
        floors[index] += CENT if missing > 0 else -CENT
    return floors


def to_cents(amount: Decimal) -> Decimal:
    """Return an amount in cents."""
    return amount.quantize(CENT, ROUND_HALF_EVEN)
