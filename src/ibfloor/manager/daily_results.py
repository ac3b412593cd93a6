"""Each strategy's daily returns on its capital: what a volatility target is measured by. Owner: the queue's thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import isfinite, sqrt
from statistics import stdev

from ibfloor.model.capital import CapitalAllocated
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.marking import BooksMarked
from ibfloor.portfolio.book import Book
from ibfloor.portfolio.curve import points_of

DAYS_KEPT, DAYS_NEEDED = 60, 20
_TRADING_DAYS = 252


class DailyResults:
    """Closes a day when the next begins; a plain fold."""

    def __init__(self) -> None:
        self._earned: dict[StrategyId, float] = {}
        self._returns: dict[StrategyId, deque[float]] = {}

    def close_day(
        self,
        books: Iterable[Book],
        marked: BooksMarked | None,
        instruments: Mapping[InstrumentId, Instrument],
        capital: Mapping[StrategyId, CapitalAllocated],
    ) -> None:
        """Take the day that ended, at its last marks; a book that could not be valued has no return of it."""
        if marked is None:
            return
        for point in points_of(books, marked, instruments):
            earned, before = point.equity - point.flows, self._earned.pop(point.book, None)
            allocated = capital.get(point.book)
            if not isfinite(earned):
                continue
            self._earned[point.book] = earned
            if before is not None and allocated is not None and allocated.amount > 0:
                kept = self._returns.setdefault(point.book, deque(maxlen=DAYS_KEPT))
                kept.append((earned - before) / float(allocated.amount))

    def volatility_pct(self, strategy: StrategyId) -> Decimal | None:
        """Return the volatility of daily returns in percent a year; ``None`` before ``DAYS_NEEDED`` days."""
        returns = self._returns.get(strategy, ())
        if len(returns) < DAYS_NEEDED:
            return None
        return Decimal(repr(stdev(returns) * sqrt(_TRADING_DAYS) * 100))
