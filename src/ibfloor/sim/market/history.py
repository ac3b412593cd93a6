"""History of one tape: what was streamed and what was before, as bars, and nothing later.

Past minutes are the tape's frames; the ticks of a minute always make its frame again, so bars of
streamed time are exactly those that the ticks build. The minute under way, and bars shorter than
a minute, are built from the ticks themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from math import prod

import numpy as np

from ibfloor.model.instrument import SecurityType
from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.sim.market.bars import (
    NS_PER_DAY,
    BarKind,
    Columns,
    SimBar,
    gathered,
    joined,
    of_frames,
    of_ticks,
    sim_bars,
    sim_day_bar,
    whole_session,
)
from ibfloor.sim.market.frames import DayBar, DayFrames
from ibfloor.sim.market.plan import splits_of
from ibfloor.sim.market.sessions import Span
from ibfloor.sim.market.tape import Tape


class TapeHistory:
    """Answers for the past of one tape, as known at ``now_ns`` (the last tick streamed)."""

    def __init__(self, tape: Tape, now_ns: int, kind: BarKind) -> None:
        is_untraded = tape.instrument.contract.security_type is SecurityType.FOREX
        self._tape = tape
        self._session = tape.security.session
        self._now_ns = now_ns
        self._kind = BarKind.MIDPOINT if is_untraded and kind is BarKind.TRADES else kind
        self._tick_px = tape.security.tape_tick
        self._splits = [split for split in splits_of(tape.source) if split[0] <= now_ns]

    def bars(self, end_ns: int, duration_ns: int, bar_ns: int, *, rth_only: bool) -> list[SimBar]:
        """Return the bars of less than a day over so much trading time before an end, oldest first."""
        spans = list(self._spans_back(min(end_ns, self._now_ns + 1), duration_ns, bar_ns, rth_only))
        parts = [_not_before(begin, gathered(self._rows(begin, end, bar_ns), bar_ns)) for begin, end in spans[::-1]]
        return sim_bars(joined(parts), self.unit_px)

    def daily(self, end_ns: int, sessions: int) -> list[SimBar]:
        """Return the last sessions that began before a time, the running one included, oldest first."""
        bars: list[SimBar] = []
        for day in self._days_back(min(end_ns, self._now_ns + 1)):
            if len(bars) == sessions:
                break
            bar = self.session(day)
            if bar is not None:
                bars.append(sim_day_bar(bar, self.unit_px))
        older = self._tape.source.daily()[::-1][: sessions - len(bars)]
        ratio = prod(ratio for _, ratio in self._splits)
        return [sim_day_bar(_in_new_shares(bar, ratio), self._tick_px) for bar in reversed(older)] + bars[::-1]

    def session(self, day: date) -> DayBar | None:
        """Return what is known of a day's regular session; ``None`` before its first row."""
        span = self._session.regular_hours(day)
        if span is None:
            return None
        return whole_session(day, self._rows(*span, NS_PER_MINUTE))

    @property
    def unit_px(self) -> Decimal:
        """Return what one unit of the rows' prices is worth."""
        return self._tick_px / self._kind.per_tick

    def previous_close(self, day: date) -> Decimal | None:
        """Return the close of the last regular session before a day; ``None`` when there was none."""
        before = self._session.regular_hours(self._session.previous_day(day))
        assert before is not None
        sessions = self.daily(before[1], 1)
        return sessions[-1].close_px if sessions else None

    def volume(self, day: date) -> int:
        """Return what traded on a day so far, outside regular hours too."""
        span = self._session.hours(day)
        return 0 if span is None else int(self._rows(*span, NS_PER_MINUTE).volume.sum())

    def _rows(self, begin_ns: int, end_ns: int, bar_ns: int) -> Columns:
        rows = self._played(begin_ns, end_ns, bar_ns)
        for split_ns, ratio in self._splits:
            if begin_ns < split_ns:
                factor = np.where(rows.ts_ns < split_ns, ratio, 1.0)
                ohlc = np.rint(rows.ohlc / factor[:, None]).astype(np.int64)
                rows = Columns(rows.ts_ns, ohlc, np.rint(rows.volume * factor).astype(np.int64), rows.count)
        return rows

    def _played(self, begin_ns: int, end_ns: int, bar_ns: int) -> Columns:
        frames = self._tape.source.frames(self._session.day_of(begin_ns))
        if frames is None:
            return joined([])
        if bar_ns < NS_PER_MINUTE:
            return self._ticks(frames, begin_ns, end_ns)
        # the minute under way comes from its ticks; the frame would tell the future
        open_ns = (self._now_ns + 1) // NS_PER_MINUTE * NS_PER_MINUTE
        closed = of_frames(frames, self._kind).between(begin_ns, min(end_ns, open_ns))
        return joined([closed, gathered(self._ticks(frames, max(begin_ns, open_ns), end_ns), NS_PER_MINUTE)])

    def _ticks(self, frames: DayFrames, begin_ns: int, end_ns: int) -> Columns:
        end_ns = min(end_ns, self._now_ns + 1)
        first = int(np.searchsorted(frames.minute_ns, begin_ns - begin_ns % NS_PER_MINUTE))
        last = int(np.searchsorted(frames.minute_ns, end_ns))
        ticks = (tick for row in range(first, last) for tick in self._tape.minute(frames, row))
        return of_ticks(ticks, self._kind, self._tick_px).between(begin_ns, end_ns)

    def _spans_back(self, end_ns: int, duration_ns: int, bar_ns: int, rth_only: bool) -> Iterator[Span]:
        # whole days count sessions; anything else counts trading time, so that a minute before the
        # open still has yesterday's bars to warm up with
        sessions = duration_ns // NS_PER_DAY if duration_ns % NS_PER_DAY == 0 else None
        for day in self._days_back(end_ns):
            span = self._session.regular_hours(day) if rth_only else self._session.hours(day)
            if span is None or span[0] >= end_ns or self._tape.source.frames(day) is None:
                continue
            begin, end = span[0], min(span[1], end_ns)
            if sessions is None:
                wanted = end - duration_ns
                begin = max(begin, wanted - wanted % bar_ns)
                duration_ns -= end - begin
            yield begin, end
            sessions = None if sessions is None else sessions - 1
            if sessions == 0 or duration_ns <= 0:
                return

    def _days_back(self, end_ns: int) -> Iterator[date]:
        day = self._session.day_of(end_ns)
        while day >= self._tape.source.first_day:
            yield day
            day = self._session.previous_day(day)


def _in_new_shares(bar: DayBar, ratio: float) -> DayBar:
    if ratio == 1:
        return bar
    open_px, high_px, low_px, close_px = (
        round(px / ratio) for px in (bar.open_px, bar.high_px, bar.low_px, bar.close_px)
    )
    return DayBar(bar.day, open_px, high_px, low_px, close_px, round(bar.volume * ratio))


def _not_before(begin_ns: int, rows: Columns) -> Columns:
    # a bar that the session's start cuts carries the session's time, as at IB
    return Columns(np.maximum(rows.ts_ns, begin_ns), rows.ohlc, rows.volume, rows.count)
