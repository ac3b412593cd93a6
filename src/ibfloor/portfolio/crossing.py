"""Crosses as bookings: two books trade with each other at the middle of a quote. Pure; nothing is journaled here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from ibfloor.model.entry import BookEntry, CashLeg, CrossedQuote, EntryKind, Leg, PositionLeg
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.money import Money
from ibfloor.portfolio.position import Settlement, settlement_of

ACTOR = "crossing"


class Crossed(msgspec.Struct, frozen=True, kw_only=True):
    """A cross as it is reported: who traded what with whom, and what the spread would have cost both."""

    entry_id: str
    ts_ns: int
    symbol: str
    qty: Decimal
    px: Decimal
    buyer: StrategyId
    seller: StrategyId
    bid_px: Decimal
    ask_px: Decimal
    quote_ns: int
    source: str
    saved: Money
    """Half the spread of each side. What the broker would have charged is not in it: nobody knows it."""


def can_cross(instrument: Instrument) -> bool:
    """Tell whether a price is all that a trade in it moves: no combinations, no futures, no currency pairs."""
    return not instrument.legs and settlement_of(instrument.contract.security_type) is Settlement.PAID


def cross(
    instrument: Instrument,
    qty: Decimal,
    quote: CrossedQuote,
    *,
    buyer: StrategyId,
    seller: StrategyId,
    entry_id: str,
    now_ns: int,
) -> BookEntry:
    """Return the one entry that books both sides, at the middle of the quote."""
    px = quote.mid_px
    legs: list[Leg] = []
    for strategy, signed in ((buyer, qty), (seller, -qty)):
        cash = Money(-signed * px * instrument.multiplier, instrument.currency)
        legs.append(
            PositionLeg(
                strategy=strategy,
                instrument_id=instrument.instrument_id,
                qty=signed,
                px=px,
                currency=instrument.currency,
                multiplier=instrument.multiplier,
            )
        )
        legs.append(CashLeg(strategy=strategy, amount=cash, instrument_id=instrument.instrument_id))
    return BookEntry(
        ts_event_ns=now_ns,
        ts_init_ns=now_ns,
        entry_id=entry_id,
        kind=EntryKind.CROSS,
        legs=tuple(legs),
        reason=f"{buyer} bought {qty:f} {instrument.contract} of {seller} at {px:f}, within "
        f"{quote.bid_px:f} and {quote.ask_px:f}",
        actor=ACTOR,
        quote=quote,
    )


def crossings(entries: Iterable[BookEntry], instruments: Mapping[InstrumentId, Instrument]) -> list[Crossed]:
    """Return every cross with what it saved, oldest first; those that were undone are left out."""
    found = list(entries)
    undone = {entry.reverses for entry in found if entry.reverses}
    made = (_crossed(entry, instruments) for entry in found if entry.entry_id not in undone and not entry.reverses)
    return [each for each in made if each is not None]


def _crossed(entry: BookEntry, instruments: Mapping[InstrumentId, Instrument]) -> Crossed | None:
    quote = entry.quote
    if entry.kind is not EntryKind.CROSS or quote is None:
        return None
    legs = [leg for leg in entry.legs if isinstance(leg, PositionLeg)]
    bought = next(leg for leg in legs if leg.qty > 0)
    sold = next(leg for leg in legs if leg.qty < 0)
    known = instruments.get(bought.instrument_id)
    spread = quote.ask_px - quote.bid_px
    return Crossed(
        entry_id=entry.entry_id,
        ts_ns=entry.ts_event_ns,
        symbol=str(bought.instrument_id) if known is None else str(known.contract),
        qty=bought.qty,
        px=bought.px,
        buyer=bought.strategy,
        seller=sold.strategy,
        bid_px=quote.bid_px,
        ask_px=quote.ask_px,
        quote_ns=quote.ts_event_ns,
        source=quote.source,
        saved=Money(spread * bought.qty * bought.multiplier, bought.currency),
    )
