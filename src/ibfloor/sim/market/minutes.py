"""From a generated walk to a security's minutes: spread, extremes, volume, counts of ticks."""

from __future__ import annotations

from datetime import date

import numpy as np

from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.sim.market.frames import (
    ASK,
    ASK_QTY,
    BID,
    BID_QTY,
    COLUMNS,
    HIGH,
    LOW,
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
from ibfloor.sim.market.profiles import Profile, curve
from ibfloor.sim.market.securities import Security
from ibfloor.sim.market.walk import MARKET_BP, SymbolDay

_SESSION_MINUTES = 390
_SPREAD_NOISE, _SIZE_NOISE, _VOLUME_NOISE = 0.25, 0.5, 0.45
_BUSY = 0.7  # power by which a minute's volume follows its volatility
_DAILY_FACTOR = 25.0  # a day's deviation over a regular minute's, gap included


class MinuteMaker:
    """Makes the minutes of one security; holds nothing but its curves."""

    def __init__(self, security: Security, profile: Profile, activity: float = 1.0) -> None:
        self._session = security.session
        self._tick = float(security.tape_tick)
        self._profile = profile
        self._spread = curve(profile.spread) * profile.spread_ticks
        self._share = curve(profile.volume_curve)
        self._activity = activity

    def frames(
        self, day: date, start_ns: int, first: int, last: int, walked: SymbolDay, rng: np.random.Generator
    ) -> DayFrames:
        """Return the minutes ``first`` to ``last`` of a generated day that starts at ``start_ns``."""
        minutes = slice(first, min(last, len(walked.log_px)))
        close = walked.log_px[minutes]
        before = float(walked.log_px[first - 1]) if first else walked.start
        opened = np.concatenate(([before], close[:-1]))
        ohlc = _extremes(opened, close, walked.deviation[minutes], rng)
        rows = np.zeros((len(close), COLUMNS), dtype=np.int64)
        self._quote(rows, np.exp(ohlc) / self._tick, minutes, rng)
        self._trade(rows, walked.strain[minutes], minutes, rng)
        minute_ns = start_ns + np.arange(minutes.start, minutes.stop, dtype=np.int64) * NS_PER_MINUTE
        return seal(day, minute_ns, rows)

    def daily(self, before: date, market: Floats, own: Floats, rng: np.random.Generator) -> list[DayBar]:
        """Return sessions before a day that end at the profile's price.

        ``market`` and ``own`` are standard shocks, a number for each session: those of all symbols,
        and those of the symbol or its sector.
        """
        profile, count = self._profile, len(market)
        noise = rng.standard_normal((2, count))
        own_bp = np.hypot(profile.own_bp, profile.sector_bp)
        moves = (profile.beta * MARKET_BP * market + own_bp * own) * _DAILY_FACTOR * 1e-4
        close = np.log(profile.px) - np.append(np.cumsum(moves[::-1])[::-1][1:], 0.0)
        gap = 0.6 * moves + 0.2 * np.abs(moves).mean() * noise[0]
        opened = np.append(close[0] - moves[0], close[:-1]) + gap
        ohlc = _extremes(opened, close, np.full(count, np.abs(moves).mean()), rng)
        px = np.maximum(np.rint(np.exp(ohlc) / self._tick), 1).astype(np.int64)
        volume = profile.volume * np.exp(0.3 * noise[1] - 0.045)
        bars = []
        day = before
        for n in range(count - 1, -1, -1):
            day = self._session.previous_day(day)
            open_px, high_px, low_px, close_px = px[n].tolist()
            bars.append(DayBar(day, open_px, high_px, low_px, close_px, int(volume[n])))
        return bars[::-1]

    def _quote(self, rows: Ints, mid: Floats, minutes: slice, rng: np.random.Generator) -> None:
        count = len(rows)
        spread = np.rint(self._spread[minutes] * np.exp(_SPREAD_NOISE * rng.standard_normal(count)))
        spread = np.maximum(spread, 1).astype(np.int64)[:, None]
        rows[:, BID] = np.rint(mid - spread / 2).astype(np.int64)
        rows[:, ASK] = rows[:, BID] + spread
        size = self._profile.quote_qty * np.exp(_SIZE_NOISE * rng.standard_normal((count, 2)))
        busy = np.clip(np.sqrt(self._share[minutes]), 0.25, 1.3) if self._profile.volume else np.full(count, 0.8)
        rows[:, [BID_QTY, ASK_QTY]] = (size * np.minimum(busy, 1.0)[:, None]).astype(np.int64)
        rows[:, QUOTES] = (self._profile.quotes_per_minute * busy).astype(np.int64)

    def _trade(self, rows: Ints, strain: Floats, minutes: slice, rng: np.random.Generator) -> None:
        count, profile = len(rows), self._profile
        if not profile.volume:
            return
        at_ask = rng.random((count, 4)) < 0.5
        rows[:, TRADE] = np.where(at_ask, rows[:, ASK], rows[:, BID])
        trades = rows[:, TRADE]
        trades[:, HIGH], trades[:, LOW] = trades.max(axis=1), trades.min(axis=1)
        rows[:, TRADE] = trades
        share = self._share[minutes] * self._activity
        noise = np.exp(_VOLUME_NOISE * rng.standard_normal(count) - _VOLUME_NOISE**2 / 2)
        volume = profile.volume / _SESSION_MINUTES * share * noise * strain**_BUSY
        prints = rng.poisson(profile.prints_per_minute * np.sqrt(np.minimum(share, 4.0)))
        rows[:, PRINTS] = prints
        rows[:, VOLUME] = np.where(prints > 0, np.maximum(volume, 1.0), 0.0).astype(np.int64)


def _extremes(opened: Floats, close: Floats, deviation: Floats, rng: np.random.Generator) -> Floats:
    # the extremes are drawn as those of a Brownian bridge
    chance = -2 * deviation**2 * np.log(rng.random((2, len(close))))
    reach = np.sqrt((close - opened) ** 2 + chance)
    middle = opened + close
    return np.stack((opened, (middle + reach[0]) / 2, (middle - reach[1]) / 2, close), axis=1)
