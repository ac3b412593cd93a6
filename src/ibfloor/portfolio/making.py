"""From what is kept of a strategy to its book."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context
from typing import NamedTuple

from ibfloor.model.entry import EntryKind
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.money import Currency
from ibfloor.portfolio.book import Amounts, Book, add_to
from ibfloor.portfolio.holding import Holding
from ibfloor.portfolio.position import Position, Settlement, settlement_of

_EXACT = Context(prec=200)
"""Nothing is rounded in it: what was added can be taken off again."""


class _Shares(NamedTuple):
    """What a holding adds to its book's figures."""

    realised: Amounts
    cash: Amounts
    flows: Amounts
    exchanged: Amounts


class Making:
    """Makes a strategy's book again and again; what no entry touched since the last time is not looked at."""

    def __init__(self) -> None:
        self._positions: dict[InstrumentId, Position] = {}
        self._shares: dict[InstrumentId, _Shares] = {}
        self._sums = _Shares({}, {}, {}, {})
        self._touched: set[InstrumentId] = set()

    def touch(self, instrument_id: InstrumentId) -> None:
        """Note that a holding has one more entry."""
        self._touched.add(instrument_id)

    def restart(self) -> None:
        """Look at every holding next time: something was taken back, or means something else now."""
        self._positions, self._shares, self._sums = {}, {}, _Shares({}, {}, {}, {})

    def book(
        self,
        strategy: StrategyId,
        holdings: Mapping[InstrumentId, Holding],
        instruments: Mapping[InstrumentId, Instrument],
        *,
        moved: Amounts,
        fees: Amounts,
        income: Mapping[EntryKind, Amounts],
        fills: int,
    ) -> Book:
        """Return a book as a value that shares nothing with what it was made of."""
        self._sum_up(holdings, instruments)
        sums = _Shares(*({key: +amount for key, amount in each.items()} for each in self._sums))
        cash, flows = dict(moved), dict(moved)
        _add_all(cash, sums.cash)
        _add_all(flows, sums.flows)
        _add_all(cash, sums.exchanged)
        for amounts in income.values():
            _add_all(cash, amounts)
        for currency, amount in fees.items():
            add_to(cash, currency, -amount)
        return Book(
            strategy=strategy,
            positions=self._positions.copy(),
            cash=cash,
            realised=sums.realised,
            fees=dict(fees),
            income={kind: dict(amounts) for kind, amounts in sorted(income.items())},
            exchanged=sums.exchanged,
            flows=flows,
            fills=fills,
        )

    def _sum_up(self, holdings: Mapping[InstrumentId, Holding], instruments: Mapping[InstrumentId, Instrument]) -> None:
        # All anew also for a new instrument: the order of what comes out is that of instruments, not of arrival.
        if len(self._shares) != len(holdings) or not self._touched <= self._shares.keys():
            self.restart()
            self._touched = set(holdings)
        for key in sorted(self._touched):
            position = self._positions[key] = holdings[key].position(settlement_in(instruments, key))
            shares, before = _shares_of(holdings[key], position, instruments), self._shares.get(key)
            self._shares[key] = shares
            for sums, now, then in zip(self._sums, shares, before or ({}, {}, {}, {}), strict=True):
                for currency, amount in now.items():
                    change = _EXACT.subtract(amount, then[currency]) if currency in then else amount
                    sums[currency] = _EXACT.add(sums[currency], change) if currency in sums else change
        self._touched.clear()


def _shares_of(holding: Holding, position: Position, instruments: Mapping[InstrumentId, Instrument]) -> _Shares:
    fold, currency = holding.fold(), holding.currency
    shares = _Shares({currency: fold.realised}, {}, {}, {})
    match position.settlement:
        case Settlement.VARIATION:
            shares.cash[currency] = fold.realised + fold.paid
        case Settlement.PAID:
            shares.cash[currency] = -fold.traded_value
            shares.flows[currency] = fold.moved_value
        case Settlement.EXCHANGED:
            shares.exchanged[currency] = -fold.traded_value
            add_to(shares.exchanged, Currency(instruments[holding.instrument_id].contract.symbol), fold.traded_qty)
    return shares


def settlement_in(instruments: Mapping[InstrumentId, Instrument], instrument_id: InstrumentId) -> Settlement:
    """Return how trades in an instrument move cash: as for a stock until its definition comes."""
    instrument = instruments.get(instrument_id)
    return settlement_of(instrument.contract.security_type) if instrument else Settlement.PAID


def _add_all(amounts: Amounts, more: Amounts) -> None:
    for currency, amount in more.items():
        add_to(amounts, currency, amount)
