"""A generated market: seeded, endless, with the habits of the real one.

What it imitates was measured on SPY and BAC of 4 to 11 October 2013 and AAPL of 5 and 6 June 2014
(one-minute quotes and trades) and daily bars of 2010 to 2014; bp = basis points:

- deviation of a regular minute's mid return: SPY 3.06 bp, BAC 5.3, AAPL 4.8; by time of day, SPY:
  1.8 before the open, 4.4 from 9:30 to 10:00, 2.4 from 12:00 to 14:00, 4.2 in the last quarter hour;
- kurtosis of these returns over their time of day's deviation: 4.6 to 5.4;
- spread in regular hours: SPY and BAC 1 tick, AAPL 1.5 bp (2 to 3 ticks at 180); SPY 2 ticks early;
- a minute's volume over the session's mean: 2.7 to 11 in the first minute, 2.0 until 9:45, 0.65
  from 12:00 to 14:00, 10 to 22 in the last; SPY 0.08 before the open;
- gap from close to open: SPY 61 bp, AAPL 111, BAC 138; the gap is 0.7 to 0.8 of open to close;
- correlation of daily returns with SPY: QQQ 0.93, IWM 0.92, BAC 0.72, AAPL 0.54.

The generator comes within a fifth of these for volatility and volume, and makes kurtosis of 4.1 to
4.5; its gaps are smaller (SPY 49 bp, AAPL 92, BAC 83): the daily bars hold the storms of 2010 and 2011.

Prices are of today's order, not of 2013. KO and PEP differ by a mean-reverting spread (deviation
25 bp, half-life two market hours); ES follows SPY within 1 bp. Stocks are silent after 18:00 New
York time, currencies between 17:15 and 18:00: the generated day starts there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from zlib import crc32

import numpy as np

from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import InstrumentId
from ibfloor.model.moment import NS_PER_MINUTE, to_datetime
from ibfloor.sim.market.chain import OptionSource
from ibfloor.sim.market.derived import Followers, FollowerSource
from ibfloor.sim.market.frames import DayBar, DayFrames, Floats
from ibfloor.sim.market.listing import Listing
from ibfloor.sim.market.minutes import MinuteMaker
from ibfloor.sim.market.plan import MarketEvent, planned
from ibfloor.sim.market.profiles import EVENING, PROFILES
from ibfloor.sim.market.securities import Security, SecurityMaster, default_master
from ibfloor.sim.market.sessions import US_STOCKS, at_minute
from ibfloor.sim.market.stream import StreamMarket
from ibfloor.sim.market.tape import Tape, TapeSource
from ibfloor.sim.market.walk import SymbolDay, Walk, WalkDay, WalkState

NOTHING_LISTED = Listing()

HISTORY_SESSIONS = 10
"""Sessions with minutes before the start."""
HISTORY_DAYS = 252
"""Daily bars before those."""
_DAYS_KEPT = HISTORY_SESSIONS + 6
_BACK_MONTH_SHARE = 0.02  # of the front month's volume: ES, October 2013
_DAY_STREAM, _MINUTE_STREAM, _HISTORY_STREAM = 1, 2, 3


class GeneratedMarket(StreamMarket):
    """Ticks without end from a seed; the master's futures are those in front at the start.

    ``symbols`` are symbols or local symbols of the master; empty means all. A ``listing`` has more
    securities than the default list, a ``plan`` has events. Raises ``ConfigError`` for a symbol that
    the master does not know.
    """

    def __init__(
        self,
        seed: int,
        start_ns: int,
        symbols: Sequence[str] = (),
        *,
        listing: Listing = NOTHING_LISTED,
        plan: Sequence[MarketEvent] = (),
    ) -> None:
        master = listing.master_with(default_master(f"{to_datetime(start_ns):%Y%m%d}"))
        securities = chosen(master, symbols)
        super().__init__(master, generated_tapes(seed, start_ns, securities, listing, plan), start_ns)


def chosen(master: SecurityMaster, symbols: Sequence[str]) -> list[Security]:
    """Return the securities of some symbols, all of them for none; raise ``ConfigError`` for an unknown one."""
    if not symbols:
        return list(master)
    found = [(symbol, master.by_symbol(symbol)) for symbol in symbols]
    unknown = [symbol for symbol, security in found if security is None]
    if unknown:
        known = ", ".join(security.name for security in master)
        raise ConfigError(f"the simulated market has no {', '.join(unknown)}; it knows {known}")
    return [security for _, security in found if security is not None]


def generated_tapes(
    seed: int,
    start_ns: int,
    securities: Sequence[Security],
    listing: Listing = NOTHING_LISTED,
    plan: Sequence[MarketEvent] = (),
) -> list[Tape]:
    """Return a tape for each security, all moved by the same factors."""
    return _Studio(seed, start_ns, listing, plan).tapes(securities)


class _Studio:
    """Makes tapes, each once: those of the default list, those that follow them, options behind both."""

    def __init__(self, seed: int, start_ns: int, listing: Listing, plan: Sequence[MarketEvent]) -> None:
        self._seed = seed
        self._listed = {one.security.instrument_id: one for one in listing.listed}
        self._days = _Days(seed, US_STOCKS.day_of(start_ns))
        self._followers = Followers(self._days, {one.name: one for one in listing.listed}, seed)
        master = listing.master_with(default_master(f"{to_datetime(start_ns):%Y%m%d}"))
        self._master = master
        self._plan = plan
        chosen(master, [event.symbol for event in plan])  # says which are unknown
        self._tapes: dict[InstrumentId, Tape] = {}

    def tapes(self, securities: Sequence[Security]) -> list[Tape]:
        return [self._tape(security) for security in securities]

    def _tape(self, security: Security) -> Tape:
        key = security.instrument_id
        if key not in self._tapes:
            source = planned(self._source(security), security, self._master, self._plan)
            self._tapes[key] = Tape(security, source, self._seed)
        return self._tapes[key]

    def _source(self, security: Security) -> TapeSource:
        listed = self._listed.get(security.instrument_id)
        if listed is None:
            return _Source(self._days, self._days.add(security))
        if listed.chain is None:
            return FollowerSource(self._followers, self._days, listed, self._seed)
        underlying = self._master.by_id(InstrumentId(security.under_con_id))
        assert underlying is not None, "a chain's underlying is checked when it is read"
        return OptionSource(self._tape(underlying), listed, self._seed)


class _Days:
    """Walks day after day when asked, and remembers where each day began."""

    def __init__(self, seed: int, start: date) -> None:
        # the whole cast moves in every market, so that SPY's path does not depend on who else is watched
        self._cast = sorted(PROFILES)
        self._walk = Walk([PROFILES[name] for name in self._cast])
        self._seed = seed
        self.securities: list[Security] = []
        self._index: list[int] = []
        self._makers: list[MinuteMaker] = []
        self.first_day = start
        for _ in range(HISTORY_SESSIONS):
            self.first_day = US_STOCKS.previous_day(self.first_day)
        self._states: list[WalkState] = [self._walk.first_state()]
        self._days: list[date] = [self.first_day]
        self._walked: dict[date, WalkDay] = {}
        self._frames: dict[tuple[date, int], DayFrames | None] = {}

    def add(self, security: Security) -> int:
        """Take a security of the default list in; return its number."""
        self.securities.append(security)
        self._index.append(self._cast.index(security.symbol))
        self._makers.append(MinuteMaker(security, PROFILES[security.symbol], _activity(security)))
        return len(self.securities) - 1

    def cast_day(self, symbol: str, day: date) -> SymbolDay:
        """Return a symbol's minutes on a New York trading day, the first day or later."""
        return self._walk_to(day).of(self._cast.index(symbol))

    def shocks(self, kin: str) -> tuple[Floats, Floats]:
        """Return the daily shocks of the year before: all symbols', and those of a symbol or its sector."""
        market, own = (
            np.random.default_rng([self._seed, _HISTORY_STREAM, 0, shared]).standard_normal(HISTORY_DAYS)
            for shared in (0, crc32(kin.encode()))
        )
        return market, own

    def frames(self, day: date, n: int) -> DayFrames | None:
        """Return the minutes of the n-th security on a day."""
        if not US_STOCKS.is_trading_day(day) or day < self.first_day:
            return None
        key = (day, n)
        if key not in self._frames:
            while len(self._frames) >= _DAYS_KEPT * len(self.securities):
                del self._frames[next(iter(self._frames))]
            self._frames[key] = self._make(day, n)
        return self._frames[key]

    def daily(self, n: int) -> list[DayBar]:
        """Return the n-th security's sessions before the first day."""
        security = self.securities[n]
        rng = np.random.default_rng([self._seed, _HISTORY_STREAM, 1, int(security.instrument_id)])
        market, own = self.shocks(PROFILES[security.symbol].sector or security.symbol)
        return self._makers[n].daily(self.first_day, market, own, rng)

    def _make(self, day: date, n: int) -> DayFrames | None:
        walked = self._walk_to(day)
        security, who = self.securities[n], self._index[n]
        rng = np.random.default_rng([self._seed, _MINUTE_STREAM, day.toordinal(), int(security.instrument_id)])
        start_ns = at_minute(US_STOCKS, day - timedelta(days=1), EVENING)
        span = security.session.hours(day)
        assert span is not None
        first, last = ((edge - start_ns) // NS_PER_MINUTE for edge in span)
        return self._makers[n].frames(day, start_ns, max(first, 0), last, walked.of(who), rng)

    def _walk_to(self, day: date) -> WalkDay:
        if day not in self._walked:
            while self._days[-1] < day:
                self._step(len(self._days) - 1)
                self._days.append(US_STOCKS.next_day(self._days[-1]))
            self._step(self._days.index(day))
        return self._walked[day]

    def _step(self, index: int) -> None:
        day = self._days[index]
        rng = np.random.default_rng([self._seed, _DAY_STREAM, day.toordinal()])
        walked, state = self._walk.step(self._states[index], rng)
        while len(self._walked) >= _DAYS_KEPT:
            del self._walked[next(iter(self._walked))]
        self._walked[day] = walked
        if index + 1 == len(self._states):
            self._states.append(state)


def _activity(security: Security) -> float:
    return _BACK_MONTH_SHARE if security.is_back_month else 1.0


class _Source:
    """The n-th security of the generated days, as a tape's source."""

    def __init__(self, days: _Days, n: int) -> None:
        self._days = days
        self._n = n

    @property
    def first_day(self) -> date:
        return self._days.first_day

    def frames(self, day: date) -> DayFrames | None:
        return self._days.frames(day, self._n)

    def daily(self) -> list[DayBar]:
        return self._days.daily(self._n)
