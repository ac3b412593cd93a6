"""What an entry would change: the books it touches before and after, worked out beside the real ones. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from msgspec.structs import replace

from ibfloor.model.booking import BreakLeft, PreviewLine, cash_in, position_in
from ibfloor.model.entry import BookEntry, CashLeg, EntryKind, Leg, PositionLeg
from ibfloor.model.fact import BreakFound, InstrumentDefined
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.money import Currency
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.position import Position

_ZERO = Decimal(0)
_Slot = tuple[StrategyId, InstrumentId]


def preview(
    entry: BookEntry, books: Books, breaks: Mapping[str, BreakFound]
) -> tuple[tuple[PreviewLine, ...], tuple[BreakLeft, ...]]:
    """Return what changes by book, and what stays of the open breaks in what changes."""
    before, twin = _twins(entry, books)
    lines: list[PreviewLine] = []
    for strategy, key in _slots(entry.legs):
        own = books.book(strategy).qty(key)
        change = twin.book(strategy).qty(key) - before.book(strategy).qty(key)
        lines.append(PreviewLine(strategy=strategy, what=_name(books, key), before=own, after=own + change))
    for strategy in sorted(entry.strategies):
        was, now, own_cash = before.book(strategy).cash, twin.book(strategy).cash, books.book(strategy).cash
        for currency in sorted({*was, *now}):
            change = now.get(currency, _ZERO) - was.get(currency, _ZERO)
            own = own_cash.get(currency, _ZERO)
            if change:
                lines.append(PreviewLine(strategy=strategy, what=currency, before=own, after=own + change))
    return tuple(lines), tuple(_left(entry, before, twin, breaks))


def touched(entry: BookEntry, books: Books) -> tuple[Position | None, ...]:
    """Return the positions an entry touches as they are: it means another thing once they have changed."""
    return tuple(books.book(strategy).positions.get(key) for strategy, key in _slots(entry.legs))


def _twins(entry: BookEntry, books: Books) -> tuple[Books, Books]:
    legs: list[Leg] = []
    names: dict[tuple[StrategyId, InstrumentId, str], str] = {}
    for strategy, key in _slots(entry.legs):
        held = books.book(strategy).positions.get(key)
        for lot in () if held is None else held.lots:
            names[strategy, key, lot.source] = f"held#{len(legs):05}"
            legs.append(
                PositionLeg(
                    strategy=strategy,
                    instrument_id=key,
                    qty=lot.qty,
                    px=held.px_of(lot) if held else _ZERO,
                    currency=held.currency if held else Currency(""),
                    multiplier=held.multiplier if held else Decimal(1),
                    opened_ns=lot.opened_ns,
                    value=lot.cost,
                )
            )
    start = replace(
        entry, entry_id="held", ts_event_ns=entry.ts_event_ns - 1, kind=EntryKind.MERGER, legs=tuple(legs), reverses=""
    )
    made = []
    for _ in range(2):
        twin = Books()
        for _, key in _slots(entry.legs):
            instrument = books.instrument(key)
            if instrument is not None:
                twin.apply(InstrumentDefined(ts_event_ns=0, ts_init_ns=0, instrument=instrument))
        twin.apply(start)
        made.append(twin)
    moved = tuple(
        replace(leg, lot=names.get((leg.strategy, leg.instrument_id, leg.lot), ""))
        if isinstance(leg, PositionLeg) and leg.lot
        else leg
        for leg in entry.legs
    )
    made[1].apply(replace(entry, entry_id="moved", legs=moved, reverses=""))
    return made[0], made[1]


def _left(entry: BookEntry, before: Books, twin: Books, breaks: Mapping[str, BreakFound]) -> list[BreakLeft]:
    changes: dict[str, Decimal] = {}
    for key in entry.instruments:
        changes[position_in(key)] = twin.position_total(key) - before.position_total(key)
    was, now = before.account_cash(), twin.account_cash()
    for currency in {*was, *now}:
        changes[cash_in(currency)] = now.get(currency, _ZERO) - was.get(currency, _ZERO)
    found = []
    for name, each in sorted(breaks.items()):
        change = changes.get(name, _ZERO)
        if change or name == entry.break_key:
            gap = each.theirs - each.ours
            found.append(BreakLeft(key=name, before=gap, after=gap - change))
    return found


def _slots(legs: tuple[Leg, ...]) -> list[_Slot]:
    return sorted({(leg.strategy, leg.instrument_id) for leg in legs if not isinstance(leg, CashLeg)})


def _name(books: Books, key: InstrumentId) -> str:
    instrument = books.instrument(key)
    return f"#{key}" if instrument is None else instrument.local_symbol
