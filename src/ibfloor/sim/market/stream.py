"""A market made of tapes: their minutes merged in time order, the touch and the day kept."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from decimal import Decimal
from operator import attrgetter

from ibfloor.model.ids import InstrumentId
from ibfloor.model.moment import NS_PER_S
from ibfloor.sim.exchange.values import BookTop, MarketTick, TapePrint
from ibfloor.sim.market.bars import NS_PER_DAY, BarKind, SimBar
from ibfloor.sim.market.history import TapeHistory
from ibfloor.sim.market.past import ticks_between
from ibfloor.sim.market.plan import splits_of
from ibfloor.sim.market.securities import SecurityMaster
from ibfloor.sim.market.source import DayFigures
from ibfloor.sim.market.tape import Tape

_BY_TIME = attrgetter("ts_ns")


class StreamMarket:
    """Plays tapes from a start on, as ``source.Market`` says. Owner: the caller's one thread.

    Quotes and prints of before the start are known at once, as a feed's first answer would tell.
    """

    def __init__(self, master: SecurityMaster, tapes: Sequence[Tape], start_ns: int) -> None:
        self.master = master
        self.start_ns = start_ns
        self._tapes = {tape.instrument.instrument_id: tape for tape in tapes}
        self._now_ns = start_ns - 1
        self._pending: deque[MarketTick] = deque()
        self._made: dict[Tape, tuple[int, list[MarketTick]]] = {}
        self._runs: list[_Run] = []
        self._slice_ns = 0
        self._tops: dict[InstrumentId, BookTop] = {}
        self._prints: dict[InstrumentId, TapePrint] = {}
        self._days: dict[InstrumentId, _RunningDay] = {}
        for tape in tapes:
            self._prime(tape)

    @property
    def instrument_ids(self) -> tuple[InstrumentId, ...]:
        """Return the instruments that have a tape; the master may know more."""
        return tuple(self._tapes)

    @property
    def next_tick_ns(self) -> int | None:
        """Return the time of the next tick; ``None`` when the market is over."""
        return self._pending[0].ts_ns if self._pending or self._refill() else None

    def ticks(self, until_ns: int) -> Iterator[MarketTick]:
        """Yield the ticks up to and including a time; goes on where the last call stopped."""
        pending = self._pending
        while pending or self._refill():
            tick = pending[0]
            if tick.ts_ns > until_ns:
                return
            pending.popleft()
            self._now_ns = tick.ts_ns
            self._apply(tick)
            yield tick

    def top(self, instrument_id: InstrumentId) -> BookTop | None:
        """Return the newest quote; ``None`` when there was none."""
        return self._tops.get(instrument_id)

    def last_print(self, instrument_id: InstrumentId) -> TapePrint | None:
        """Return the newest print; ``None`` when there was none."""
        return self._prints.get(instrument_id)

    def day(self, instrument_id: InstrumentId) -> DayFigures:
        """Return the figures of the trading day of the last tick; raises ``KeyError`` without a tape."""
        running = self._days.get(instrument_id)
        if running is None or running.ends_ns <= self._now_ns:
            running = self._days[instrument_id] = self._open_day(self._tapes[instrument_id])
        return running.figures()

    def history(
        self,
        instrument_id: InstrumentId,
        *,
        end_ns: int,
        duration_ns: int,
        bar_ns: int,
        rth_only: bool,
        kind: BarKind = BarKind.TRADES,
    ) -> list[SimBar]:
        """Return bars as ``source.Market`` says; raises ``KeyError`` for an instrument without a tape."""
        past = TapeHistory(self._tapes[instrument_id], self._now_ns, kind)
        if bar_ns < NS_PER_DAY:
            return past.bars(end_ns, duration_ns, bar_ns, rth_only=rth_only)
        return past.daily(end_ns, max(1, -(-duration_ns // NS_PER_DAY)))

    def past_ticks(self, instrument_id: InstrumentId, begin_ns: int, end_ns: int) -> Iterator[MarketTick]:
        """Yield past ticks as ``source.Market`` says; raises ``KeyError`` for an instrument without a tape."""
        return ticks_between(self._tapes[instrument_id], begin_ns, min(end_ns, self._now_ns + 1))

    def _prime(self, tape: Tape) -> None:
        tape.seek(self.start_ns)
        shown: list[MarketTick] = []
        # a start within a minute: its earlier ticks belong to the past
        if (tape.next_minute_ns or self.start_ns) < self.start_ns:
            played = tape.play()
            shown = [tick for tick in played if tick.ts_ns < self.start_ns]
            self._pending = deque(
                sorted([*self._pending, *(tick for tick in played if tick.ts_ns >= self.start_ns)], key=_BY_TIME)
            )
        for traded in (True, False):
            for tick in tape.before(self.start_ns, traded=traded):
                self._apply(tick)
        for tick in shown:
            self._apply(tick)

    def make_ahead(self) -> bool:
        """Make one instrument's coming minute now, so that the turn of the minute has less to do.

        What is streamed does not depend on it. Returns ``False`` when all is made.
        """
        for tape in self._tapes.values():
            if tape not in self._made and tape.next_minute_ns is not None:
                self._made[tape] = (tape.next_minute_ns, tape.play())
                return True
        return False

    def _refill(self) -> bool:
        while not self._next_slice():
            if not self._next_minute():
                return False
        return True

    def _next_minute(self) -> bool:
        minutes = {
            tape: self._made[tape][0] if tape in self._made else tape.next_minute_ns for tape in self._tapes.values()
        }
        nearest = min((minute for minute in minutes.values() if minute is not None), default=None)
        if nearest is None:
            return False
        self._slice_ns = nearest
        self._runs = [
            _Run(self._made.pop(tape)[1] if tape in self._made else tape.play())
            for tape, minute in minutes.items()
            if minute == nearest
        ]
        return True

    def _next_slice(self) -> bool:
        # a second at a time: sorting a whole minute of many instruments would hold everything up
        while self._runs:
            self._slice_ns += NS_PER_S
            batch: list[MarketTick] = []
            for run in self._runs:
                batch += run.until(self._slice_ns)
            self._runs = [run for run in self._runs if run.has_more]
            if batch:
                batch.sort(key=_BY_TIME)
                self._pending.extend(batch)
                return True
        return False

    def _apply(self, tick: MarketTick) -> None:
        if isinstance(tick, BookTop):
            self._tops[tick.instrument_id] = tick
            return
        self._prints[tick.instrument_id] = tick
        running = self._days.get(tick.instrument_id)
        if running is not None:
            running.add(tick)

    def _open_day(self, tape: Tape) -> _RunningDay:
        session = tape.security.session
        past = TapeHistory(tape, self._now_ns, BarKind.TRADES)
        day = session.day_of(self._now_ns)
        hours, regular = session.hours(day), session.regular_hours(day)
        assert hours is not None
        assert regular is not None
        # a split makes all figures of the day anew
        coming = [split_ns for split_ns, _ in splits_of(tape.source) if split_ns > self._now_ns]
        running = _RunningDay(min([hours[1], *coming]), regular, past.previous_close(day))
        bar = past.session(day)
        if bar is not None:
            px = past.unit_px
            running.open_px, running.high_px, running.low_px = bar.open_px * px, bar.high_px * px, bar.low_px * px
        running.volume = Decimal(past.volume(day))
        return running


class _Run:
    """One instrument's minute, given out in pieces."""

    __slots__ = ("_at", "_ticks")

    def __init__(self, ticks: list[MarketTick]) -> None:
        self._ticks = ticks
        self._at = 0

    @property
    def has_more(self) -> bool:
        return self._at < len(self._ticks)

    def until(self, end_ns: int) -> list[MarketTick]:
        start, self._at = self._at, bisect_left(self._ticks, end_ns, lo=self._at, key=_BY_TIME)
        return self._ticks[start : self._at]


class _RunningDay:
    """One instrument's day so far: open, high and low of regular hours, volume of all hours."""

    def __init__(self, ends_ns: int, regular: tuple[int, int], prev_close_px: Decimal | None) -> None:
        self.ends_ns = ends_ns
        self._regular = regular
        self._prev_close_px = prev_close_px
        self.open_px: Decimal | None = None
        self.high_px: Decimal | None = None
        self.low_px: Decimal | None = None
        self.volume = Decimal(0)

    def add(self, tape: TapePrint) -> None:
        if tape.ts_ns >= self.ends_ns:
            return
        self.volume += tape.qty
        if not self._regular[0] <= tape.ts_ns < self._regular[1]:
            return
        if self.open_px is None or self.high_px is None or self.low_px is None:
            self.open_px = self.high_px = self.low_px = tape.px
        elif tape.px > self.high_px:
            self.high_px = tape.px
        elif tape.px < self.low_px:
            self.low_px = tape.px

    def figures(self) -> DayFigures:
        return DayFigures(
            open_px=self.open_px,
            high_px=self.high_px,
            low_px=self.low_px,
            prev_close_px=self._prev_close_px,
            volume=self.volume,
        )
