"""The combinations of one strategy: made of their legs when they are first traded, and again after a restart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ibfloor.model.combo import combo_again, combo_instrument
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Contract, Instrument, Leg
from ibfloor.model.order import Order


class Combos:
    """No broker defines a combination: the floor makes it of its legs' definitions. Owner: the strategy's thread."""

    def __init__(
        self,
        instrument: Callable[[Contract], Instrument | None],
        by_id: Callable[[InstrumentId], Instrument | None],
        working: Callable[[], Sequence[Order]],
    ) -> None:
        self._instrument = instrument
        self._leg_by_id = by_id
        self._working = working
        self._known: dict[InstrumentId, Instrument] = {}

    def of(self, contract: Contract) -> Instrument | None:
        """Return a combination; ``None`` while a leg is not defined."""
        legs = []
        for leg in contract.legs:
            instrument = self._instrument(leg.contract)
            if instrument is None:
                return None
            legs.append(Leg(instrument=instrument, ratio=leg.ratio))
        made = combo_instrument(contract, legs)
        return self._known.setdefault(made.instrument_id, made)

    def by_id(self, instrument_id: InstrumentId) -> Instrument | None:
        """Return the combination of an own order, also of one sent in an earlier life; ``None`` for no such order."""
        if (known := self._known.get(instrument_id)) is not None:
            return known
        for order in self._working():
            combo = order.request.asks.combo
            if combo is None or order.request.instrument_id != instrument_id:
                continue
            found = [self._leg_by_id(leg.instrument_id) for leg in combo.legs]
            legs = [each for each in found if each is not None]
            if len(legs) == len(found):
                self._known[instrument_id] = made = combo_again(combo, legs)
                return made
        return None
