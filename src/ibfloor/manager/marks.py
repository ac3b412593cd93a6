"""Marks and rates from the newest market data; readable from any thread."""

from __future__ import annotations

from decimal import Decimal
from math import isfinite

from ibfloor.data.manager import DataManager
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import SecurityType
from ibfloor.model.market import Quote, Trade
from ibfloor.model.money import Currency
from ibfloor.portfolio.book import Book
from ibfloor.portfolio.valuation import Mark, Rates, value

MID = "mid"
LAST = "last"


class Marks:
    """Prices to value books at: the middle of the quote, else the last trade, each with its time."""

    def __init__(self, data: DataManager, base: Currency) -> None:
        self._data = data
        self.base = base
        """The account's currency; set once the account is known."""

    def of(self, instrument_ids: set[InstrumentId]) -> dict[InstrumentId, Mark]:
        """Return the marks there are; an instrument without market data has none."""
        found = {key: self._mark(key) for key in instrument_ids}
        return {key: mark for key, mark in found.items() if mark is not None}

    def rates(self) -> Rates:
        """Return the exchange rates that the watched currency pairs give."""
        to_base: dict[Currency, Decimal] = {}
        for instrument in self._data.instruments():
            if instrument.contract.security_type is not SecurityType.FOREX:
                continue
            mark = self._mark(instrument.instrument_id)
            if mark is None or not mark.px:
                continue
            bought, paid = Currency(instrument.contract.symbol), instrument.currency
            if paid == self.base:
                to_base[bought] = mark.px
            elif bought == self.base:
                to_base[paid] = 1 / mark.px
        return Rates(base=self.base, to_base=to_base)

    def equity(self, book: Book) -> Decimal | None:
        """Return what a book is worth in the account's currency; ``None`` while a mark or rate is missing."""
        return value(book, self.of(set(book.open_positions)), self.rates()).equity

    def _mark(self, instrument_id: InstrumentId) -> Mark | None:
        return mark_of(self._data.quote(instrument_id), self._data.last_trade(instrument_id))


def mark_of(quote: Quote | None, trade: Trade | None) -> Mark | None:
    """Return the middle of a two-sided quote, else the last trade, else nothing."""
    if quote is not None and isfinite(quote.bid_px) and isfinite(quote.ask_px):
        px = (Decimal(repr(quote.bid_px)) + Decimal(repr(quote.ask_px))) / 2
        return Mark(px, quote.ts_event_ns, MID)
    if trade is not None:
        return Mark(Decimal(repr(trade.last_px)), trade.ts_event_ns, LAST)
    return None
