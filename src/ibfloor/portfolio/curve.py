"""Points of equity curves: what every book was worth whenever the books were marked. The journal tells them all."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from ibfloor.model.fact import AnyFact, InstrumentDefined
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.lots import LotMethod
from ibfloor.model.marking import BooksMarked
from ibfloor.portfolio.book import Book
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.figures import Figure, total
from ibfloor.portfolio.worth import ACCOUNT, Prices, merged, prices_of, worth_of

_KEY_BYTES = 6


class CurvePoint(msgspec.Struct, frozen=True, kw_only=True):
    """One book at one moment, in the base currency; ``nan`` where a price or rate was missing."""

    book: StrategyId
    ts_ns: int
    equity: float
    realised: float
    """Results of closed trades since the beginning, before fees."""
    unrealised: float
    fees: float
    income: float
    """Dividends, interest, borrow cost and charges."""
    flows: float
    """What came in without a trade, less what went out, at the rates of the moment."""


def book_key(book: StrategyId) -> int:
    """Return a book's number in stored tables: the same in every run, on every machine."""
    return int.from_bytes(hashlib.sha256(book.encode()).digest()[:_KEY_BYTES])


def points_of(
    books: Iterable[Book], marked: BooksMarked, instruments: Mapping[InstrumentId, Instrument]
) -> list[CurvePoint]:
    """Return a point of every book and one of ``ACCOUNT``."""
    parts = tuple(books)
    prices = prices_of(marked, marked.base, instruments)
    return [_point(book, marked.ts_event_ns, prices) for book in (merged(ACCOUNT, parts), *parts)]


def curve_points(facts: Iterable[AnyFact], lots: LotMethod, *, after_ns: int = 0) -> Iterator[CurvePoint]:
    """Yield the points of all curves after a time, from facts in the journal's order.

    It is what the floor itself computed then, to the last bit: what came late counts from when it came.
    """
    books, instruments = Books(lots), dict[InstrumentId, Instrument]()
    for fact in facts:
        if isinstance(fact, BooksMarked):
            if fact.ts_event_ns > after_ns:
                yield from points_of((books.book(name) for name in books.strategies()), fact, instruments)
            continue
        if isinstance(fact, InstrumentDefined):
            instruments[fact.instrument.instrument_id] = fact.instrument
        books.apply(fact)


def _point(book: Book, ts_ns: int, prices: Prices) -> CurvePoint:
    worth = worth_of(book, prices)
    open_results = [prices.in_base(figure, book.positions[key].currency) for key, figure in worth.unrealised.items()]
    income = [
        prices.in_base(Figure(amount), currency)
        for amounts in book.income.values()
        for currency, amount in amounts.items()
    ]
    return CurvePoint(
        book=book.strategy,
        ts_ns=ts_ns,
        equity=_float(worth.in_base(prices)),
        realised=_float(prices.sum_in_base({key: Figure(amount) for key, amount in book.realised.items()})),
        unrealised=_float(total(open_results)),
        fees=_float(prices.sum_in_base({key: Figure(amount) for key, amount in book.fees.items()})),
        income=_float(total(income)),
        flows=_float(prices.sum_in_base({key: Figure(amount) for key, amount in book.flows.items()})),
    )


def _float(figure: Figure) -> float:
    return math.nan if figure.value is None else float(figure.value)
