"""What a book is worth at given marks and rates. A missing mark or rate gives ``None``, never a guess."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.money import Currency
from ibfloor.portfolio.book import Amounts, Book, add_to
from ibfloor.portfolio.position import Position, Settlement

_ZERO = Decimal(0)


class Mark(msgspec.Struct, frozen=True):
    """A price to value at, with its time (market time, ns) and where it came from."""

    px: Decimal
    ts_ns: int
    source: str


class Rates(msgspec.Struct, frozen=True):
    """Exchange rates: how much of ``base`` one unit of a currency is worth."""

    base: Currency
    to_base: Mapping[Currency, Decimal] = {}
    problems: Mapping[Currency, str] = {}
    """Why a currency has no rate here, where more is known than that there is none."""

    def problem(self, currency: Currency) -> str:
        """Return why amounts in a currency have no worth in the base currency now; empty where they have."""
        if currency == self.base or currency in self.to_base:
            return ""
        return self.problems.get(currency, f"no rate of {currency} is known")

    def convert(self, amount: Decimal | None, currency: Currency) -> Decimal | None:
        """Return an amount in the base currency; ``None`` where amount or rate is missing."""
        if amount is None or currency == self.base:
            return amount
        if not amount:
            return _ZERO
        rate = self.to_base.get(currency)
        return None if rate is None else amount * rate

    def convert_all(self, amounts: Amounts) -> Decimal | None:
        """Return the sum in the base currency; ``None`` where a rate is missing."""
        return total(self.convert(amount, currency) for currency, amount in amounts.items())


class PositionValue(msgspec.Struct, frozen=True, kw_only=True):
    """One open position at its mark; amounts in the position's currency."""

    position: Position
    mark: Mark | None
    unrealised: Decimal | None
    exposure: Decimal | None
    """Signed market value: quantity times mark times multiplier."""
    equity: Decimal | None
    """What the position adds to equity beside cash: nothing for forex, the open result for futures."""


class Valuation(msgspec.Struct, frozen=True, kw_only=True):
    """A book at its marks; all amounts in the base currency. ``None`` = not known now."""

    strategy: StrategyId
    base: Currency
    positions: tuple[PositionValue, ...]
    cash: Decimal | None
    realised: Decimal | None
    fees: Decimal | None
    income: Decimal | None
    """Dividends and interest less borrow cost and charges."""
    flows: Decimal | None
    flows_by: Amounts
    """The flows by currency, each in its own."""
    unrealised: Decimal | None
    gross_exposure: Decimal | None
    net_exposure: Decimal | None
    equity: Decimal | None
    problems: tuple[str, ...] = ()
    """Why amounts in other currencies are not known now; positions without a mark have none in ``positions``."""

    @property
    def pnl(self) -> Decimal | None:
        """Return realised plus unrealised plus income less fees."""
        if self.realised is None or self.unrealised is None or self.fees is None or self.income is None:
            return None
        return self.realised + self.unrealised + self.income - self.fees

    def by_currency(self) -> dict[Currency, Decimal | None]:
        """Return the unrealised result by currency."""
        amounts: dict[Currency, Decimal | None] = {}
        for value in self.positions:
            currency = value.position.currency
            amounts[currency] = total((amounts.get(currency, _ZERO), value.unrealised))
        return amounts


def total(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum, ``None`` when any part is not known."""
    result = _ZERO
    for amount in amounts:
        if amount is None:
            return None
        result += amount
    return result


def value(book: Book, marks: Mapping[InstrumentId, Mark], rates: Rates) -> Valuation:
    """Return a book's worth at marks and rates, in the base currency."""
    values = tuple(_value_position(position, marks.get(key)) for key, position in book.open_positions.items())
    cash = rates.convert_all(book.cash)
    exposures = [rates.convert(each.exposure, each.position.currency) for each in values]
    equities = [rates.convert(each.equity, each.position.currency) for each in values]
    return Valuation(
        strategy=book.strategy,
        base=rates.base,
        positions=values,
        cash=cash,
        realised=rates.convert_all(book.realised),
        fees=rates.convert_all(book.fees),
        income=total(rates.convert_all(amounts) for amounts in book.income.values()),
        flows=rates.convert_all(book.flows),
        flows_by=book.flows,
        unrealised=total(rates.convert(each.unrealised, each.position.currency) for each in values),
        gross_exposure=total(None if amount is None else abs(amount) for amount in exposures),
        net_exposure=total(exposures),
        equity=total((cash, *equities)),
        problems=_problems(book, rates),
    )


def value_account(valuations: Iterable[Valuation], marks: Mapping[InstrumentId, Mark], rates: Rates) -> Valuation:
    """Return the whole account: the sum of its books, exposures netted per instrument.

    Two books that hold the same instrument on opposite sides expose the account to the difference only.
    """
    parts = tuple(valuations)
    nets: dict[InstrumentId, tuple[Position, Decimal]] = {}
    for each in (each for part in parts for each in part.positions):
        key = each.position.instrument_id
        held = nets.get(key, (each.position, _ZERO))[1]
        nets[key] = (each.position, held + each.position.qty)
    exposures = [_net_exposure(position, qty, marks.get(key), rates) for key, (position, qty) in nets.items()]
    return Valuation(
        strategy=StrategyId("ACCOUNT"),
        base=rates.base,
        positions=tuple(each for part in parts for each in part.positions),
        cash=total(part.cash for part in parts),
        realised=total(part.realised for part in parts),
        fees=total(part.fees for part in parts),
        income=total(part.income for part in parts),
        flows=total(part.flows for part in parts),
        flows_by=_added(part.flows_by for part in parts),
        unrealised=total(part.unrealised for part in parts),
        gross_exposure=total(None if amount is None else abs(amount) for amount in exposures),
        net_exposure=total(exposures),
        equity=total(part.equity for part in parts),
        problems=tuple(dict.fromkeys(problem for part in parts for problem in part.problems)),
    )


def _problems(book: Book, rates: Rates) -> tuple[str, ...]:
    amounts = (book.cash, book.realised, book.fees, book.flows, *book.income.values())
    needed = {currency for each in amounts for currency, amount in each.items() if amount}
    needed |= {position.currency for position in book.open_positions.values()}
    return tuple(problem for currency in sorted(needed) if (problem := rates.problem(currency)))


def _added(parts: Iterable[Amounts]) -> Amounts:
    amounts: Amounts = {}
    for part in parts:
        for currency, amount in part.items():
            add_to(amounts, currency, amount)
    return amounts


def _net_exposure(position: Position, qty: Decimal, mark: Mark | None, rates: Rates) -> Decimal | None:
    if not qty:
        return _ZERO
    return None if mark is None else rates.convert(qty * mark.px * position.multiplier, position.currency)


def _value_position(position: Position, mark: Mark | None) -> PositionValue:
    if mark is None:
        equity = _ZERO if position.settlement is Settlement.EXCHANGED else None
        return PositionValue(position=position, mark=None, unrealised=None, exposure=None, equity=equity)
    unrealised = position.unrealised(mark.px)
    exposure = position.qty * mark.px * position.multiplier
    equity = {
        Settlement.PAID: exposure,
        Settlement.VARIATION: unrealised - position.paid,
        Settlement.EXCHANGED: _ZERO,
    }[position.settlement]
    return PositionValue(position=position, mark=mark, unrealised=unrealised, exposure=exposure, equity=equity)
