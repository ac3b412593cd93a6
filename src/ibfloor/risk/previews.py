"""What the broker said that orders would do to the margin: the newest answer per strategy, instrument and side."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.margin import MarginImpact
from ibfloor.model.order import Side

Key = tuple[StrategyId, InstrumentId, Side]


class Preview(msgspec.Struct, frozen=True):
    """An answer, with what was asked and when it came (market time)."""

    strategy: StrategyId
    instrument_id: InstrumentId
    side: Side
    order_qty: Decimal
    impact: MarginImpact
    ts_ns: int


class Previews:
    """The newest previews; owned and locked like the gate that holds them."""

    def __init__(self) -> None:
        self._newest: dict[Key, Preview] = {}

    def take(self, preview: Preview) -> None:
        """Remember an answer in place of an older one of its kind."""
        self._newest[preview.strategy, preview.instrument_id, preview.side] = preview

    def latest(self, strategy: StrategyId, instrument_id: InstrumentId, side: Side) -> Preview | None:
        """Return the newest answer, however old; ``None`` where the strategy never asked."""
        return self._newest.get((strategy, instrument_id, side))
