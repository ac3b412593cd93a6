"""One strategy's book: a value, made by ``Books`` whenever it is asked for."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.entry import EntryKind
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.money import Currency
from ibfloor.portfolio.position import Position

Amounts = dict[Currency, Decimal]
"""Exact amounts by currency; what is absent is zero."""


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy holds and has earned. Its dictionaries are never changed."""

    strategy: StrategyId
    positions: dict[InstrumentId, Position] = {}
    """Every instrument ever held, flat ones too: they carry realised results."""
    cash: Amounts = {}
    realised: Amounts = {}
    """Results of closed trades before fees."""
    fees: Amounts = {}
    """Costs, positive; already taken out of cash."""
    income: dict[EntryKind, Amounts] = {}
    """Dividends, interest, borrow cost and charges by kind: signed as they moved cash, already in cash."""
    exchanged: Amounts = {}
    """What currency trades brought and took, by currency: already in cash."""
    flows: Amounts = {}
    """Cash and positions that came in without a trade, at their prices, less what went out."""
    fills: int = 0

    def qty(self, instrument_id: InstrumentId) -> Decimal:
        """Return the signed quantity held."""
        position = self.positions.get(instrument_id)
        return position.qty if position else Decimal(0)

    @property
    def open_positions(self) -> dict[InstrumentId, Position]:
        """Return the positions that are not flat."""
        return {key: position for key, position in self.positions.items() if position.qty}


def add_to(amounts: Amounts, currency: Currency, amount: Decimal) -> None:
    """Add an amount to a currency's sum."""
    amounts[currency] = amounts.get(currency, Decimal(0)) + amount
