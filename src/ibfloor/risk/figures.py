"""An instrument's usual day, from its history: how much trades, how far it moves."""

from __future__ import annotations

from decimal import Decimal

import msgspec


class MarketFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Averages over recent days; ``None`` where history does not tell."""

    average_volume: Decimal | None = None
    """Of a day, in shares or contracts."""
    true_range: Decimal | None = None
    """Average true range of a day, in price."""
