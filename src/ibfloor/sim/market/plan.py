"""Events written into a tape: halts, gaps, locked and crossed quotes.

They change the minutes themselves, so that what is streamed, what history tells and what options
are priced off stay one. Times are whole minutes of New York time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from ibfloor.model.errors import ConfigError
from ibfloor.model.moment import NS_PER_MINUTE, from_datetime
from ibfloor.sim.exchange.values import MarketTick
from ibfloor.sim.market.frames import ASK, BID, QUOTES, TRADE, VOLUME, DayBar, DayFrames, seal
from ibfloor.sim.market.securities import Security, SecurityMaster
from ibfloor.sim.market.tape import Exact, TapeSource

_ZONE = ZoneInfo("America/New_York")


class MarketEventKind(StrEnum):
    """What can be written into a tape."""

    HALT = "halt"
    GAP = "gap"
    LOCKED = "locked"
    CROSSED = "crossed"


class MarketEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One event of one instrument."""

    kind: MarketEventKind
    symbol: str
    """As the master finds it: a symbol, a local symbol, or ``SAP@IBIS``."""
    at: str
    """``2013-10-09 10:05``, New York time."""
    minutes: int = 5
    """How long it lasts; a gap stays."""
    percent: float = 0.0
    """Of a gap: how far all prices move from then on."""
    split_ratio: float = 0.0
    """Of a gap that is a split: so many shares for one; bars of before are told in new shares from then on."""
    ticks: int = 1
    """Of a crossed quote: how far the ask stands below the bid."""

    @property
    def start_ns(self) -> int:
        """Return when it starts; raise ``ConfigError`` for a time that is none."""
        return event_time_ns(self.at)

    @property
    def end_ns(self) -> int:
        """Return when it is over."""
        return self.start_ns + self.minutes * NS_PER_MINUTE

    def flaw(self) -> str:
        """Return what is wrong with it; empty for nothing."""
        if self.minutes < 1:
            return f"minutes is {self.minutes}: take 1 or more"
        if self.kind is MarketEventKind.GAP and not -90 <= self.percent <= 900:
            return f"percent is {self.percent:g}: take -90 to 900"
        if self.split_ratio < 0 or (self.split_ratio and self.kind is not MarketEventKind.GAP):
            return f"split_ratio is {self.split_ratio:g}: take a number above 0, of a gap alone"
        return f"ticks is {self.ticks}: take 1 or more" if self.ticks < 1 else ""


def event_time_ns(text: str) -> int:
    """Return the market time of a text in New York time, a whole minute; raise ``ConfigError``."""
    try:
        moment = datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=_ZONE)
    except ValueError:
        raise ConfigError(f"at is {text!r}: write New York time as '2013-10-09 10:05'") from None
    return from_datetime(moment)


def splits_of(source: TapeSource) -> list[tuple[int, float]]:
    """Return when shares were split, and how many there are for one."""
    return source.splits if isinstance(source, PlannedSource) else []


def planned(source: TapeSource, security: Security, master: SecurityMaster, plan: Sequence[MarketEvent]) -> TapeSource:
    """Return a source with the plan's events of one security in it; itself when there are none."""
    events = _events_of(security, master, plan)
    return PlannedSource(source, events) if events else source


def unplanned(exact: Exact, security: Security, master: SecurityMaster, plan: Sequence[MarketEvent]) -> Exact:
    """Return recorded ticks where no event changes their minute: there the changed minute makes them anew."""
    spans = [
        (event.start_ns, None if event.kind is MarketEventKind.GAP else event.end_ns)
        for event in _events_of(security, master, plan)
    ]

    def untouched(minute_ns: int) -> list[MarketTick] | None:
        is_changed = any(start <= minute_ns and (end is None or minute_ns < end) for start, end in spans)
        return None if is_changed else exact(minute_ns)

    return untouched if spans else exact


def _events_of(security: Security, master: SecurityMaster, plan: Sequence[MarketEvent]) -> list[MarketEvent]:
    named = [(event, master.by_symbol(event.symbol)) for event in plan]
    return [event for event, found in named if found and found.instrument_id == security.instrument_id]


class PlannedSource:
    """A tape's source with events in it; the same day is the same every time."""

    def __init__(self, source: TapeSource, events: Sequence[MarketEvent]) -> None:
        self._source = source
        # gaps first: they move what is locked or crossed later, and leave it so
        self._events = sorted(events, key=lambda event: (event.kind is not MarketEventKind.GAP, event.start_ns))
        self.splits = [(event.start_ns, event.split_ratio) for event in self._events if event.split_ratio]
        """When shares were split, and how many there are for one."""
        self._days: dict[date, tuple[DayFrames, DayFrames]] = {}

    @property
    def first_day(self) -> date:
        """The first trading day that has minutes."""
        return self._source.first_day

    def frames(self, day: date) -> DayFrames | None:
        """Return a trading day's minutes as the events leave them."""
        frames = self._source.frames(day)
        if frames is None:
            return None
        known = self._days.get(day)
        if known is None or known[0] is not frames:
            while len(self._days) > 2:
                del self._days[next(iter(self._days))]
            known = self._days[day] = (frames, self._changed(frames))
        return known[1]

    def daily(self) -> list[DayBar]:
        """Return the sessions before the first day: no event reaches so far back."""
        return self._source.daily()

    def _changed(self, frames: DayFrames) -> DayFrames:
        minute_ns, rows = frames.minute_ns, frames.rows.copy()
        for event in self._events:
            during = (minute_ns >= event.start_ns) & (minute_ns < event.end_ns)
            match event.kind:
                case MarketEventKind.GAP:
                    after = minute_ns >= event.start_ns
                    for where in (BID, ASK, TRADE):
                        moved = np.maximum(1, np.rint(rows[after, where] * (1 + event.percent / 100)))
                        rows[after, where] = np.where(rows[after, where] > 0, moved, 0).astype(np.int64)
                    rows = seal(frames.day, minute_ns, rows).rows
                case MarketEventKind.LOCKED:
                    rows[during, ASK] = rows[during, BID]
                case MarketEventKind.CROSSED:
                    rows[during, ASK] = rows[during, BID] - event.ticks
                case MarketEventKind.HALT if during.any():
                    first = int(np.flatnonzero(during)[0])
                    rows[first, [QUOTES, VOLUME]] = 0
                    during[first] = False
                    minute_ns, rows = minute_ns[~during], rows[~during]
        return DayFrames(frames.day, minute_ns, rows)
