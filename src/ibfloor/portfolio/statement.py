"""A day's statement of one book or of the account: a pure fold over what the journal tells.

Every amount is exact, in its own currency; what is shown in the base currency is converted at the
closing rate, so that opening + results + flows + FX effect = closing, without a remainder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from decimal import Decimal

import msgspec

from ibfloor.model.entry import BookEntry
from ibfloor.model.fact import BreakFound
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.money import Currency
from ibfloor.portfolio.book import Amounts, Book
from ibfloor.portfolio.chronicle import Chronicle, books_at, day_bounds
from ibfloor.portfolio.executions import Execution, executions_of, flows_told
from ibfloor.portfolio.figures import NO_PRICE, ZERO, Figure, total
from ibfloor.portfolio.position import Position, Settlement
from ibfloor.portfolio.pricing import prices_at
from ibfloor.portfolio.statement_bridge import Bridge, CurrencyBridge, base_bridge, currency_bridges
from ibfloor.portfolio.worth import ACCOUNT, Prices, merged, unrealised_of

_ZERO = Decimal(0)


class StatedPosition(msgspec.Struct, frozen=True, kw_only=True):
    """An open position at the close; amounts in its own currency unless said otherwise."""

    instrument_id: InstrumentId
    name: str
    position: Position
    mark: Figure
    mark_ts_ns: int
    mark_source: str
    value: Figure
    """Quantity times mark times multiplier."""
    unrealised: Figure
    value_in_base: Figure


class StatedInstrument(msgspec.Struct, frozen=True, kw_only=True):
    """What one instrument brought on the day, in its own currency."""

    instrument_id: InstrumentId
    name: str
    currency: Currency
    realised: Figure
    unrealised: Figure
    """The change of the open result."""
    fees: Figure
    """Positive: costs."""
    result: Figure
    in_base: Figure


class FlowTold(msgspec.Struct, frozen=True, kw_only=True):
    """Money or a position that came, or went, without a trade and without a book entry."""

    ts_ns: int
    strategy: StrategyId
    text: str


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One day of one book, or of all of them together."""

    owner: StrategyId
    day: str
    start_ns: int
    end_ns: int
    base: Currency
    marked_ns: int
    """When the closing prices and rates were taken; 0 when there are none."""
    bridge: Bridge
    currencies: tuple[CurrencyBridge, ...]
    positions: tuple[StatedPosition, ...]
    instruments: tuple[StatedInstrument, ...]
    executions: tuple[Execution, ...]
    entries: tuple[BookEntry, ...]
    flows: tuple[FlowTold, ...]
    breaks: tuple[BreakFound, ...]
    fees_pending: int
    """Executions whose fee the broker has not told yet."""


class StatementError(ValueError):
    """There is nothing to state: the text says why."""


def statements(story: Chronicle, day: str, tz: tzinfo) -> dict[StrategyId, Statement]:
    """Return the statements of a day: of every book that ever held anything, and of ``ACCOUNT``.

    The base currency is that of the day's last marks. Raises ``StatementError`` when the journal does not
    reach that day, ``ValueError`` for what is no date.
    """
    start_ns, end_ns = valued_bounds(story, day, tz)
    if not any(each.ts_ns < end_ns for each in story.bookings):
        raise StatementError(f"nothing was booked up to {day}: there is nothing to state")
    if not story.marks:
        raise StatementError("the books were never valued: run a floor once, it records prices and rates every minute")
    base = (story.marks_at(end_ns) or story.marks[0]).base
    opening, closing = books_at(story, (start_ns, end_ns))
    maker = _Maker(story, day, start_ns, end_ns, prices_at(story, start_ns, base), prices_at(story, end_ns, base))
    made = {
        name: maker.make(name, (name,), opening.books.get(name) or Book(strategy=name), book, book.cash)
        for name, book in closing.books.items()
    }
    before_all, after_all = merged(ACCOUNT, opening.books.values()), merged(ACCOUNT, closing.books.values())
    made[ACCOUNT] = maker.make(ACCOUNT, tuple(closing.books), before_all, after_all, closing.account_cash)
    return made


def valued_bounds(story: Chronicle, day: str, tz: tzinfo) -> tuple[int, int]:
    """Return a day's bounds; the first day begins where the books were valued first.

    What an account held before is taken over at its cost: its gains of long ago are not that day's result.
    """
    start_ns, end_ns = day_bounds(day, tz)
    if story.marks and start_ns <= story.marks[0].ts_event_ns < end_ns:
        start_ns = story.marks[0].ts_event_ns + 1
    return start_ns, end_ns


class _Maker:
    def __init__(
        self, story: Chronicle, day: str, start_ns: int, end_ns: int, prices_then: Prices, prices: Prices
    ) -> None:
        self._story = story
        self._day = day
        self._start_ns = start_ns
        self._end_ns = end_ns
        self._then = prices_then
        self._prices = prices
        self._executions = executions_of(story, start_ns, end_ns)
        self._breaks = story.breaks_open(end_ns)

    def make(
        self, owner: StrategyId, names: Iterable[StrategyId], opening: Book, closing: Book, cash: Amounts
    ) -> Statement:
        own = set(names)
        executions = tuple(each for each in self._executions if each.strategy in own)
        currencies = currency_bridges(opening, closing, self._then, self._prices, cash)
        booked = tuple(self._story.between(self._start_ns, self._end_ns))
        return Statement(
            owner=owner,
            day=self._day,
            start_ns=self._start_ns,
            end_ns=self._end_ns,
            base=self._prices.base,
            marked_ns=self._prices.ts_ns,
            bridge=base_bridge(currencies, self._then, self._prices),
            currencies=currencies,
            positions=tuple(stated_positions(closing, self._prices)),
            instruments=tuple(stated_instruments(opening, closing, self._then, self._prices, executions)),
            executions=executions,
            entries=tuple(
                each for each in booked if isinstance(each, BookEntry) and (own & _touched(each, self._entries_by_id))
            ),
            flows=tuple(
                FlowTold(ts_ns=ts_ns, strategy=name, text=text)
                for ts_ns, name, text in flows_told(booked, self._prices)
                if name in own
            ),
            breaks=self._breaks,
            fees_pending=sum(each.fee is None for each in executions),
        )

    @property
    def _entries_by_id(self) -> Mapping[str, BookEntry]:
        return {each.fact.entry_id: each.fact for each in self._story.bookings if isinstance(each.fact, BookEntry)}


def _touched(entry: BookEntry, entries: Mapping[str, BookEntry]) -> frozenset[StrategyId]:
    original = entries.get(entry.reverses)
    return entry.strategies if original is None else original.strategies


def stated_positions(book: Book, prices: Prices) -> Iterable[StatedPosition]:
    """Yield the open positions of a book at prices, by name."""
    for key, position in sorted(book.open_positions.items(), key=lambda item: prices.name(item[0])):
        taken = prices.marks.get(key)
        mark = Figure(None, NO_PRICE + prices.name(key)) if taken is None else Figure(taken.px)
        value = mark.times(Figure(position.qty * position.multiplier))
        adds = {
            Settlement.PAID: value,
            Settlement.VARIATION: unrealised_of(position, prices) - Figure(position.paid),
            Settlement.EXCHANGED: ZERO,
        }
        yield StatedPosition(
            instrument_id=key,
            name=prices.name(key),
            position=position,
            mark=mark,
            mark_ts_ns=0 if taken is None else taken.ts_ns,
            mark_source="" if taken is None else taken.source,
            value=value,
            unrealised=unrealised_of(position, prices),
            value_in_base=prices.in_base(adds[position.settlement], position.currency),
        )


def stated_instruments(
    opening: Book, closing: Book, then: Prices, now: Prices, executions: Iterable[Execution]
) -> Iterable[StatedInstrument]:
    """Yield what each instrument brought between two moments, by name; those that brought nothing are left out."""
    fees: dict[InstrumentId, list[Execution]] = {}
    for each in executions:
        fees.setdefault(each.instrument_id, []).append(each)
    keys = sorted({*opening.positions, *closing.positions}, key=now.name)
    for key in keys:
        before, after = opening.positions.get(key), closing.positions.get(key)
        held = after or before
        assert held is not None
        realised = Figure((after.realised if after else _ZERO) - (before.realised if before else _ZERO))
        unrealised = _open_result(after, now) - _open_result(before, then)
        own = fees.get(key, [])
        cost = total(each.fee_in(held.currency) for each in own)
        trading = realised + unrealised
        paid = total(now.in_base(Figure(each.fee.amount), each.fee.currency) for each in own if each.fee)
        if key not in fees and not any(figure.value is None or figure.value for figure in (realised, unrealised)):
            continue
        yield StatedInstrument(
            instrument_id=key,
            name=now.name(key),
            currency=held.currency,
            realised=realised,
            unrealised=unrealised,
            fees=cost,
            result=trading - cost,
            in_base=now.in_base(trading, held.currency) - paid,
        )


def _open_result(position: Position | None, prices: Prices) -> Figure:
    return ZERO if position is None else unrealised_of(position, prices)
