"""The stochastic heart of the generator: log prices of all symbols, minute by minute, day by day.

One market factor, one factor per sector, one own part per symbol; each with a volatility that is
the time of day's, times a log-Ornstein-Uhlenbeck process (half-life an hour) around a level that
itself wanders from day to day. Mean-reverting parts tie PEP to KO and ES to SPY.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from ibfloor.sim.market.frames import Floats
from ibfloor.sim.market.profiles import DAY_MINUTES, MARKET_VOL, OWN_VOL, Profile, curve

MARKET_BP = 3.06
"""Deviation of a regular minute's log return of the market: SPY's, October 2013."""
# deviation of log volatility within a day, of the factors and of a symbol's own part: they make the
# fat tails (kurtosis 3 exp(4 s^2) of one part alone)
_VOL_SPREAD, _OWN_VOL_SPREAD = 0.30, 0.42
_DAY_VOL_SPREAD = 0.15
_DAY_VOL_KEPT = 0.8
_VOL_KEPT = 0.5 ** (1 / 60)
_REVERTING_KEPT = 0.5 ** (1 / 120)
_NEWS_MINUTE = 600  # 04:00, before the first trade


class WalkState(msgspec.Struct, frozen=True):
    """Where the walk stands at the end of a day; vectors over symbols or factors."""

    log_px: Floats
    log_vol: Floats
    day_vol: Floats
    reverting: Floats


class SymbolDay(msgspec.Struct, frozen=True):
    """One symbol's day; ``strain`` is each minute's deviation over the usual one of its time of day."""

    start: float
    log_px: Floats
    deviation: Floats
    strain: Floats


class WalkDay(msgspec.Struct, frozen=True):
    """The same of all symbols (symbols x minutes): log prices at the end of each minute."""

    start: Floats
    log_px: Floats
    deviation: Floats
    strain: Floats

    def of(self, n: int) -> SymbolDay:
        """Return the n-th symbol's day."""
        return SymbolDay(float(self.start[n]), self.log_px[n], self.deviation[n], self.strain[n])


class Walk:
    """Steps from one day to the next; the result depends on the state and the generator alone."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self._profiles = profiles
        sectors = sorted({profile.sector for profile in profiles if profile.sector})
        count = len(profiles)
        # factors: the market, the sectors, then each symbol's own part
        self._loadings = np.zeros((count, 1 + len(sectors) + count))
        curves = [MARKET_BP * curve(MARKET_VOL)]
        for profile, row in zip(profiles, self._loadings, strict=True):
            row[0] = profile.beta
            if profile.sector:
                row[1 + sectors.index(profile.sector)] = 1.0
        for sector in sectors:
            sector_bp = next(profile.sector_bp for profile in profiles if profile.sector == sector)
            curves.append(sector_bp * curve(OWN_VOL))
        for n, profile in enumerate(profiles):
            self._loadings[n, 1 + len(sectors) + n] = 1.0
            curves.append(profile.own_bp * curve(profile.own_vol))
        self._vol = np.array(curves) * 1e-4
        self._vol_spread = np.array([_VOL_SPREAD] * (1 + len(sectors)) + [_OWN_VOL_SPREAD] * count)
        self._news = np.array([profile.news_bp for profile in profiles]) * 1e-4
        self._tie = np.array([profile.reverting_bp for profile in profiles]) * 1e-4

    def first_state(self) -> WalkState:
        """Return the state before the first day: every symbol at its profile's price."""
        factors = np.zeros(len(self._vol))
        return WalkState(
            np.log([profile.px for profile in self._profiles]), factors, factors, np.zeros(len(self._profiles))
        )

    def step(self, state: WalkState, rng: np.random.Generator) -> tuple[WalkDay, WalkState]:
        """Walk one day."""
        factors, symbols = len(self._vol), len(self._profiles)
        fresh = np.sqrt(1 - _DAY_VOL_KEPT**2) * _DAY_VOL_SPREAD
        day_vol = _DAY_VOL_KEPT * state.day_vol + fresh * rng.standard_normal(factors)
        wander = _revert(state.log_vol, rng.standard_normal((DAY_MINUTES, factors)), _VOL_KEPT, self._vol_spread).T
        mean_square = self._vol_spread**2 + _DAY_VOL_SPREAD**2  # of log volatility: kept out of the variance
        sigma = self._vol * np.exp(wander + (day_vol - mean_square)[:, None])
        shocks = sigma * rng.standard_normal((factors, DAY_MINUTES))
        tie = _revert(state.reverting, rng.standard_normal((DAY_MINUTES, symbols)), _REVERTING_KEPT, 1.0).T
        moves = self._loadings @ shocks
        moves[:, _NEWS_MINUTE] += self._news * rng.standard_t(5, symbols) * np.sqrt(3 / 5)
        free = state.log_px - state.reverting * self._tie
        log_px = free[:, None] + np.cumsum(moves, axis=1) + tie * self._tie[:, None]
        tie_deviation = self._tie * np.sqrt(1 - _REVERTING_KEPT**2)
        deviation = np.sqrt((self._loadings**2) @ sigma**2 + tie_deviation[:, None] ** 2)
        usual = np.sqrt((self._loadings**2) @ self._vol**2 + tie_deviation[:, None] ** 2)
        walked = WalkDay(state.log_px, log_px, deviation, deviation / usual)
        return walked, WalkState(log_px[:, -1], wander[:, -1], day_vol, tie[:, -1])


def _revert(start: Floats, shocks: Floats, kept: float, spread: Floats | float) -> Floats:
    # Ornstein-Uhlenbeck paths (minutes x series) of stationary deviation ``spread``
    path: Floats = shocks * (spread * np.sqrt(1 - kept**2))
    last = start
    for step in path:
        step += kept * last
        last = step
    return path
