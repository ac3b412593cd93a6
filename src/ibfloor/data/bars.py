"""Bars from ticks.

A bar covers the ticks with ``start <= ts < end``. It closes when a tick of a later interval comes or
when the clock says so, whichever is first. An interval without a tick gives no bar, neither before
the first one nor between two. A tick that comes after its bar has closed is counted and left out.
"""

from __future__ import annotations

from ibfloor.data.alignment import IntervalOf, intervals
from ibfloor.model.instrument import Instrument
from ibfloor.model.market import Bar


class _Growing:
    """The bar in progress: a new object for each bar, so that a reader never sees two mixed."""

    __slots__ = ("close_px", "count", "end_ns", "high_px", "low_px", "open_px", "start_ns", "turnover", "volume")

    def __init__(self, start_ns: int, end_ns: int, px: float, qty: float, count: int) -> None:
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.open_px = self.high_px = self.low_px = self.close_px = px
        self.volume = qty
        self.turnover = px * qty
        self.count = count


class BarBuilder:
    """Ticks of one instrument in, closed bars of one size out.

    Pure: knows no clock. Owner: the data thread; ``current`` may be read from any thread, its
    figures being at most one tick apart.
    """

    __slots__ = ("_growing", "_interval_of", "duration_ns", "instrument", "late")

    def __init__(self, instrument: Instrument, duration_ns: int) -> None:
        self.instrument = instrument
        self.duration_ns = duration_ns
        self.late = 0
        """Ticks left out because their bar had closed."""
        self._interval_of: IntervalOf = intervals(duration_ns, instrument.time_zone)
        self._growing = _Growing(0, 0, 0.0, 0.0, 0)

    def add(self, ts_ns: int, px: float, qty: float) -> Bar | None:
        """Take one tick; return the bar it closes, if any."""
        growing = self._growing
        if ts_ns >= growing.end_ns:
            return self._roll(ts_ns, px, qty)
        if ts_ns < growing.start_ns:
            self.late += 1
            return None
        if px > growing.high_px:
            growing.high_px = px
        elif px < growing.low_px:
            growing.low_px = px
        growing.close_px = px
        growing.volume += qty
        growing.turnover += px * qty
        growing.count += 1
        return None

    def close_until(self, ts_ns: int) -> Bar | None:
        """Close the bar in progress if it ends at or before a time; ticks before its end are late from then on."""
        growing = self._growing
        if growing.count == 0 or growing.end_ns > ts_ns:
            return None
        self._growing = _Growing(growing.end_ns, growing.end_ns, 0.0, 0.0, 0)
        return self._bar(growing)

    def current(self) -> Bar | None:
        """Return the bar in progress as it is now; ``None`` when no tick of it has come."""
        growing = self._growing
        return self._bar(growing) if growing.count else None

    def next_close_ns(self, now_ns: int) -> int:
        """Return when the bar in progress ends, or the one that a tick now would open."""
        growing = self._growing
        return growing.end_ns if growing.count else self.interval_of(now_ns)[1]

    def interval_of(self, ts_ns: int) -> tuple[int, int]:
        """Return start and end of the bar that a time falls in."""
        return self._interval_of(ts_ns)

    def reset(self) -> None:
        """Forget the bar in progress: the clock was moved to another time."""
        self._growing = _Growing(0, 0, 0.0, 0.0, 0)

    def forget_after(self, ts_ns: int) -> None:
        """Forget a bar in progress that starts after a time: a tick came with a broken time."""
        if self._growing.count and self._growing.start_ns > ts_ns:
            self.reset()

    def _roll(self, ts_ns: int, px: float, qty: float) -> Bar | None:
        done = self._growing
        start_ns, end_ns = self._interval_of(ts_ns)
        self._growing = _Growing(start_ns, end_ns, px, qty, 1)
        return self._bar(done) if done.count else None

    def _bar(self, growing: _Growing) -> Bar:
        volume = growing.volume
        return Bar(
            self.instrument,
            growing.start_ns,
            self.duration_ns,
            growing.open_px,
            growing.high_px,
            growing.low_px,
            growing.close_px,
            volume,
            growing.count,
            growing.turnover / volume if volume else float("nan"),
        )
