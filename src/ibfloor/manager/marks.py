"""Marks and rates from the newest market data; readable from any thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from math import isfinite

from ibfloor.config.books import BooksSection
from ibfloor.data.manager import DataManager
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Instrument, SecurityType
from ibfloor.model.market import Quote, Trade
from ibfloor.model.moment import NS_PER_S, Clock
from ibfloor.model.money import Currency
from ibfloor.portfolio.book import Book
from ibfloor.portfolio.fx import FxRate, RateNow, choose, pair_rate, usable
from ibfloor.portfolio.valuation import Mark, Rates, value

MID = "mid"
LAST = "last"


class Marks:
    """Prices to value books at: the middle of the quote, else the last trade, each with its time.

    Exchange rates come from the currency pairs that are watched, else from what the broker told with
    the account (``told``), none older than ``[books] rate_max_age_s`` of market time. A mark stays the last
    one there was; whether it may be judged by says ``doubt``.
    """

    def __init__(
        self,
        data: DataManager,
        base: Currency,
        told: Callable[[Currency], Iterable[FxRate]],
        clock: Clock,
        settings: BooksSection,
    ) -> None:
        self._data = data
        self._told = told
        self._clock = clock
        self._rate_max_age_ns = int(settings.rate_max_age_s * NS_PER_S)
        self._silent_max_ns = int(settings.silent_max_s * NS_PER_S)
        self.base = base
        """The account's currency; set once the account is known."""

    def of(self, instrument_ids: set[InstrumentId]) -> dict[InstrumentId, Mark]:
        """Return the marks there are; an instrument without market data has none."""
        found = {key: self._mark(key) for key in instrument_ids}
        return {key: mark for key, mark in found.items() if mark is not None}

    def doubt(self, instrument_id: InstrumentId) -> str:
        """Return why an instrument's mark may not be its market any more; empty where nothing says so."""
        return self._data.feed_trouble(instrument_id, self._silent_max_ns)

    def rates(self) -> Rates:
        """Return the exchange rates that may be used now, with what is wrong with the others."""
        told = self._all_told()
        return usable(self.base, self._standings(dict.fromkeys(rate.currency for rate in told), told))

    def rates_now(self, currencies: Iterable[Currency]) -> list[RateNow]:
        """Return how the rate of each of some currencies stands, the base currency's left out."""
        return self._standings((each for each in currencies if each != self.base), self._all_told())

    def _standings(self, currencies: Iterable[Currency], told: list[FxRate]) -> list[RateNow]:
        now_ns = self._clock.now_ns()
        return [choose(each, told, now_ns, self._rate_max_age_ns) for each in currencies]

    def _all_told(self) -> list[FxRate]:
        return [*self._pairs(), *self._told(self.base)]

    def _pairs(self) -> Iterator[FxRate]:
        for instrument in self._data.instruments():
            if instrument.contract.security_type is not SecurityType.FOREX:
                continue
            mark = self._mark(instrument.instrument_id)
            if mark is not None:
                bought = Currency(instrument.contract.symbol)
                rate = pair_rate(self.base, bought, instrument.currency, mark.px, mark.ts_ns)
                if rate is not None:
                    yield rate

    def worth_of_one(self, instrument: Instrument) -> Decimal | None:
        """Return what one share or contract is worth in the account's currency; ``None`` where that is not known."""
        mark = self._mark(instrument.instrument_id)
        if mark is None:
            return None
        return self.rates().convert(mark.px * instrument.multiplier, instrument.currency)

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
