"""One amount of the account over several books, without a remainder."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from ibfloor.model.ids import StrategyId

_ZERO, _ONE = Decimal(0), Decimal(1)
CENT = Decimal("0.01")


def pro_rata(amount: Decimal, weights: Mapping[StrategyId, Decimal], unit: Decimal = CENT) -> dict[StrategyId, Decimal]:
    """Return parts of an amount by weight, each a whole number of units; their sum is the amount exactly.

    The weights must not add up to zero.
    """
    whole = sum(weights.values(), _ZERO)
    return in_units(amount, {name: amount * weight / whole for name, weight in weights.items()}, unit)


def in_units(amount: Decimal, exact: Mapping[StrategyId, Decimal], unit: Decimal = CENT) -> dict[StrategyId, Decimal]:
    """Return exact parts as whole numbers of units so that they add up to ``amount``, itself within a unit a part.

    What does not go into whole units goes to the books whose parts lost most by rounding.
    """
    parts = {name: (part / unit).quantize(_ONE, ROUND_FLOOR) * unit for name, part in sorted(exact.items())}
    left = amount - sum(parts.values(), _ZERO)
    for name in sorted(exact, key=lambda each: parts[each] - exact[each]):
        step = min(unit, left)
        parts[name] += step
        left -= step
    return {name: part for name, part in parts.items() if part}


def to_whole(quantities: Mapping[StrategyId, Decimal], total: Decimal) -> dict[StrategyId, Decimal]:
    """Return by how much each book's quantity changes when the account keeps whole shares alone.

    The account loses its fraction, toward zero. Books come out whole as well: what one gives up for that
    another gets, so that their sum is what the account keeps. ``total`` is the account's quantity: the sum
    of the books', but for what was rounded off them.
    """
    kept = total.quantize(_ONE, ROUND_DOWN)
    whole = {name: qty.quantize(_ONE, ROUND_FLOOR) for name, qty in sorted(quantities.items())}
    missing = int(kept - sum(whole.values(), _ZERO))
    for name in sorted(whole, key=lambda each: whole[each] - quantities[each])[:missing]:
        whole[name] += 1
    return {name: qty - quantities[name] for name, qty in whole.items() if qty != quantities[name]}


def to_cents(amount: Decimal) -> Decimal:
    """Return an amount in cents."""
    return amount.quantize(CENT, ROUND_HALF_EVEN)
