"""Tapes of listed securities: they follow others, by the same minutes, and have a part of their own.

The log price is that of a file's ``px`` plus what the followed ones moved since the first day, plus
a walk of its own; so a cross rate is exactly the ratio of its pairs, an index exactly its fund. A
future is above what it follows by its carry, which melts until its last day. Options are priced off
their underlying's minutes (``chain``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Protocol

import numpy as np

from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.sim.market.entries import Motion
from ibfloor.sim.market.frames import ASK, BID, TRADE, DayBar, DayFrames, Floats
from ibfloor.sim.market.listing import Listed, market_day_of
from ibfloor.sim.market.minutes import MinuteMaker
from ibfloor.sim.market.profiles import (
    DAY_MINUTES,
    EVENING,
    FUTURE_VOLUME,
    NO_VOLUME,
    OWN_VOL,
    PROFILES,
    Curve,
    Profile,
    curve,
)
from ibfloor.sim.market.securities import Security
from ibfloor.sim.market.sessions import FOREX, US_STOCKS, Session, Span, at_minute
from ibfloor.sim.market.walk import SymbolDay

_OWN_STREAM, _MINUTE_STREAM, _HISTORY_STREAM = 4, 5, 6
_DAYS_KEPT = 16
_CALM: Curve = ((-360, 1.0),)


class Cast(Protocol):
    """What moves by itself: the default list's walk."""

    first_day: date

    def cast_day(self, symbol: str, day: date) -> SymbolDay:
        """Return a symbol's minutes on a New York trading day, the first day or later."""

    def shocks(self, kin: str) -> tuple[Floats, Floats]:
        """Return the daily shocks of the year before: all symbols', and a kin's own."""


class Followers:
    """Walks listed securities behind the cast; the same day is the same every time."""

    def __init__(self, cast: Cast, listed: Mapping[str, Listed], seed: int) -> None:
        self._cast = cast
        self._listed = listed
        self._seed = seed
        self._days: dict[tuple[str, date], SymbolDay] = {}
        self._own: dict[str, list[tuple[date, float]]] = {}

    @property
    def first_day(self) -> date:
        """Return the first day of the cast."""
        return self._cast.first_day

    def day(self, name: str, day: date) -> SymbolDay:
        """Return a name's day; one that does not trade on it stands where it was."""
        session = self._listed[name].security.session if name in self._listed else US_STOCKS
        if not session.is_trading_day(day):
            return self._standing(name, session, day)
        if name not in self._listed:
            return self._cast.cast_day(name, day)
        key = (name, day)
        if key not in self._days:
            while len(self._days) >= _DAYS_KEPT * len(self._listed):
                del self._days[next(iter(self._days))]
            self._days[key] = self._walk(self._listed[name], day)
        return self._days[key]

    def _standing(self, name: str, session: Session, day: date) -> SymbolDay:
        before = session.previous_day(day)
        level = float(self.day(name, before).log_px[-1]) if before >= self.first_day else self._origin(name)
        return SymbolDay(level, np.full(DAY_MINUTES, level), np.zeros(DAY_MINUTES), np.ones(DAY_MINUTES))

    def _origin(self, name: str) -> float:
        px = self._listed[name].motion.px if name in self._listed else PROFILES[name].px
        return float(np.log(px))

    def _walk(self, listed: Listed, day: date) -> SymbolDay:
        motion = listed.motion
        own_start, own, own_deviation = self._own_part(listed, day)
        start = self._origin(listed.name) + own_start + _premium(listed, day)
        log_px = start + own
        variance = own_deviation**2
        strain = np.ones(DAY_MINUTES)
        for name, loading in (_follows(motion)).items():
            other = self.day(name, day)
            origin = self._origin(name)
            start += loading * (other.start - origin)
            log_px = log_px + loading * (other.log_px - origin)
            variance = variance + (loading * other.deviation) ** 2
            strain = other.strain
        return SymbolDay(start, log_px, np.sqrt(variance), strain)

    def _own_part(self, listed: Listed, day: date) -> tuple[float, Floats, Floats]:
        deviation = listed.motion.own_bp * 1e-4 * curve(_vol_curve(listed.security))
        if not listed.motion.own_bp:
            return 0.0, np.zeros(DAY_MINUTES), deviation
        session = listed.security.session
        ends = self._own.setdefault(listed.name, [(session.previous_day(self.first_day), 0.0)])
        while ends[-1][0] < day:
            after = session.next_day(ends[-1][0])
            ends.append((after, ends[-1][1] + float((self._moves(listed, after) * deviation).sum())))
        start = next(end for before, end in reversed(ends) if before < day)
        return start, np.cumsum(self._moves(listed, day) * deviation), deviation

    def _moves(self, listed: Listed, day: date) -> Floats:
        key = [self._seed, _OWN_STREAM, day.toordinal(), int(listed.security.instrument_id)]
        return np.random.default_rng(key).standard_normal(DAY_MINUTES)


class FollowerSource:
    """One listed security's days, as a tape's source."""

    def __init__(self, followers: Followers, cast: Cast, listed: Listed, seed: int) -> None:
        self._followers = followers
        self._cast = cast
        self._listed = listed
        self._seed = seed
        self._frames: dict[date, DayFrames | None] = {}

    @property
    def first_day(self) -> date:
        """The first trading day that has minutes."""
        session, day = self._listed.security.session, self._followers.first_day
        return day if session.is_trading_day(day) else session.next_day(day)

    def frames(self, day: date) -> DayFrames | None:
        """Return a trading day's minutes; ``None`` when there is no session, or the contract is over."""
        security = self._listed.security
        is_over = security.last_trade_day and f"{day:%Y%m%d}" > security.last_trade_day
        if is_over or day < self.first_day or not security.session.is_trading_day(day):
            return None
        if day not in self._frames:
            while len(self._frames) >= _DAYS_KEPT:
                del self._frames[next(iter(self._frames))]
            self._frames[day] = self._make(day)
        return self._frames[day]

    def daily(self) -> list[DayBar]:
        """Return a year of sessions before the first day."""
        security, follows = self._listed.security, _follows(self._listed.motion)
        if security.last_trade_day:
            return []
        level = self._followers.day(self._listed.name, self.first_day).start
        beta = sum(loading * (PROFILES[name].beta if name in PROFILES else 1.0) for name, loading in follows.items())
        profile = self._profile(self.first_day, px=float(np.exp(level)), beta=beta)
        market, own = self._cast.shocks(self._listed.name)
        key = [self._seed, _HISTORY_STREAM, int(security.instrument_id)]
        maker = MinuteMaker(security, profile)
        return maker.daily(self.first_day, market, own, np.random.default_rng(key))

    def _make(self, day: date) -> DayFrames:
        security = self._listed.security
        span = security.session.hours(day)
        assert span is not None, "only trading days are made"
        start_ns = at_minute(US_STOCKS, day - timedelta(days=1), EVENING)
        first, last = (min(max((edge - start_ns) // NS_PER_MINUTE, 0), DAY_MINUTES) for edge in span)
        rng = np.random.default_rng([self._seed, _MINUTE_STREAM, day.toordinal(), int(security.instrument_id)])
        walked = self._followers.day(self._listed.name, day)
        frames = MinuteMaker(security, self._profile(day)).frames(day, start_ns, first, last, walked, rng)
        if np.any(frames.rows[:, BID] < 1):  # a price near zero still has a bid
            for where in (BID, ASK, TRADE):
                frames.rows[:, where] = np.maximum(frames.rows[:, where], 2 if where is ASK else 1)
        return _without_pause(frames, security.session.pause_of(day))

    def _profile(self, day: date, px: float | None = None, beta: float = 0.0) -> Profile:
        motion, security = self._listed.motion, self._listed.security
        return Profile(
            px=motion.px if px is None else px,
            beta=beta,
            own_bp=motion.own_bp,
            spread=_CALM,
            spread_ticks=motion.spread_ticks,
            volume=motion.volume or (1 if not security.is_tradable else 0),
            volume_curve=_volume_curve(security, day),
            quote_qty=motion.quote_qty,
            quotes_per_minute=motion.quotes_per_minute,
            prints_per_minute=motion.prints_per_minute,
        )


def _without_pause(frames: DayFrames, pause: Span | None) -> DayFrames:
    if pause is None:
        return frames
    trades = (frames.minute_ns < pause[0]) | (frames.minute_ns >= pause[1])
    return DayFrames(frames.day, frames.minute_ns[trades], frames.rows[trades])


def _follows(motion: Motion) -> dict[str, float]:
    return {"SPY": 1.0} if motion.follows is None else motion.follows


def _premium(listed: Listed, day: date) -> float:
    if not listed.motion.carry:
        return 0.0
    return listed.motion.carry * max(0, (market_day_of(listed.security.last_trade_day) - day).days) / 365


def _vol_curve(security: Security) -> Curve:
    return OWN_VOL if security.session.calendar == "XNYS" else _CALM


def _volume_curve(security: Security, day: date) -> Curve:
    session = security.session
    if session is FOREX:
        return NO_VOLUME
    if session.open_minute < 0:
        return FUTURE_VOLUME
    regular = session.regular_hours(day)
    assert regular is not None, "only trading days have a curve"
    midnight_ns = at_minute(US_STOCKS, day, 0)
    opens, closes = ((edge - midnight_ns) // NS_PER_MINUTE for edge in regular)
    early = 0.03 if session.open_minute < session.regular_open_minute else 0.0
    steps = (
        (-360, early), (opens, 3.0), (opens + 15, 1.5), (opens + 60, 0.8), (closes - 30, 1.5),
        (closes - 2, 5.0), (closes, 0.05 if early else 0.0),
    )  # fmt: skip
    return tuple((max(-360, min(EVENING, minute)), share) for minute, share in steps)
