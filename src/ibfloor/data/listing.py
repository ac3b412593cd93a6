"""What the DataManager keeps of one instrument: newest events, bars, and who listens.

Owner: the data thread. Readers of other threads take single attributes, each an immutable value or
swapped as a whole.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from ibfloor.data.bars import BarBuilder
from ibfloor.data.subscriber import Kind, Outlet
from ibfloor.model.instrument import Instrument, SecurityType
from ibfloor.model.market import Bar, Quote, Trade

Outlets = tuple[Outlet, ...]


class BarStream:
    """Bars of one size: the builder, the closed bars in memory, and who gets them.

    A stream starts amid an interval, so its builder saw only a part of it. Until that interval's
    bar was fetched from the broker's history (``release``), closed bars are held back.
    """

    def __init__(self, instrument: Instrument, duration_ns: int, now_ns: int, memory: int) -> None:
        self.builder = BarBuilder(instrument, duration_ns)
        self.duration_ns = duration_ns
        self.first_start_ns, self.seam_end_ns = self.builder.interval_of(now_ns)
        """The interval the stream started in: older bars come from history, later ones from ticks."""
        self.outlets: Outlets = ()
        self.recent: deque[Bar] = deque(maxlen=memory)
        self.joining = asyncio.Lock()
        """Held while older bars are fetched, so that the broker is asked once for several subscribers."""
        self._contiguous_ns = self.first_start_ns
        self._asked = 0
        self._is_filling = False
        self._held: list[Bar] | None = []

    def join(self, outlet: Outlet) -> None:
        """Send an outlet every bar that closes from now on."""
        if outlet not in self.outlets:
            self.outlets += (outlet,)

    def closed(self, bar: Bar) -> bool:
        """Remember a closed bar; ``False`` when it must wait for the one before it."""
        if self._held is not None:
            self._held.append(bar)
            return False
        self.recent.append(bar)
        return True

    def release(self, seam_bar: Bar | None) -> list[Bar]:
        """Return the held bars, the first interval's replaced by ``seam_bar``; no more are held."""
        held, self._held = self._held or [], None
        if seam_bar is not None:
            held = [seam_bar, *(bar for bar in held if bar.ts_event_ns > seam_bar.ts_event_ns)]
        self.recent.extend(held)
        return held

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

    def is_seam_due(self, now_ns: int) -> bool:
        """Tell, once, that the first interval is over and its bar is to be fetched."""
        if self._held is None or self._is_filling or now_ns < self.seam_end_ns:
            return False
        self._is_filling = True
        return True

    def restart(self, now_ns: int, *, forget: bool = False) -> None:
        """Begin anew: after a pause without ticks, or (``forget``) a jump of the clock."""
        self.builder.reset()
        self.first_start_ns, self.seam_end_ns = self.builder.interval_of(now_ns)
        if forget:
            self.recent = deque(maxlen=self.recent.maxlen)
        self._contiguous_ns = self.first_start_ns
        self._asked = 0
        self._is_filling = False
        self._held = []


class Listing:
    """One instrument on the floor."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.quote: Quote | None = None
        self.trade: Trade | None = None
        self.streams: dict[int, BarStream] = {}
        self.is_subscribed = False
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
