"""A recorded tape moved to the market's days: a session of the record for each session of the market."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec
import numpy as np

from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.sim.exchange.values import MarketTick
from ibfloor.sim.market.exact import ExactTicks
from ibfloor.sim.market.files import Minutes
from ibfloor.sim.market.frames import (
    ASK,
    BID,
    CLOSE,
    OPEN,
    PRINTS,
    QUOTES,
    TRADE,
    VOLUME,
    DayBar,
    DayFrames,
    Floats,
    Ints,
    seal,
)
from ibfloor.sim.market.minutes import MinuteMaker
from ibfloor.sim.market.profiles import DAY_MINUTES, EVENING, MARKET_VOL, Profile, curve
from ibfloor.sim.market.securities import Security
from ibfloor.sim.market.sessions import at_minute
from ibfloor.sim.market.walk import MARKET_BP, SymbolDay

HISTORY_SESSIONS = 10
"""Sessions before the start that have minutes, if the record reaches back so far."""
_DAILY_KEPT = 252
_SPLIT = 0.35  # a log price change from one session to the next that only a split (or a gap of years) makes
_HOLE_DAYS = 5  # a record that pauses longer is over
_THIN = 1 / 3  # a day with fewer minutes than this share of the fullest is a fragment


class Recorded:
    """Sessions of one instrument's record by date: minutes where recorded, else a daily bar."""

    def __init__(
        self, security: Security, minutes: Minutes, days: list[DayBar], ticks: ExactTicks | None = None
    ) -> None:
        self.security = security
        self.ticks = ticks
        """The recorded ticks, where there are any."""
        self._minutes = _by_day(security, minutes)
        self._bars = {bar.day: bar for bar in days}

    @property
    def minute_days(self) -> list[date]:
        """Return the days recorded as minutes, in order."""
        return sorted(self._minutes)

    @property
    def is_empty(self) -> bool:
        """Tell whether no file held the instrument."""
        return not self._minutes and not self._bars

    def dates(self, anchor: date) -> list[date]:
        """Return the unbroken run of sessions around a date: no split in it, no long pause."""
        known = sorted(self._minutes.keys() | self._bars.keys())
        if anchor not in known:
            return []
        first = last = known.index(anchor)
        while first > 0 and self._follows(known[first - 1], known[first]):
            first -= 1
        while last + 1 < len(known) and self._follows(known[last], known[last + 1]):
            last += 1
        return known[first : last + 1]

    def minutes(self, day: date) -> Ints | None:
        """Return a day's rows, with the minute after local midnight in the first column; or ``None``."""
        return self._minutes.get(day)

    def bar(self, day: date) -> DayBar:
        """Return a day as one bar; made of its minutes where there is no daily bar."""
        bar = self._bars.get(day)
        if bar is not None:
            return bar
        rows = self._minutes[day][:, 1:]
        px = rows[rows[:, VOLUME] > 0][:, TRADE] if rows[:, VOLUME].any() else rows[:, 0:4]
        low, high = int(px.min()), int(px.max())
        return DayBar(day, int(px[0, OPEN]), high, low, int(px[-1, CLOSE]), int(rows[:, VOLUME].sum()))

    def _follows(self, day: date, after: date) -> bool:
        jump = np.log(self.bar(after).open_px / self.bar(day).close_px)
        return (after - day).days <= _HOLE_DAYS and abs(float(jump)) < _SPLIT


class RecordedSource:
    """Plays a record as a tape: ``anchor`` on the market's first day, then day after day.

    After the record's last session it begins again at the anchor. Sessions known only as daily
    bars become plausible minutes of regular hours.
    """

    def __init__(self, record: Recorded, anchor: date, start: date, profile: Profile, seed: int) -> None:
        self._record = record
        self._dates = record.dates(anchor)
        self._anchor = self._dates.index(anchor)
        self._profile = profile
        self._seed = seed
        self._session = record.security.session
        self._offsets = {start: 0}
        self._first = self._last = start
        back = min(self._anchor, HISTORY_SESSIONS)
        while self._offsets[self._first] > -back:
            self._reach_back()
        self._frames: dict[date, DayFrames] = {}

    @property
    def first_day(self) -> date:
        """The first market day that has minutes."""
        return self._first

    def frames(self, day: date) -> DayFrames | None:
        """Return a market day's minutes; ``None`` on days without a session."""
        if not self._session.is_trading_day(day) or day < self._first:
            return None
        if day not in self._frames:
            while len(self._frames) > 2 * HISTORY_SESSIONS:
                del self._frames[next(iter(self._frames))]
            self._frames[day] = self._make(day)
        return self._frames[day]

    def ticks(self, minute_ns: int) -> list[MarketTick] | None:
        """Return a market minute's recorded ticks; ``None`` where no ticks are recorded."""
        if self._record.ticks is None:
            return None
        day = self._session.day_of(minute_ns)
        recorded = self._recorded_day(day)
        if self._record.minutes(recorded) is None:
            return None
        shift_ns = at_minute(self._session, day, 0) - at_minute(self._session, recorded, 0)
        begin_ns = minute_ns - shift_ns
        return self._record.ticks.between(begin_ns, begin_ns + NS_PER_MINUTE, shift_ns)

    def daily(self) -> list[DayBar]:
        """Return up to a year of the record's sessions before the first day, moved to market days."""
        last = self._anchor + self._offsets[self._first]
        bars: list[DayBar] = []
        day = self._first
        for recorded in reversed(self._dates[max(0, last - _DAILY_KEPT) : last]):
            day = self._session.previous_day(day)
            bar = self._record.bar(recorded)
            bars.append(DayBar(day, bar.open_px, bar.high_px, bar.low_px, bar.close_px, bar.volume))
        return bars[::-1]

    def _recorded_day(self, day: date) -> date:
        while day > self._last:
            after = self._session.next_day(self._last)
            self._offsets[after] = self._offsets[self._last] + 1
            self._last = after
        offset = self._offsets[day]
        if offset < 0:
            return self._dates[self._anchor + offset]
        return self._dates[self._anchor + offset % (len(self._dates) - self._anchor)]

    def _reach_back(self) -> None:
        before = self._session.previous_day(self._first)
        self._offsets[before] = self._offsets[self._first] - 1
        self._first = before

    def _make(self, day: date) -> DayFrames:
        recorded = self._recorded_day(day)
        minutes = self._record.minutes(recorded)
        if minutes is None:
            return self._imagine(day, self._record.bar(recorded))
        hours = self._session.hours(day)
        assert hours is not None
        minute_ns = at_minute(self._session, day, 0) + minutes[:, 0] * NS_PER_MINUTE
        is_open = (minute_ns >= hours[0]) & (minute_ns < hours[1])
        rows = minutes[is_open, 1:].copy()
        _count_ticks(rows, self._profile)
        return seal(day, minute_ns[is_open], rows)

    def _imagine(self, day: date, bar: DayBar) -> DayFrames:
        rng = np.random.default_rng([self._seed, day.toordinal(), int(self._record.security.instrument_id)])
        regular = self._session.regular_hours(day)
        assert regular is not None
        start_ns = at_minute(self._session, day - timedelta(days=1), EVENING)
        first, last = (max(0, (edge - start_ns) // NS_PER_MINUTE) for edge in regular)
        log_px = np.full(DAY_MINUTES, np.log(bar.open_px))
        log_px[first:last] = _line_through(bar, last - first, rng)
        security = self._record.security
        log_px += np.log(float(security.tape_tick))
        deviation = curve(MARKET_VOL) * (MARKET_BP * 1e-4)
        walked = SymbolDay(float(log_px[0]), log_px, deviation, np.ones(DAY_MINUTES))
        # spreads are in ticks of the instrument, though ticks are recorded on a finer grid
        finer = max(1, round(security.instrument.min_tick / security.tape_tick))
        plain = msgspec.structs.replace(security, tape_tick_px=security.tape_tick * finer)
        maker = MinuteMaker(plain, self._profile, bar.volume / max(self._profile.volume, 1))
        frames = maker.frames(day, start_ns, first, last, walked, rng)
        for where in (BID, ASK, TRADE):
            frames.rows[:, where] *= finer
        return frames


def _line_through(bar: DayBar, count: int, rng: np.random.Generator) -> Floats:
    # log prices (in ticks) from open over both extremes to the close, with noise between
    early, late = np.sort(rng.uniform(0.05, 0.95, 2)).tolist()
    rises = bar.close_px >= bar.open_px
    turns = (bar.low_px, bar.high_px) if rises else (bar.high_px, bar.low_px)
    at = np.linspace(0.0, 1.0, count)
    line = np.interp(at, (0.0, early, late, 1.0), (bar.open_px, *turns, bar.close_px))
    walk = np.cumsum(rng.standard_normal(count)) / np.sqrt(count)
    line += (walk - at * walk[-1]) * (bar.high_px - bar.low_px) * 0.35
    log_px: Floats = np.log(np.clip(line, bar.low_px, bar.high_px))
    return log_px


def _by_day(security: Security, minutes: Minutes) -> dict[date, Ints]:
    # the minute of the local day comes first, then the rows
    minute_ns, rows = minutes
    session = security.session
    days: dict[date, list[int]] = {}
    day, ends_ns = None, -1
    for n, ts_ns in enumerate(minute_ns.tolist()):
        if day is None or ts_ns >= ends_ns:
            day = session.day_of(ts_ns)
            hours = session.hours(day)
            assert hours is not None
            ends_ns = hours[1]
        days.setdefault(day, []).append(n)
    fullest = max((len(which) for which in days.values()), default=0)
    return {
        day: np.column_stack(((minute_ns[which] - at_minute(session, day, 0)) // NS_PER_MINUTE, rows[which]))
        for day, which in days.items()
        if len(which) > fullest * _THIN
    }


def _count_ticks(rows: Ints, profile: Profile) -> None:
    # by volume: a record of minutes does not say how many ticks made them
    volume = rows[:, VOLUME]
    if not volume.any():
        rows[:, QUOTES] = profile.quotes_per_minute
        return
    share = volume / np.sort(volume)[-390:].mean()
    rows[:, QUOTES] = profile.quotes_per_minute * np.clip(np.sqrt(share), 0.25, 1.3)
    rows[:, PRINTS] = np.rint(profile.prints_per_minute * np.sqrt(np.minimum(share, 4.0)))
