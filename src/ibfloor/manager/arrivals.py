"""What the market stands at when an order goes out; readable from any thread."""

from __future__ import annotations

from ibfloor.data.manager import DataManager
from ibfloor.manager.marks import mark_of
from ibfloor.model.arrival import Arrival
from ibfloor.model.ids import InstrumentId


class Arrivals:
    """The arrival price by instrument: the quote's middle, else the last trade, each with its own time."""

    def __init__(self, data: DataManager) -> None:
        self._data = data

    def __call__(self, instrument_id: InstrumentId) -> Arrival | None:
        """Return the price now; ``None`` where no market data of it is at hand."""
        mark = mark_of(self._data.quote(instrument_id), self._data.last_trade(instrument_id))
        return None if mark is None else Arrival(mark.px, mark.ts_ns, mark.source)
