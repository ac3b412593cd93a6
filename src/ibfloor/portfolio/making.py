"""From what is kept of a strategy to its book."""

from __future__ import annotations

from collections.abc import Mapping

from ibfloor.model.entry import EntryKind
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.money import Currency
from ibfloor.portfolio.book import Amounts, Book, add_to
from ibfloor.portfolio.holding import Holding
from ibfloor.portfolio.position import Settlement, settlement_of


def make_book(
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
    cash, flows = dict(moved), dict(moved)
    realised: Amounts = {}
    exchanged: Amounts = {}
    positions = {}
    for instrument_id, holding in sorted(holdings.items()):
        position = positions[instrument_id] = holding.position(settlement_in(instruments, instrument_id))
        fold = holding.fold()
        add_to(realised, holding.currency, fold.realised)
        match position.settlement:
            case Settlement.VARIATION:
                add_to(cash, holding.currency, fold.realised + fold.paid)
            case Settlement.PAID:
                add_to(cash, holding.currency, -fold.traded_value)
                add_to(flows, holding.currency, fold.moved_value)
            case Settlement.EXCHANGED:
                add_to(exchanged, holding.currency, -fold.traded_value)
                add_to(exchanged, Currency(instruments[instrument_id].contract.symbol), fold.traded_qty)
    _add_all(cash, exchanged)
    for amounts in income.values():
        _add_all(cash, amounts)
    for currency, amount in fees.items():
        add_to(cash, currency, -amount)
    return Book(
        strategy=strategy,
        positions=positions,
        cash=cash,
        realised=realised,
        fees=dict(fees),
        income={kind: dict(amounts) for kind, amounts in sorted(income.items())},
        exchanged=exchanged,
        flows=flows,
        fills=fills,
    )


def settlement_in(instruments: Mapping[InstrumentId, Instrument], instrument_id: InstrumentId) -> Settlement:
    """Return how trades in an instrument move cash: as for a stock until its definition comes."""
    instrument = instruments.get(instrument_id)
    return settlement_of(instrument.contract.security_type) if instrument else Settlement.PAID


def _add_all(amounts: Amounts, more: Amounts) -> None:
    for currency, amount in more.items():
        add_to(amounts, currency, amount)
