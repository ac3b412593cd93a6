"""Tell a person when market data stands still while its market is open, and when it flows again."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from ibfloor.data.freshness import last_event_ns
from ibfloor.data.listing import Listing
from ibfloor.model.moment import NS_PER_S

log = structlog.get_logger("data")


class QuietWatch:
    """Compares the newest event of every subscribed instrument with the clock. Owner: the data thread."""

    def __init__(self, max_age_ns: int) -> None:
        self._max_age_ns = max_age_ns
        self._since: dict[int, int] = {}
        """Since when each could have had data: its market is open, somebody listens."""
        self._still: set[int] = set()

    def look(self, listings: Iterable[Listing], now_ns: int) -> None:
        """Say once of each instrument that its data stands still, and once that it flows again."""
        for listing in listings:
            instrument = listing.instrument
            key = int(instrument.instrument_id)
            if not listing.is_subscribed or instrument.rules.is_open(now_ns, outside_rth=False) is False:
                self._since.pop(key, None)
                self._still.discard(key)
                continue
            since_ns = self._since.setdefault(key, now_ns)
            age_ns = now_ns - max(last_event_ns(listing.quote, listing.trade) or 0, since_ns)
            if age_ns <= self._max_age_ns:
                if key in self._still:
                    self._still.discard(key)
                    log.warning("market data flows again", instrument=str(instrument.contract))
            elif key not in self._still:
                self._still.add(key)
                age_s = round(age_ns / NS_PER_S, 1)
                log.error("market data stands still", instrument=str(instrument.contract), age_s=age_s)

    def restart(self) -> None:
        """Forget what was seen: the clock was moved."""
        self._since.clear()
        self._still.clear()
