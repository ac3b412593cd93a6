"""Is the data fresh? Asked by the screen and by the gate before an entry."""

from __future__ import annotations

from ibfloor.model.market import Quote, Trade


def last_event_ns(quote: Quote | None, trade: Trade | None) -> int | None:
    """Return market time of the newest event; ``None`` when there never was one."""
    times = [event.ts_event_ns for event in (quote, trade) if event is not None]
    return max(times) if times else None


def is_fresh(last_ns: int | None, now_ns: int, max_age_ns: int) -> bool:
    """Tell whether an event is young enough; no event is never fresh, one of the near future is."""
    return last_ns is not None and now_ns - last_ns <= max_age_ns
