"""One instrument's tape: its days of minutes in order, played as ticks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Protocol

import numpy as np

from ibfloor.model.instrument import Instrument
from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.sim.exchange.values import MarketTick
from ibfloor.sim.market.frames import VOLUME, DayBar, DayFrames
from ibfloor.sim.market.path import TickPath
from ibfloor.sim.market.securities import Security

_SEARCH_DAYS = 14  # longer than any run of holidays: a tape silent for so long is over


Exact = Callable[[int], list[MarketTick] | None]
"""The recorded ticks of the minute that starts at a time; ``None`` where minutes are all that is recorded."""


class TapeSource(Protocol):
    """Where an instrument's minutes come from; the same day gives the same minutes every time."""

    @property
    def first_day(self) -> date:
        """The first trading day that has minutes."""

    def frames(self, day: date) -> DayFrames | None:
        """Return a trading day's minutes; ``None`` when the instrument is silent on it."""

    def daily(self) -> list[DayBar]:
        """Return the sessions before ``first_day``, oldest first."""


class Tape:
    """Plays a source from a start on, the minutes of ``exact`` as they were recorded. Owner: its market."""

    def __init__(self, security: Security, source: TapeSource, seed: int, exact: Exact | None = None) -> None:
        self.security = security
        self.source = source
        self._exact = exact
        self._path = TickPath(security.instrument, seed, security.tape_tick)
        self._frames: DayFrames | None = None
        self._row = 0

    @property
    def instrument(self) -> Instrument:
        """Return the instrument it plays."""
        return self.security.instrument

    def seek(self, ts_ns: int) -> None:
        """Stand before the minute that holds a time."""
        self._frames = self._next_frames(self.security.session.day_of(ts_ns))
        minute_ns = ts_ns - ts_ns % NS_PER_MINUTE
        self._row = 0 if self._frames is None else int(np.searchsorted(self._frames.minute_ns, minute_ns))
        self._turn_page()

    @property
    def next_minute_ns(self) -> int | None:
        """Return the start of the minute that is played next; ``None`` when the tape is over."""
        return None if self._frames is None else int(self._frames.minute_ns[self._row])

    def play(self) -> list[MarketTick]:
        """Return the next minute's ticks and go on."""
        assert self._frames is not None
        ticks = self.minute(self._frames, self._row)
        self._row += 1
        self._turn_page()
        return ticks

    def minute(self, frames: DayFrames, row: int) -> list[MarketTick]:
        """Return the ticks of any minute, past ones too."""
        minute_ns = int(frames.minute_ns[row])
        recorded = None if self._exact is None else self._exact(minute_ns)
        return self._path.ticks(minute_ns, frames.rows[row]) if recorded is None else recorded

    def before(self, ts_ns: int, *, traded: bool) -> list[MarketTick]:
        """Return the ticks of the last minute that ended by a time (with prints if ``traded``)."""
        for frames in self._days_back(ts_ns):
            ended = frames.minute_ns + NS_PER_MINUTE <= ts_ns
            if traded:
                ended &= frames.rows[:, VOLUME] > 0
            found = np.flatnonzero(ended)
            if len(found):
                return self.minute(frames, int(found[-1]))
        return []

    def _days_back(self, ts_ns: int) -> Iterator[DayFrames]:
        session = self.security.session
        day = session.day_of(ts_ns)
        while day >= self.source.first_day:
            frames = self.source.frames(day)
            if frames is not None:
                yield frames
            day = session.previous_day(day)

    def _turn_page(self) -> None:
        while self._frames is not None and self._row >= len(self._frames.minute_ns):
            self._frames, self._row = self._next_frames(self._frames.day + timedelta(days=1)), 0

    def _next_frames(self, day: date) -> DayFrames | None:
        for _ in range(_SEARCH_DAYS):
            frames = self.source.frames(day)
            if frames is not None:
                return frames
            day += timedelta(days=1)
        return None
