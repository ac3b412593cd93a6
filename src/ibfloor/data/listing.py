"""What the DataManager keeps of one instrument: newest events, bars, and who listens.

Owner: the data thread. Readers of other threads take single attributes, each an immutable value or
swapped as a whole.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from ibfloor.data.alignment import Interval
from ibfloor.data.bars import BarBuilder
from ibfloor.data.subscriber import Kind, Outlet
from ibfloor.model.instrument import Instrument, SecurityType
from ibfloor.model.market import Bar, Quote, Trade

Outlets = tuple[Outlet, ...]


class BarStream:
    """Bars of one size: the builder, the closed bars in memory, and who gets them.

    A stream starts amid an interval, and a lost connection leaves a hole: such a time is a *seam*.
    From its start on closed bars are held back, until the seam is over and the broker's history has
    given its bars (``release``).
    """

    def __init__(self, instrument: Instrument, duration_ns: int, now_ns: int, memory: int) -> None:
        self.builder = BarBuilder(instrument, duration_ns)
        self.duration_ns = duration_ns
        self.outlets: Outlets = ()
        self.recent: deque[Bar] = deque(maxlen=memory)
        self.joining = asyncio.Lock()
        """Held while older bars are fetched, so that the broker is asked once for several subscribers."""
        self.first_start_ns = 0
        """Older bars come from history alone, later ones from ticks and seams."""
        self._seam: Interval | None = None
        self._is_filling = False
        self._held: list[Bar] = []
        self._contiguous_ns = 0
        self._asked = 0
        self.restart(now_ns)

    @property
    def seam(self) -> Interval | None:
        """Return start and end of the time that ticks do not cover; ``None`` when they cover all."""
        return self._seam

    def join(self, outlet: Outlet) -> None:
        """Send an outlet every bar that closes from now on."""
        if outlet not in self.outlets:
            self.outlets += (outlet,)

    def closed(self, bar: Bar) -> bool:
        """Remember a closed bar; ``False`` when it must wait for the end of a seam."""
        if self._seam is not None:
            self._held.append(bar)
            return False
        self.recent.append(bar)
        return True

    def widen_seam(self, from_ns: int, now_ns: int) -> None:
        """Note that ticks are missing between two times: open a seam, or make the open one longer."""
        start_ns = max(self.builder.interval_of(from_ns)[0], self.first_start_ns)
        if self._seam is not None:
            start_ns = min(start_ns, self._seam[0])
        if self.recent:  # what was delivered stays as it was
            start_ns = max(start_ns, self.recent[-1].ts_close_ns)
        self._seam = start_ns, self.builder.interval_of(now_ns)[1]
        self._is_filling = False

    def is_seam_due(self, now_ns: int) -> bool:
        """Tell, once per seam, that it is over and its bars are to be fetched."""
        if self._seam is None or self._is_filling or now_ns < self._seam[1]:
            return False
        self._is_filling = True
        return True

    def release(self, fetched: Sequence[Bar]) -> list[Bar]:
        """End the seam: return its bars and those held since; where both exist, the fetched one."""
        seam, self._seam = self._seam, None
        held, self._held = self._held, []
        inside = [bar for bar in fetched if seam is not None and seam[0] <= bar.ts_event_ns < seam[1]]
        bars = {bar.ts_event_ns: bar for bar in (*held, *inside)}
        due = [bars[start_ns] for start_ns in sorted(bars)]
        self.recent.extend(due)
        return due

    def add_history(self, bars: Sequence[Bar], asked: int) -> None:
        """Put older bars in front of the stream's own; what overlaps those is left out."""
        own = [bar for bar in self.recent if bar.ts_event_ns >= self.first_start_ns]
        older = [bar for bar in bars if bar.ts_event_ns < self.first_start_ns]
        self.recent = deque(older + own, maxlen=self.recent.maxlen)
        self._contiguous_ns = older[0].ts_event_ns if older else self.first_start_ns
        self._asked = max(self._asked, asked)

    def newest(self, count: int) -> list[Bar]:
        """Return up to ``count`` bars that follow each other without a hole, oldest first."""
        return [bar for bar in self.recent if bar.ts_event_ns >= self._contiguous_ns][-count:]

    def has_history(self, count: int) -> bool:
        """Tell whether asking the broker for ``count`` bars would bring nothing new."""
        return self._asked >= count or len(self.newest(count)) >= count

    def restart(self, now_ns: int, *, forget: bool = False) -> None:
        """Begin anew: after a pause without ticks, or (``forget``) a jump of the clock."""
        self.builder.reset()
        if forget:
            self.recent = deque(maxlen=self.recent.maxlen)
        self._seam = self.builder.interval_of(now_ns)
        self.first_start_ns = self._contiguous_ns = self._seam[0]
        self._is_filling = False
        self._held = []
        self._asked = 0


class Listing:
    """One instrument on the floor."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.quote: Quote | None = None
        self.trade: Trade | None = None
        self.streams: dict[int, BarStream] = {}
        self.is_subscribed = False
        self._refused: tuple[str, Quote | None, Trade | None] | None = None
        self.subscribers = 0
        # What the hot path reads, rebuilt by _refresh.
        self.quote_outlets: Outlets = ()
        self.trade_outlets: Outlets = ()
        self.quote_streams: tuple[BarStream, ...] = ()
        self.trade_streams: tuple[BarStream, ...] = ()
        self._kinds: dict[Outlet, Kind] = {}
        self._bar_outlets: set[Outlet] = set()

    @property
    def outlets(self) -> set[Outlet]:
        """Return everyone who wants anything of this instrument."""
        return self._kinds.keys() | self._bar_outlets

    @property
    def refusal(self) -> str:
        """Return why the broker refuses market data; empty when it does not, or something has come since."""
        if self._refused is None or self._refused[1] is not self.quote or self._refused[2] is not self.trade:
            return ""
        return self._refused[0]

    @refusal.setter
    def refusal(self, why: str) -> None:
        self._refused = (why, self.quote, self.trade) if why else None

    def want(self, outlet: Outlet, kinds: Kind) -> None:
        """Note that an outlet wants ticks of these kinds, or with ``NONE`` only bars."""
        if kinds:
            self._kinds[outlet] = self._kinds.get(outlet, Kind.NONE) | kinds
        else:
            self._bar_outlets.add(outlet)
        self._refresh()

    def add_stream(self, stream: BarStream) -> None:
        """Build bars of one more size from now on."""
        self.streams = {**self.streams, stream.duration_ns: stream}
        self._refresh()

    def leave(self, outlet: Outlet) -> None:
        """Forget an outlet."""
        self._kinds.pop(outlet, None)
        self._bar_outlets.discard(outlet)
        for stream in self.streams.values():
            stream.outlets = tuple(other for other in stream.outlets if other is not outlet)
        self._refresh()

    def _refresh(self) -> None:
        self.subscribers = len(self.outlets)

        def takers(kind: Kind) -> Outlets:
            return tuple(outlet for outlet, kinds in self._kinds.items() if kind in kinds)

        self.quote_outlets, trade_outlets = takers(Kind.QUOTES), takers(Kind.TRADES)
        # Equal routes are one object: a packet of quotes and trades then has a single route.
        self.trade_outlets = self.quote_outlets if trade_outlets == self.quote_outlets else trade_outlets
        streams = tuple(self.streams.values())
        # Currency pairs have no tape on IB: their bars are made of mid prices.
        is_forex = self.instrument.contract.security_type is SecurityType.FOREX
        self.quote_streams, self.trade_streams = (streams, ()) if is_forex else ((), streams)
