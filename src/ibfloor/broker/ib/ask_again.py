"""When to ask again for market data that ended or was refused, and whether a refusal is news."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ibfloor.broker.ib.settings import IbSettings
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Instrument

NO_LINE = 101
"""IB's code when all its market-data lines are taken."""
_CALM_S = 300.0
"""A line that has run so long has recovered: the next wait is a short one again."""


class AskAgain:
    """Asks for what the broker ended or refused after a wait that doubles; owner: the data thread.

    A refusal need not last: lines are freed, permissions are bought. Refused lines wait in the order
    in which they were refused first, and the first of them has the next line that is freed.
    """

    def __init__(self, settings: IbSettings, ask: Callable[[Instrument], None]) -> None:
        self._settings = settings
        self._ask = ask
        self._refused: dict[InstrumentId, tuple[Instrument, int]] = {}
        self._ended: dict[InstrumentId, tuple[float, int]] = {}
        self._timers: dict[InstrumentId, asyncio.TimerHandle] = {}

    def later(self, instrument: Instrument) -> float:
        """Ask for an instrument after a while; return how many seconds that are."""
        key, loop, settings = instrument.instrument_id, asyncio.get_running_loop(), self._settings
        last_s, tries = self._ended.get(key, (loop.time(), 0))
        tries = 0 if loop.time() - last_s > _CALM_S else tries
        self._ended[key] = (loop.time(), tries + 1)
        wait_s = min(settings.resubscribe_first_s * 2.0 ** min(tries, 10), settings.resubscribe_max_s)
        self._stop(key)
        self._timers[key] = loop.call_later(wait_s, self._due, instrument)
        return wait_s

    def note_refused(self, instrument: Instrument, code: int, *, was_quoted: bool) -> bool:
        """Take note of a refusal; tell whether it is news, and not the answer that the last try had too."""
        key = instrument.instrument_id
        before = None if was_quoted else self._refused.get(key)
        if was_quoted:
            self._refused.pop(key, None)
        self._refused[key] = (instrument, code)
        return before is None or before[1] != code

    def line_freed(self) -> None:
        """Ask for the first that had no line: there is one now."""
        for instrument, code in self._refused.values():
            if code == NO_LINE and instrument.instrument_id in self._timers:
                self._stop(instrument.instrument_id)
                self._ask(instrument)
                return

    def forget(self, instrument_id: InstrumentId) -> None:
        """Never ask for an instrument that nobody wants any more."""
        self._stop(instrument_id)
        self._refused.pop(instrument_id, None)
        self._ended.pop(instrument_id, None)

    def _due(self, instrument: Instrument) -> None:
        self._timers.pop(instrument.instrument_id, None)
        self._ask(instrument)

    def _stop(self, instrument_id: InstrumentId) -> None:
        timer = self._timers.pop(instrument_id, None)
        if timer is not None:
            timer.cancel()
