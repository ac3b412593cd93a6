"""What instruments and currencies are worth now, as the account and previews value them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import SecurityType
from ibfloor.model.money import Currency
from ibfloor.sim.account import SimPosition
from ibfloor.sim.account.rates import base_rates
from ibfloor.sim.market.source import Market


def mark_of(market: Market, instrument_id: InstrumentId) -> Decimal | None:
    """Return the middle of the quote, else the last print, else the last close; ``None`` for none of them."""
    top = market.top(instrument_id)
    if top is not None and top.bid_px is not None and top.ask_px is not None:
        return (top.bid_px + top.ask_px) / 2
    last = market.last_print(instrument_id)
    return last.px if last is not None else market.day(instrument_id).prev_close_px


def rates_of(market: Market, base: Currency) -> dict[Currency, Decimal]:
    """Return base currency per unit of every currency that the market's pairs reach."""
    pairs = []
    for security in market.master:
        contract = security.instrument.contract
        if contract.security_type is SecurityType.FOREX:
            px = mark_of(market, security.instrument_id)
            if px is not None:
                pairs.append((Currency(contract.symbol), contract.currency, px))
    return base_rates(base, pairs)


def under_marks(market: Market, positions: Iterable[SimPosition]) -> dict[InstrumentId, Decimal]:
    """Return the prices of the held options' underlyings, by option, where they are known."""
    prices: dict[InstrumentId, Decimal] = {}
    for position in positions:
        option = market.master.by_id(position.instrument.instrument_id)
        if option is None or option.instrument.contract.security_type is not SecurityType.OPTION:
            continue
        under_id = InstrumentId(option.under_con_id)
        px = mark_of(market, under_id) if market.master.by_id(under_id) is not None else None
        if px is not None:
            prices[option.instrument_id] = px
    return prices
