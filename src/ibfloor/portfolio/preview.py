"""What an entry would change: the books it touches before and after. Pure: it is tried and taken back."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from ibfloor.model.booking import BreakLeft, PreviewLine, cash_in, position_in
from ibfloor.model.entry import BookEntry, CashLeg, Leg
from ibfloor.model.fact import BreakFound
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.portfolio.book import Amounts, Book
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.position import Position
from ibfloor.portfolio.reconciliation import CASH_TOLERANCE

_ZERO = Decimal(0)
_Slot = tuple[StrategyId, InstrumentId]


def preview(
    entry: BookEntry, books: Books, breaks: Mapping[str, BreakFound], *, is_equal: bool = False
) -> tuple[tuple[PreviewLine, ...], tuple[BreakLeft, ...]]:
    """Return what changes by book, and what stays of the open breaks in what changes.

    ``is_equal``: books and account agree but for these breaks, so that what changes beside them opens others.
    """
    before = _look(entry, books)
    with books.trying(entry):
        after = _look(entry, books)
    lines: list[PreviewLine] = []
    for strategy, key in _slots(entry.legs):
        was, now = before.books[strategy].qty(key), after.books[strategy].qty(key)
        lines.append(PreviewLine(strategy=strategy, what=_name(books, key), before=was, after=now))
    for strategy in sorted(entry.strategies):
        cash_before, cash_after = before.books[strategy].cash, after.books[strategy].cash
        for currency in sorted({*cash_before, *cash_after}):
            was, now = cash_before.get(currency, _ZERO), cash_after.get(currency, _ZERO)
            if was != now:
                lines.append(PreviewLine(strategy=strategy, what=currency, before=was, after=now, is_cash=True))
    return tuple(lines), tuple(_left(entry, before, after, breaks, is_equal=is_equal))


def touched(entry: BookEntry, books: Books) -> tuple[Position | None, ...]:
    """Return the positions an entry touches as they are: it means another thing once they have changed."""
    return tuple(books.book(strategy).positions.get(key) for strategy, key in _slots(entry.legs))


class _Look(NamedTuple):
    books: dict[StrategyId, Book]
    totals: dict[InstrumentId, Decimal]
    cash: Amounts


def _look(entry: BookEntry, books: Books) -> _Look:
    return _Look(
        {strategy: books.book(strategy) for strategy in entry.strategies},
        {key: books.position_total(key) for key in entry.instruments},
        books.account_cash(),
    )


def _left(
    entry: BookEntry, before: _Look, after: _Look, breaks: Mapping[str, BreakFound], *, is_equal: bool
) -> list[BreakLeft]:
    changes = {position_in(key): after.totals[key] - total for key, total in before.totals.items()}
    for currency in {*before.cash, *after.cash}:
        changes[cash_in(currency)] = after.cash.get(currency, _ZERO) - before.cash.get(currency, _ZERO)
    found = []
    for name, each in sorted(breaks.items()):
        change = changes.get(name, _ZERO)
        if change or name == entry.break_key:
            gap = each.theirs - each.ours
            found.append(BreakLeft(key=name, before=gap, after=gap - change))
    opened = [(name, change) for name, change in sorted(changes.items()) if name not in breaks and is_equal]
    cash = {cash_in(currency) for currency in after.cash}
    for name, change in opened:
        if abs(change) > (CASH_TOLERANCE if name in cash else _ZERO):
            found.append(BreakLeft(key=name, before=_ZERO, after=-change))
    return found


def _slots(legs: tuple[Leg, ...]) -> list[_Slot]:
    return sorted({(leg.strategy, leg.instrument_id) for leg in legs if not isinstance(leg, CashLeg)})


def _name(books: Books, key: InstrumentId) -> str:
    instrument = books.instrument(key)
    return f"#{key}" if instrument is None else instrument.local_symbol
