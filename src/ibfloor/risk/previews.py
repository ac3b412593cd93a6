"""What the broker said that orders would do to the margin: the newest answer per strategy, instrument and side."""

from __future__ import annotations

from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.margin import MarginImpact
from ibfloor.model.order import Side

Key = tuple[StrategyId, InstrumentId, Side]


class Previews:
    """The newest previews. Any thread may call: each call touches one entry at once."""

    def __init__(self) -> None:
        self._newest: dict[Key, MarginImpact] = {}

    def take(self, strategy: StrategyId, impact: MarginImpact) -> None:
        """Remember an answer in place of an older one of its kind."""
        self._newest[strategy, impact.instrument_id, impact.side] = impact

    def latest(self, strategy: StrategyId, instrument_id: InstrumentId, side: Side) -> MarginImpact | None:
        """Return the newest answer, however old (its ``ts_ns`` tells); ``None`` where the strategy never asked."""
        return self._newest.get((strategy, instrument_id, side))
