"""The hot path: one packet in, one shared batch out to everyone it concerns.

Per tick: newest value kept, bars fed, routes compared. No clock, logging, Decimal or lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ibfloor.data.listing import BarStream, Listing, Outlets
from ibfloor.data.subscriber import Outlet
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Contract, Instrument, SecurityType
from ibfloor.model.market import Bar, MarketBatch, MarketEvent, Quote, Trade
from ibfloor.model.money import Currency

# Where ticks of an instrument nobody has listed go: no listeners, no bars.
_NOWHERE = Listing(
    Instrument(
        instrument_id=InstrumentId(0),
        contract=Contract(security_type=SecurityType.STOCK, symbol=""),
        local_symbol="",
        currency=Currency("USD"),
    )
)


class Router:
    """Routes batches to outlets and builds bars on the way. Owner: the data thread."""

    def __init__(
        self, record: Callable[[MarketBatch], None], record_bar: Callable[[Bar], None], recorded_bar_ns: int
    ) -> None:
        self.listings: dict[int, Listing] = {}
        """By instrument id; replaced, never changed, so that any thread may read it."""
        self.ticks = 0
        self.bars_closed = 0
        self._record = record
        self._record_bar = record_bar
        self._recorded_bar_ns = recorded_bar_ns

    def add(self, listing: Listing) -> None:
        """List one more instrument."""
        self.listings = {**self.listings, int(listing.instrument.instrument_id): listing}

    def on_batch(self, batch: MarketBatch) -> None:
        """Take one packet's events, in order."""
        self.ticks += len(batch)
        listings = self.listings
        instrument: Instrument | None = None
        listing = _NOWHERE
        route: Outlets | None = None
        is_mixed = False
        closed: list[tuple[MarketEvent, BarStream, Bar]] | None = None
        for event in batch:
            if event.instrument is not instrument:
                instrument = event.instrument
                listing = listings.get(instrument.instrument_id, _NOWHERE)
            if type(event) is Quote:
                listing.quote = event
                outlets, streams = listing.quote_outlets, listing.quote_streams
                px, qty = (event.mid_px, 0.0) if streams else (0.0, 0.0)
                if px != px:  # a side is missing: no mid price
                    streams = ()
            elif type(event) is Trade:
                listing.trade = event
                outlets, streams = listing.trade_outlets, listing.trade_streams
                px, qty = event.last_px, event.last_qty
            else:
                continue
            if outlets is not route:
                is_mixed = route is not None
                route = outlets
            for stream in streams:
                bar = stream.builder.add(event.ts_event_ns, px, qty)
                if bar is not None:
                    closed = closed or []
                    closed.append((event, stream, bar))
        if closed is not None:
            self._deliver_around_bars(batch, closed)
        elif is_mixed:
            self._deliver_mixed(batch)
        elif route:
            for outlet in route:
                outlet.send_ticks(batch)
        self._record(batch)

    def bar_closed(self, stream: BarStream, bar: Bar) -> None:
        """Take a bar that the ticks or the clock closed."""
        if stream.closed(bar):
            self.send_bars(stream, (bar,))

    def send_bars(self, stream: BarStream, bars: Iterable[Bar]) -> None:
        """Deliver bars to the stream's outlets and, of the recorded size, to the recorder."""
        for bar in bars:
            self.bars_closed += 1
            delivery = (bar,)
            for outlet in stream.outlets:
                outlet.send_bars(delivery)
            if stream.duration_ns == self._recorded_bar_ns:
                self._record_bar(bar)

    def _deliver_around_bars(self, batch: MarketBatch, closed: list[tuple[MarketEvent, BarStream, Bar]]) -> None:
        # A bar goes out before the tick that closed it and after those that are in it.
        start = 0
        for position, event in enumerate(batch):
            while closed and closed[0][0] is event:
                _, stream, bar = closed.pop(0)
                if start < position:
                    self._deliver_mixed(batch[start:position])
                    start = position
                self.bar_closed(stream, bar)
        self._deliver_mixed(batch[start:])

    def _deliver_mixed(self, batch: MarketBatch) -> None:
        routes = [self._route(event) for event in batch]
        distinct = {id(route): route for route in routes}
        wanted: dict[Outlet, set[int]] = {}
        for key, route in distinct.items():
            for outlet in route:
                wanted.setdefault(outlet, set()).add(key)
        for outlet, keys in wanted.items():
            if len(keys) == len(distinct):
                outlet.send_ticks(batch)
            else:
                chosen = zip(batch, routes, strict=True)
                outlet.send_ticks(tuple(event for event, route in chosen if id(route) in keys))

    def _route(self, event: MarketEvent) -> Outlets:
        listing = self.listings.get(event.instrument.instrument_id, _NOWHERE)
        return listing.quote_outlets if type(event) is Quote else listing.trade_outlets
