"""Keeps market data of everything held, whoever holds it: a position without a mark has no value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog

from ibfloor.data.manager import DataManager
from ibfloor.data.subscriber import Delivery, Kind, Subscriber
from ibfloor.manager.floor_state import Applied
from ibfloor.model.entry import BookEntry
from ibfloor.model.errors import ConnectivityError
from ibfloor.model.fact import InstrumentDefined, OrderFilled, PositionMoved
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Contract, Instrument

log = structlog.get_logger("marks")


class _Wastebasket:
    def put(self, value: Delivery, /) -> bool:
        return True


class MarkKeeper:
    """A subscriber that wants quotes only so that the board has them. Owner: the queue's thread."""

    def __init__(self, data: DataManager, instruments: Mapping[InstrumentId, Instrument]) -> None:
        self._data = data
        self._instruments = instruments
        self._subscriber = Subscriber("marks", _Wastebasket(), _refused)
        self._wanted: set[InstrumentId] = set()
        self._kept: set[InstrumentId] = set()

    def observe(self, applied: Applied) -> None:
        """Watch an instrument that came into a book: who traded it may stop, and wants no quotes any more."""
        match applied.fact:
            case PositionMoved():
                self.watch([applied.fact.instrument_id])
            case BookEntry():
                self.watch(applied.fact.instruments)
            case OrderFilled() if applied.fact.instrument_id not in self._kept:
                self.watch([applied.fact.instrument_id])
            case InstrumentDefined() if applied.fact.instrument.instrument_id in self._wanted:
                self.watch([applied.fact.instrument.instrument_id])

    def watch(self, instrument_ids: Iterable[InstrumentId]) -> None:
        """Ask for the quotes of instruments that are held."""
        self._wanted.update(instrument_ids)  # some wait for their definition
        for instrument_id in self._wanted - self._kept:
            instrument = self._instruments.get(instrument_id)
            if instrument is None:
                continue
            try:
                self._data.subscribe(self._subscriber, instrument.contract, kinds=Kind.QUOTES)
            except ConnectivityError:
                continue  # not connected yet: the floor watches everything held once it is
            self._kept.add(instrument_id)


def _refused(contract: Contract, text: str) -> None:
    log.warning("no market data for a position", contract=str(contract), reason=text)
