"""What any thread may read of the market: newest quotes and trades, recent bars, freshness.

Every answer is an immutable value or a copy; there are no locks. One writer, the data thread, swaps
values as a whole.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from ibfloor.data.freshness import is_fresh, last_event_ns
from ibfloor.data.listing import Listing
from ibfloor.data.router import Router
from ibfloor.data.settings import DataSettings
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Contract, Instrument
from ibfloor.model.market import Bar, Halt, Quote, Trade
from ibfloor.model.moment import Clock
from ibfloor.model.view import InstrumentView

log = structlog.get_logger()


class MarketBoard:
    """The market as last seen. Any thread may call any method."""

    def __init__(self, router: Router, clock: Clock, settings: DataSettings) -> None:
        self._router = router
        self._clock = clock
        self._settings = settings
        self._instruments: dict[Contract, Instrument] = {}
        self._doubt: tuple[int, str] | None = None
        """Since when what has not come since is in doubt (market time), and why; swapped as a whole."""
        self._halts: dict[InstrumentId, Halt] = {}
        self.on_halted: Callable[[InstrumentId, Halt], None] = lambda instrument_id, halt: None
        """Told on the data thread of every change; set before the start."""

    def instrument(self, contract: Contract) -> Instrument | None:
        """Return what a contract was resolved to; ``None`` when nobody asked for it yet."""
        return self._instruments.get(contract)

    def by_id(self, instrument_id: InstrumentId) -> Instrument | None:
        """Return an instrument seen before; ``None`` when the floor has not met it."""
        listing = self._listing(instrument_id)
        return listing.instrument if listing else None

    def instruments(self) -> list[Instrument]:
        """Return every instrument that is or was watched."""
        return [listing.instrument for listing in list(self._router.listings.values())]

    def quote(self, instrument_id: InstrumentId) -> Quote | None:
        """Return the newest quote; ``None`` before the first."""
        listing = self._listing(instrument_id)
        return listing.quote if listing else None

    def doubt(self, instrument_id: InstrumentId) -> str:
        """Return why the newest quote is not to be traded on; empty when it is as good as its age.

        A broken data farm says nothing of which instruments it feeds: in doubt is whatever has not
        come since it broke.
        """
        listing = self._listing(instrument_id)
        return "" if listing is None or self._doubted_since(listing) is None or self._doubt is None else self._doubt[1]

    def halt(self, instrument_id: InstrumentId) -> Halt:
        """Return whether an instrument's trading is halted, as the broker told last."""
        return self._halts.get(instrument_id, Halt.UNKNOWN)

    def last_trade(self, instrument_id: InstrumentId) -> Trade | None:
        """Return the newest trade; ``None`` before the first."""
        listing = self._listing(instrument_id)
        return listing.trade if listing else None

    def recent_bars(self, instrument_id: InstrumentId, bar_ns: int, limit: int) -> list[Bar]:
        """Return the newest closed bars, oldest first; none of a size nobody subscribed to."""
        listing = self._listing(instrument_id)
        stream = listing.streams.get(bar_ns) if listing else None
        return list(stream.recent)[-limit:] if stream and limit > 0 else []

    def current_bar(self, instrument_id: InstrumentId, bar_ns: int) -> Bar | None:
        """Return the bar in progress; ``None`` when it has no tick yet. Its figures may be one tick apart."""
        listing = self._listing(instrument_id)
        stream = listing.streams.get(bar_ns) if listing else None
        return stream.builder.current() if stream else None

    def is_fresh(self, instrument_id: InstrumentId, max_age_ns: int | None = None) -> bool:
        """Tell whether the newest event is younger than ``max_age_ns`` (default: the setting)."""
        listing = self._listing(instrument_id)
        return listing is not None and self._is_fresh(listing, max_age_ns or self._settings.max_age_ns)

    def instrument_rows(self) -> list[InstrumentView]:
        """Return one row per instrument that is or was watched, for the screen."""
        watched = (each for each in self._router.listings.values() if each.is_subscribed or each.quote or each.trade)
        return [self._row(listing) for listing in watched]

    def _take_halt(self, instrument: Instrument, halt: Halt) -> None:
        before = self.halt(instrument.instrument_id)
        if halt is before:
            return
        self._halts[instrument.instrument_id] = halt
        if halt.is_on or before.is_on:
            log.warning("trading halt", instrument=instrument.local_symbol, state=halt.value)
        self.on_halted(instrument.instrument_id, halt)

    def _listing(self, instrument_id: InstrumentId) -> Listing | None:
        return self._router.listings.get(int(instrument_id))

    def _is_fresh(self, listing: Listing, max_age_ns: int) -> bool:
        if self._doubted_since(listing) is not None:
            return False
        return is_fresh(last_event_ns(listing.quote, listing.trade), self._clock.now_ns(), max_age_ns)

    def _doubted_since(self, listing: Listing) -> int | None:
        doubt = self._doubt
        if doubt is None or (last_event_ns(listing.quote, listing.trade) or 0) > doubt[0]:
            return None
        return doubt[0]

    def _row(self, listing: Listing) -> InstrumentView:
        instrument, quote, trade = listing.instrument, listing.quote, listing.trade
        return InstrumentView(
            instrument_id=instrument.instrument_id,
            symbol=instrument.local_symbol,
            min_tick=instrument.min_tick,
            currency=instrument.currency,
            bid_px=_or_none(quote.bid_px) if quote else None,
            ask_px=_or_none(quote.ask_px) if quote else None,
            last_px=trade.last_px if trade else None,
            ts_ns=last_event_ns(quote, trade) or 0,
            is_fresh=self._is_fresh(listing, self._settings.max_age_ns),
            subscribers=listing.subscribers,
        )


def _or_none(px: float) -> float | None:
    return px if px == px else None  # nan: this side is absent
