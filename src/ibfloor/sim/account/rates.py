"""Exchange rates from the market's currency pairs: direct, turned over, or over third currencies."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from ibfloor.model.money import Currency

Pair = tuple[Currency, Currency, Decimal]
"""One unit of the first currency costs so much of the second."""


def base_rates(base: Currency, pairs: Iterable[Pair]) -> dict[Currency, Decimal]:
    """Return base currency per unit of every currency that the pairs reach, by the fewest pairs."""
    legs: dict[Currency, list[tuple[Currency, Decimal]]] = {}
    for unit, quote, px in pairs:
        if px > 0:
            legs.setdefault(quote, []).append((unit, px))
            legs.setdefault(unit, []).append((quote, 1 / px))
    rates = {base: Decimal(1)}
    reached = [base]
    for known in reached:  # grows while it is walked: nearest currencies first
        for other, per_unit in legs.get(known, ()):
            if other not in rates:
                rates[other] = rates[known] * per_unit
                reached.append(other)
    return rates
