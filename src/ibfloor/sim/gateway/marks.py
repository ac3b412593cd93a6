"""What an instrument is worth now, as the account and previews value it."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.model.ids import InstrumentId
from ibfloor.sim.market.source import Market


def mark_of(market: Market, instrument_id: InstrumentId) -> Decimal | None:
    """Return the middle of the quote, else the last print, else the last close; ``None`` for none of them."""
    top = market.top(instrument_id)
    if top is not None and top.bid_px is not None and top.ask_px is not None:
        return (top.bid_px + top.ask_px) / 2
    last = market.last_print(instrument_id)
    return last.px if last is not None else market.day(instrument_id).prev_close_px
