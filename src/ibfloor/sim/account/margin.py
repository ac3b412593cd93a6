"""Margin in the manner of Regulation T, per position, in the position's currency."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.model.instrument import SecurityType
from ibfloor.sim.account.position import SimPosition

ZERO = Decimal(0)
MARGINS: dict[SecurityType, tuple[Decimal, Decimal]] = {
    SecurityType.STOCK: (Decimal("0.50"), Decimal("0.25")),
    SecurityType.OPTION: (Decimal(1), Decimal(1)),
    SecurityType.FUTURE: (Decimal("0.05"), Decimal("0.04")),
    SecurityType.FOREX: (Decimal("0.025"), Decimal("0.025")),
    SecurityType.INDEX: (ZERO, ZERO),
}
"""Initial and maintenance margin of a long position as a share of its value, by kind of security."""
_SHORT_STOCK = (Decimal("0.50"), Decimal("0.30"))
_WRITTEN, _WRITTEN_LEAST = Decimal("0.20"), Decimal("0.10")


def requirement(position: SimPosition, mark: Decimal, under_px: Decimal | None = None) -> tuple[Decimal, Decimal]:
    """Return initial and maintenance margin at a mark; a written option's strike stands in for no price below it."""
    kind = position.instrument.contract.security_type
    value = abs(position.market_value(mark))
    if position.qty < 0 and kind is SecurityType.OPTION:
        written = value + _written(position, under_px)
        return written, written
    initial, maintenance = _SHORT_STOCK if position.qty < 0 and kind is SecurityType.STOCK else MARGINS[kind]
    return value * initial, value * maintenance


def _written(position: SimPosition, under_px: Decimal | None) -> Decimal:
    # a fifth of the underlying less what the option is out of the money, but a tenth at least
    contract = position.instrument.contract
    strike = contract.strike or ZERO
    px = strike if under_px is None else under_px
    out_of_money = max(ZERO, strike - px if contract.right == "C" else px - strike)
    least = _WRITTEN_LEAST * (px if contract.right == "C" else strike)
    return abs(position.qty) * position.instrument.multiplier * max(_WRITTEN * px - out_of_money, least)
