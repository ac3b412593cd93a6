"""The lots of books as rows for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Instrument
from ibfloor.portfolio.allocation import to_cents
from ibfloor.portfolio.book import Book
from ibfloor.portfolio.position import tidy


def lot_rows(books: Iterable[Book], instruments: Mapping[InstrumentId, Instrument]) -> list[dict[str, object]]:
    """Return every open lot, by book and instrument, the oldest first."""
    rows: list[dict[str, object]] = []
    for book in books:
        for key, position in book.open_positions.items():
            instrument = instruments.get(key)
            symbol = f"#{key}" if instrument is None else instrument.local_symbol
            rows += [
                {
                    "strategy": book.strategy,
                    "instrument_id": key,
                    "symbol": symbol,
                    "opened_ns": lot.opened_ns,
                    "qty": tidy(lot.qty),
                    "px": tidy(round(position.px_of(lot), 6)),
                    "cost": to_cents(lot.cost),
                    "currency": position.currency,
                    "lot": lot.source,
                }
                for lot in position.lots
            ]
    return rows
