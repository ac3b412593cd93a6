"""An option's minutes, priced off its underlying's: Black and Scholes with a skewed volatility."""

from __future__ import annotations

from datetime import date

import numpy as np

from ibfloor.model.instrument import Contract
from ibfloor.model.moment import NS_PER_S
from ibfloor.sim.market.black_scholes import greeks
from ibfloor.sim.market.entries import OptionsEntry
from ibfloor.sim.market.frames import (
    ASK,
    ASK_QTY,
    BID,
    BID_QTY,
    CLOSE,
    COLUMNS,
    HIGH,
    LOW,
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
from ibfloor.sim.market.listing import Listed, market_day_of
from ibfloor.sim.market.tape import Tape

YEAR_NS = 365 * 86_400 * NS_PER_S
_STREAM = 7
_DAYS_KEPT = 4
_TRADED_SHARE = 0.1  # of the minutes
_SPREAD = 0.02  # of the price


class OptionSource:
    """One option's days, as a tape's source: quotes follow the underlying's middle minute by minute."""

    def __init__(self, underlying: Tape, listed: Listed, seed: int) -> None:
        assert listed.chain is not None, "only options have a chain"
        self._underlying = underlying
        self._listed = listed
        self._chain = listed.chain
        self._seed = seed
        self._last_day = market_day_of(listed.security.last_trade_day)
        self._frames: dict[date, DayFrames | None] = {}

    @property
    def first_day(self) -> date:
        """The first trading day that has minutes."""
        return self._underlying.source.first_day

    def frames(self, day: date) -> DayFrames | None:
        """Return a trading day's minutes; ``None`` when the underlying is silent, or the option is over."""
        if day > self._last_day or not self._listed.security.session.is_trading_day(day):
            return None
        if day not in self._frames:
            while len(self._frames) >= _DAYS_KEPT:
                del self._frames[next(iter(self._frames))]
            self._frames[day] = self._make(day)
        return self._frames[day]

    def daily(self) -> list[DayBar]:
        """Return none: an option has no history before its minutes."""
        return []

    def _make(self, day: date) -> DayFrames | None:
        frames, hours = self._underlying.source.frames(day), self._listed.security.session.hours(day)
        if frames is None or hours is None:
            return None
        is_open = (frames.minute_ns >= hours[0]) & (frames.minute_ns < hours[1]) & (frames.rows[:, QUOTES] > 0)
        minute_ns, rows = frames.minute_ns[is_open], frames.rows[is_open]
        if not len(rows):
            return None
        middle = (rows[:, BID] + rows[:, ASK]).astype(np.float64)
        spot: Floats = middle * (float(self._underlying.security.tape_tick) / 2)
        return seal(day, minute_ns, self._rows(day, minute_ns, spot))

    def _rows(self, day: date, minute_ns: Ints, spot: Floats) -> Ints:
        tick = float(self._listed.security.tape_tick)
        worth = (
            option_prices(self._chain, self._listed.security.instrument.contract, spot, self._years(minute_ns)) / tick
        )
        if self._listed.security.instrument.contract.right == "P":
            worth = worth[:, [OPEN, LOW, HIGH, CLOSE]]
        rng = np.random.default_rng([self._seed, _STREAM, day.toordinal(), int(self._listed.security.instrument_id)])
        spread = np.maximum(1, np.rint(worth[:, OPEN] * _SPREAD)).astype(np.int64)[:, None]
        rows = np.zeros((len(worth), COLUMNS), dtype=np.int64)
        rows[:, BID] = np.maximum(1, np.rint(worth - spread / 2).astype(np.int64))
        rows[:, ASK] = rows[:, BID] + spread
        motion = self._listed.motion
        size = motion.quote_qty * np.exp(0.5 * rng.standard_normal((len(rows), 2)))
        rows[:, [BID_QTY, ASK_QTY]] = np.maximum(1, size).astype(np.int64)
        rows[:, QUOTES] = motion.quotes_per_minute
        traded = rng.random(len(rows)) < _TRADED_SHARE
        touch = np.where(rng.random(len(rows)) < 0.5, rows[:, BID][:, CLOSE], rows[:, ASK][:, CLOSE])
        rows[:, TRADE] = np.where(traded, touch, 0)[:, None]
        rows[:, PRINTS] = traded
        rows[:, VOLUME] = np.where(traded, 1 + rng.integers(0, 20, len(rows)), 0)
        return rows

    def _years(self, minute_ns: Ints) -> Floats:
        closes = self._listed.security.session.hours(self._last_day)
        assert closes is not None, "options expire on trading days"
        left: Floats = np.maximum(closes[1] - minute_ns, 0) / YEAR_NS
        return left


def volatility_at(chain: OptionsEntry, strike: float, spot: float) -> float:
    """Return the volatility a chain gives a strike."""
    return max(0.05, chain.volatility + chain.skew * float(np.log(strike / spot)))


def option_prices(chain: OptionsEntry, contract: Contract, spot: Floats, years: Floats) -> Floats:
    """Return prices for open, high, low and close of an underlying; the volatility is the day's first."""
    assert contract.strike is not None, "an option has a strike"
    strike, is_call = float(contract.strike), contract.right == "C"
    volatility = volatility_at(chain, strike, float(spot[0, 0]))

    def px(under_px: float, left: float) -> float:
        return greeks(
            is_call=is_call, under_px=under_px, strike=strike, years=left, volatility=volatility, rate=chain.rate
        ).px

    return np.array([[px(one, left) for one in four] for four, left in zip(spot.tolist(), years.tolist(), strict=True)])
