"""What the journal tells of books, in the order in which it happened, and the books at any moment of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo

import msgspec

from ibfloor.model.arrival import Arrival
from ibfloor.model.capital import CapitalAllocated
from ibfloor.model.entry import BookEntry, SplitLeg
from ibfloor.model.fact import (
    AnyFact,
    BreakCleared,
    BreakFound,
    CashMoved,
    FeeReported,
    InstrumentDefined,
    OrderFilled,
    OrderSubmitted,
    PositionMoved,
)
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId, exec_root
from ibfloor.model.instrument import Instrument
from ibfloor.model.lots import LotMethod
from ibfloor.model.marking import TRADED, BooksMarked, MarkTaken
from ibfloor.model.moment import NS_PER_MINUTE, from_datetime, to_datetime
from ibfloor.portfolio.book import Amounts, Book
from ibfloor.portfolio.books import Books

KINDS = (
    InstrumentDefined,
    OrderSubmitted,
    OrderFilled,
    FeeReported,
    CashMoved,
    PositionMoved,
    BookEntry,
    BreakFound,
    BreakCleared,
    BooksMarked,
    CapitalAllocated,
)
"""The facts that statements and returns are made of; all others may be left unread."""

Bookings = OrderFilled | FeeReported | CashMoved | PositionMoved | BookEntry
_AFTER_ALL_NS = 2**63 - 1
_FLOWS = (CashMoved, PositionMoved, BookEntry)


class Booked(msgspec.Struct, frozen=True):
    """A booking at the time it counts from, and when it happened.

    A fee and a correction count from their execution. What the journal has before a valuation of its own day
    counts before it, what it has after it counts after it: a broker stamps whole seconds, and what it did may
    be told when the books were valued already. What is told on a later day counts from when it happened.
    """

    ts_ns: int
    happened_ns: int
    fact: Bookings


class Chronicle(msgspec.Struct, frozen=True, kw_only=True):
    """All that was booked, oldest first, and what is needed to read it."""

    bookings: tuple[Booked, ...]
    marks: tuple[BooksMarked, ...]
    """Prices and rates: the first ever, the last of every day, and the last before every flow of money."""
    capital: tuple[CapitalAllocated, ...]
    breaks: tuple[BreakFound | BreakCleared, ...]
    instruments: dict[InstrumentId, Instrument]
    arrivals: dict[ClientOrderId, Arrival]
    """What the market stood at when an order went out; absent where no price was known."""
    lots: LotMethod = LotMethod.FIFO

    def marks_at(self, ts_ns: int) -> BooksMarked | None:
        """Return the newest prices and rates of before a time."""
        found = None
        for fact in self.marks:
            if fact.ts_event_ns >= ts_ns:
                break
            found = fact
        return found

    def traded_px(self, start_ns: int, end_ns: int) -> dict[InstrumentId, MarkTaken]:
        """Return what each instrument was traded at last, of what happened and counts in ``start_ns <= time < end_ns``.

        A price of before a split says nothing.
        """
        found: dict[InstrumentId, MarkTaken] = {}
        first = bisect_left(self.bookings, start_ns, key=lambda each: each.ts_ns)
        for index in range(first, bisect_left(self.bookings, end_ns, lo=first, key=lambda each: each.ts_ns)):
            fact, happened_ns = self.bookings[index].fact, self.bookings[index].happened_ns
            if isinstance(fact, OrderFilled) and fact.last_qty and happened_ns >= start_ns:
                taken = found.get(fact.instrument_id)
                if taken is None or taken.ts_ns <= happened_ns:
                    found[fact.instrument_id] = MarkTaken(fact.instrument_id, fact.last_px, happened_ns, TRADED)
            elif isinstance(fact, BookEntry):
                for leg in fact.legs:
                    if isinstance(leg, SplitLeg):
                        found.pop(leg.instrument_id, None)
        return found

    def between(self, start_ns: int, end_ns: int) -> Iterator[Bookings]:
        """Yield what was booked with ``start_ns <= time < end_ns``."""
        return (each.fact for each in self.bookings if start_ns <= each.ts_ns < end_ns)

    def breaks_open(self, ts_ns: int) -> tuple[BreakFound, ...]:
        """Return the breaks that stood at a time."""
        found: dict[str, BreakFound] = {}
        for fact in self.breaks:
            if fact.ts_init_ns >= ts_ns:
                continue
            if isinstance(fact, BreakFound):
                found[fact.key] = fact
            else:
                found.pop(fact.key, None)
        return tuple(found.values())


def chronicle(facts: Iterable[AnyFact], tz: tzinfo, lots: LotMethod = LotMethod.FIFO) -> Chronicle:
    """Read facts in the journal's order; days begin at midnight in ``tz``, lots close by the account's rule."""
    reader = _Reader(tz, lots)
    for fact in facts:
        reader.read(fact)
    return reader.chronicle()


class _Reader:
    def __init__(self, tz: tzinfo, lots: LotMethod) -> None:
        self._tz = tz
        self._lots = lots
        self._bookings: list[tuple[Bookings, int]] = []
        """Each with how many valuations the journal has before it."""
        self._marked_ns: list[int] = []
        self._executed_ns: dict[str, int] = {}
        self._marks: list[BooksMarked] = []
        self._latest: BooksMarked | None = None
        self._latest_day = ""
        self._capital: list[CapitalAllocated] = []
        self._breaks: list[BreakFound | BreakCleared] = []
        self._instruments: dict[InstrumentId, Instrument] = {}
        self._arrivals: dict[ClientOrderId, Arrival] = {}

    def read(self, fact: AnyFact) -> None:
        match fact:
            case BooksMarked():
                self._take_marks(fact)
            case OrderFilled():
                root = exec_root(fact.exec_id)[0]
                self._executed_ns[root] = min(fact.ts_event_ns, self._executed_ns.get(root, fact.ts_event_ns))
                self._take(fact)
            case FeeReported():
                self._take(fact)
            case CashMoved() | PositionMoved() | BookEntry():
                self._keep_latest()
                self._take(fact)
            case CapitalAllocated():
                self._keep_latest()
                self._capital.append(fact)
            case BreakFound() | BreakCleared():
                self._breaks.append(fact)
            case InstrumentDefined():
                self._instruments[fact.instrument.instrument_id] = fact.instrument
            case OrderSubmitted() if fact.arrival is not None:
                self._arrivals[fact.request.cl_ord_id] = fact.arrival
            case _:
                pass

    def chronicle(self) -> Chronicle:
        self._keep_latest()
        booked = sorted((self._booked(fact, number) for fact, number in self._bookings), key=lambda each: each.ts_ns)
        return Chronicle(
            bookings=tuple(booked),
            marks=tuple(self._marks),
            capital=tuple(self._capital),
            breaks=tuple(self._breaks),
            instruments=self._instruments,
            arrivals=self._arrivals,
            lots=self._lots,
        )

    def _take(self, fact: Bookings) -> None:
        self._bookings.append((fact, len(self._marked_ns)))

    def _take_marks(self, fact: BooksMarked) -> None:
        self._marked_ns.append(fact.ts_event_ns)
        day = day_of(fact.ts_event_ns, self._tz)
        if day != self._latest_day:
            self._keep_latest()
        self._latest, self._latest_day = fact, day
        if not self._marks:
            self._keep_latest()

    def _keep_latest(self) -> None:
        if self._latest is not None and (not self._marks or self._marks[-1] is not self._latest):
            self._marks.append(self._latest)

    def _booked(self, fact: Bookings, number: int) -> Booked:
        happened_ns = ts_ns = self._happened(fact)
        before_ns = self._marked_ns[number - 1] if number else -1
        after_ns = self._marked_ns[number] if number < len(self._marked_ns) else ts_ns
        if ts_ns <= before_ns and self._is_one_day(ts_ns, before_ns, fact.ts_init_ns):
            ts_ns = before_ns + 1
        elif after_ns < ts_ns <= after_ns + NS_PER_MINUTE and self._is_one_day(ts_ns, after_ns):
            ts_ns = after_ns
        return Booked(ts_ns, happened_ns, fact)

    def _is_one_day(self, *times: int) -> bool:
        return len({day_of(ts_ns, self._tz) for ts_ns in times}) == 1

    def _happened(self, fact: Bookings) -> int:
        match fact:
            case OrderFilled() | FeeReported():
                return self._executed_ns.get(exec_root(fact.exec_id)[0], fact.ts_event_ns)
            case _:
                return fact.ts_event_ns


class BooksThen(msgspec.Struct, frozen=True):
    """All books at one moment."""

    books: Mapping[StrategyId, Book]
    account_cash: Amounts
    """What the broker must show: it realises a future's result as one, over all books."""


def books_at(story: Chronicle, times: Sequence[int]) -> Iterator[BooksThen]:
    """Yield all books as of just before each time; times in ascending order. One pass over the bookings."""
    books = Books(story.lots)
    now = 0
    for instrument in story.instruments.values():
        books.apply(InstrumentDefined(ts_event_ns=0, ts_init_ns=0, instrument=instrument))
    for ts_ns in times:
        while now < len(story.bookings) and story.bookings[now].ts_ns < ts_ns:
            books.apply(story.bookings[now].fact)
            now += 1
        yield BooksThen({name: books.book(name) for name in books.strategies()}, books.account_cash())


def books_now(story: Chronicle) -> BooksThen:
    """Return all books as of after everything that the journal tells."""
    (now,) = books_at(story, [_AFTER_ALL_NS])
    return now


def flow_times(story: Chronicle, start_ns: int, end_ns: int) -> list[int]:
    """Return when money or positions may have come or gone without a trade, each time once."""
    return sorted(
        {each.ts_ns for each in story.bookings if isinstance(each.fact, _FLOWS) and start_ns <= each.ts_ns < end_ns}
    )


def day_of(ts_ns: int, tz: tzinfo) -> str:
    """Return the day of a time, as ``YYYY-MM-DD``."""
    return to_datetime(ts_ns, tz).date().isoformat()


def day_bounds(day: str, tz: tzinfo) -> tuple[int, int]:
    """Return the first nanosecond of a day and of the next; raise ``ValueError`` for what is no date."""
    start = date.fromisoformat(day)
    first, after = (datetime.combine(each, time(), tz) for each in (start, start + timedelta(days=1)))
    return from_datetime(first), from_datetime(after)
