"""Tell a person when market data stands still while its market is open, and when it flows again.

Whoever judges by a price may ask how long nothing has come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog

from ibfloor.data.freshness import last_event_ns
from ibfloor.data.listing import Listing
from ibfloor.model.instrument import Instrument
from ibfloor.model.moment import NS_PER_S

log = structlog.get_logger("data")


class QuietWatch:
    """Compares the newest event of every subscribed instrument with the clock. Owner: the data thread.

    ``silent_ns`` and ``has_ended`` may be asked from any thread.
    """

    def __init__(self, max_age_ns: int, is_streaming: Callable[[Instrument], bool] = lambda instrument: True) -> None:
        self._max_age_ns = max_age_ns
        self._is_streaming = is_streaming
        self._since: dict[int, int] = {}
        """Since when each could have had data: its market is open, somebody listens."""
        self._still: set[int] = set()
        self._ended_ns: dict[int, int] = {}
        """Since when the broker sends nothing more of each that it ended; an event alone proves a new beginning."""

    def look(self, listings: Iterable[Listing], now_ns: int) -> None:
        """Say once of each instrument that its data stands still, and once that it flows again."""
        for listing in listings:
            instrument = listing.instrument
            key = int(instrument.instrument_id)
            if not listing.is_subscribed or instrument.rules.is_open(now_ns, outside_rth=False) is False:
                self._since.pop(key, None)
                self._still.discard(key)
                self._ended_ns.pop(key, None)
                continue
            if not self._is_streaming(instrument):
                self._ended_ns.setdefault(key, now_ns)
            elif not self.has_ended(listing):
                self._ended_ns.pop(key, None)
            self._since.setdefault(key, now_ns)
            age_ns = self.silent_ns(listing, now_ns)
            if age_ns <= self._max_age_ns:
                if key in self._still:
                    self._still.discard(key)
                    log.warning("market data flows again", instrument=str(instrument.contract))
            elif key not in self._still:
                self._still.add(key)
                age_s = round(age_ns / NS_PER_S, 1)
                log.error("market data stands still", instrument=str(instrument.contract), age_s=age_s)

    def silent_ns(self, listing: Listing, now_ns: int) -> int:
        """Return for how long nothing has come of an instrument though it could; zero while its market is closed."""
        since_ns = self._since.get(int(listing.instrument.instrument_id))
        return 0 if since_ns is None else now_ns - max(last_event_ns(listing.quote, listing.trade) or 0, since_ns)

    def has_ended(self, listing: Listing) -> bool:
        """Tell whether the broker refused or ended an instrument's data, and nothing has come since."""
        ended_ns = self._ended_ns.get(int(listing.instrument.instrument_id))
        return ended_ns is not None and (last_event_ns(listing.quote, listing.trade) or 0) <= ended_ns

    def restart(self) -> None:
        """Forget what was seen: the clock was moved."""
        self._since.clear()
        self._ended_ns.clear()
        self._still.clear()
