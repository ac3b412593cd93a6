"""A book's worth by currency at recorded prices and rates, every figure with its reason where it is not known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from ibfloor.model.entry import EntryKind
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.marking import BooksMarked, MarkTaken, RateTaken
from ibfloor.model.money import Currency
from ibfloor.portfolio.book import Amounts, Book, add_to
from ibfloor.portfolio.figures import NO_PRICE, NO_RATE, ZERO, Figure, FigureByCurrency, total
from ibfloor.portfolio.position import Position, Settlement

ACCOUNT = StrategyId("ACCOUNT")
"""The name of the sum of all books."""
_ONE = Figure(Decimal(1))


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """Marks and rates of one moment, and the names of what they are of."""

    base: Currency
    marks: Mapping[InstrumentId, MarkTaken] = {}
    rates: Mapping[Currency, RateTaken] = {}
    ts_ns: int = 0
    """When they were taken; 0 when there are none."""
    names: Mapping[InstrumentId, str] = {}

    def name(self, instrument_id: InstrumentId) -> str:
        """Return an instrument's name, its id where it is not known."""
        return self.names.get(instrument_id, f"instrument {instrument_id}")

    def rate(self, currency: Currency) -> Figure:
        """Return what one unit is worth in the base currency."""
        if currency == self.base:
            return _ONE
        taken = self.rates.get(currency)
        return Figure(None, NO_RATE + currency) if taken is None else Figure(taken.rate)

    def in_base(self, figure: Figure, currency: Currency) -> Figure:
        """Return an amount in the base currency."""
        return figure if currency == self.base else figure.times(self.rate(currency))

    def sum_in_base(self, figures: FigureByCurrency) -> Figure:
        """Return the sum of amounts in the base currency."""
        return total(self.in_base(figure, currency) for currency, figure in figures.items())


def prices_of(marked: BooksMarked | None, base: Currency, instruments: Mapping[InstrumentId, Instrument]) -> Prices:
    """Return recorded prices for looking up; none where nothing was recorded."""
    names = {key: each.local_symbol or str(each.contract) for key, each in instruments.items()}
    if marked is None:
        return Prices(base=base, names=names)
    return Prices(
        base=base,
        marks={each.instrument_id: each for each in marked.marks},
        rates={each.currency: each for each in marked.rates} if marked.base == base else {},
        ts_ns=marked.ts_event_ns,
        names=names,
    )


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """A book by currency, each amount in its own: nothing is converted."""

    equity: FigureByCurrency
    unrealised: dict[InstrumentId, Figure]
    """Of every instrument with an open position in any of the books."""

    def in_base(self, prices: Prices) -> Figure:
        """Return the equity in the base currency."""
        return prices.sum_in_base(self.equity)


def worth_of(book: Book, prices: Prices) -> Worth:
    """Return a book's worth at prices."""
    equity: FigureByCurrency = {currency: Figure(amount) for currency, amount in book.cash.items()}
    unrealised: dict[InstrumentId, Figure] = {}
    for key, position in book.positions.items():
        if not position.qty and not position.cost:
            continue
        unrealised[key] = result = unrealised_of(position, prices)
        if position.settlement is Settlement.EXCHANGED:
            continue  # both sides of it are cash
        beside_cash = -position.paid if position.settlement is Settlement.VARIATION else position.cost
        value = result + Figure(beside_cash)
        equity[position.currency] = equity.get(position.currency, ZERO) + value
    return Worth(equity=equity, unrealised=unrealised)


def unrealised_of(position: Position, prices: Prices) -> Figure:
    """Return a position's open result in its currency.

    Where books hold an instrument on opposite sides their sum is flat and needs no price: the result is what
    they paid each other.
    """
    if not position.qty:
        return Figure(-position.cost)
    mark = prices.marks.get(position.instrument_id)
    if mark is None:
        return Figure(None, NO_PRICE + prices.name(position.instrument_id))
    return Figure(position.unrealised(mark.px))


def merged(owner: StrategyId, books: Iterable[Book]) -> Book:
    """Return several books as one: what is long in one and short in another is netted."""
    parts = tuple(books)
    positions: dict[InstrumentId, Position] = {}
    income: dict[EntryKind, Amounts] = {}
    sums: dict[str, Amounts] = {"cash": {}, "realised": {}, "fees": {}, "exchanged": {}, "flows": {}}
    for part in parts:
        for key, position in part.positions.items():
            positions[key] = _joined(positions[key], position) if key in positions else position
        for name, amounts in sums.items():
            _add_all(amounts, getattr(part, name))
        for kind, earned in part.income.items():
            _add_all(income.setdefault(kind, {}), earned)
    return Book(
        strategy=owner,
        positions=dict(sorted(positions.items())),
        income=income,
        fills=sum(part.fills for part in parts),
        cash=sums["cash"],
        realised=sums["realised"],
        fees=sums["fees"],
        exchanged=sums["exchanged"],
        flows=sums["flows"],
    )


def _joined(one: Position, other: Position) -> Position:
    return msgspec.structs.replace(
        one,
        qty=one.qty + other.qty,
        cost=one.cost + other.cost,
        realised=one.realised + other.realised,
        paid=one.paid + other.paid,
        lots=tuple(sorted((*one.lots, *other.lots), key=lambda lot: lot.opened_ns)),
    )


def _add_all(amounts: Amounts, more: Amounts) -> None:
    for currency, amount in more.items():
        add_to(amounts, currency, amount)
