"""The prices at which books count at any moment of the journal: its valuations, and own executions since."""

from __future__ import annotations

import msgspec

from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.model.money import Currency
from ibfloor.portfolio.chronicle import Chronicle
from ibfloor.portfolio.worth import Prices, prices_of

TRADED_AGE_NS = NS_PER_MINUTE
"""How long before a valuation an execution may be whose price stands in for one that the market did not tell."""


def prices_at(story: Chronicle, ts_ns: int, base: Currency) -> Prices:
    """Return the newest recorded prices of before a time.

    What was not held when they were recorded, and was traded since, counts at what it was traded at last. Where
    nothing was recorded, there are none.
    """
    marked = story.marks_at(ts_ns)
    prices = prices_of(marked, base, story.instruments)
    if marked is None:
        return prices
    traded = story.traded_px(marked.ts_event_ns - TRADED_AGE_NS, ts_ns)
    return msgspec.structs.replace(prices, marks={**traded, **prices.marks})
