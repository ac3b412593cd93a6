"""What the market stood at when an order went out: what its execution is measured against."""

from __future__ import annotations

from decimal import Decimal

import msgspec


class Arrival(msgspec.Struct, frozen=True, array_like=True):
    """The arrival price, its time (market time, ns) and source: the quote's middle, or the last trade."""

    px: Decimal
    ts_ns: int
    source: str
