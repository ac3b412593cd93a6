"""What book entries added to results: so that one which is undone leaves no trace in a curve's heights."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from msgspec.structs import replace

from ibfloor.model.entry import INCOME_KINDS, BookEntry, EntryKind, PositionLeg, SplitLeg
from ibfloor.model.highs import Booked, Change
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.valuation import Mark, Rates, total, value

BETWEEN_BOOKS = frozenset({EntryKind.TRANSFER, EntryKind.CROSS})

_ZERO = Decimal(0)


def booked_since(
    books: Books, strategy: StrategyId | None, seen: int, marks: Mapping[InstrumentId, Mark], rates: Rates
) -> Booked:
    """Return what may have moved a book's result after the first ``seen`` entries; ``None``: the account's.

    A booking that was undone meanwhile is not among them: nobody ever saw it.
    """
    log = books.entries
    if not 0 <= seen < len(log):
        return Booked(len(log))
    fresh = [each for each in log.after(seen) if strategy is None or strategy in each.strategies]
    ids = {entry.entry_id for entry in fresh}
    changes: list[Change] = []
    for entry in fresh:
        original = log.get(entry.reverses) if entry.reverses else entry
        if original is None or not _moves_results(original, is_account=strategy is None):
            continue
        if original is entry:
            if log.reversed_by(entry.entry_id) is None:
                changes.append(Change(entry.entry_id))
        elif original.entry_id not in ids and log.reversed_by(original.entry_id) == entry.entry_id:
            changes.append(Change(original.entry_id, added_by(original, books, strategy, marks, rates)))
    return Booked(len(log), changes)


def added_by(
    entry: BookEntry,
    books: Books,
    strategy: StrategyId | None,
    marks: Mapping[InstrumentId, Mark],
    rates: Rates,
) -> Decimal:
    """Return what an undone entry had added to a book's result, in the base currency, at the prices of now.

    What has no price is worth what it was booked at. With a rate that is not known the result could not
    be seen while the entry was in it: it added nothing.
    """
    legs = [leg for leg in entry.legs if isinstance(leg, PositionLeg)]
    known = {leg.instrument_id: Mark(leg.px, entry.ts_event_ns, "entry") for leg in legs} | dict(marks)
    without = _result(books, strategy, known, rates)
    with books.trying(replace(entry, entry_id=f"{entry.entry_id} again")):
        result = _result(books, strategy, known, rates)
    return _ZERO if result is None or without is None else result - without


def _result(
    books: Books, strategy: StrategyId | None, marks: Mapping[InstrumentId, Mark], rates: Rates
) -> Decimal | None:
    if strategy is not None:
        return value(books.book(strategy), marks, rates).pnl
    parts = [value(books.book(name), marks, rates) for name in books.strategies()]
    equity, flows = total(part.equity for part in parts), total(part.flows for part in parts)
    return None if equity is None or flows is None else equity - flows


def _moves_results(entry: BookEntry, *, is_account: bool) -> bool:
    # Cash that came or went without being earned never does, and what one book gives another no sum of all.
    if is_account and entry.kind in BETWEEN_BOOKS:
        return False
    return entry.kind in INCOME_KINDS or any(isinstance(leg, PositionLeg | SplitLeg) for leg in entry.legs)
