"""Market data: floats as the wire brings them; ``Instrument.round_price`` leads back to orders.

Values are shared between threads and never changed. ``instrument`` is a reference to the one
object the DataManager resolved, so comparing identities is enough.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Contract, Instrument


class _OfInstrument(msgspec.Struct, frozen=True, gc=False):
    instrument: Instrument
    ts_event_ns: int
    """Market time of the event, or of its arrival where the feed carries none."""

    @property
    def contract(self) -> Contract:
        """Return the contract as the strategy asked for it."""
        return self.instrument.contract

    @property
    def instrument_id(self) -> InstrumentId:
        """Return the key of the instrument."""
        return self.instrument.instrument_id


class Quote(_OfInstrument, frozen=True, gc=False):
    """Best bid and ask; sizes in shares or contracts; ``nan`` where a side is absent."""

    bid_px: float
    ask_px: float
    bid_qty: float
    ask_qty: float

    @property
    def mid_px(self) -> float:
        """Return the middle of bid and ask."""
        return (self.bid_px + self.ask_px) / 2


class Trade(_OfInstrument, frozen=True, gc=False):
    """One print of the tape."""

    last_px: float
    last_qty: float


class Bar(_OfInstrument, frozen=True, gc=False):
    """A closed bar; ``ts_event_ns`` is its start, ``duration_ns`` its length."""

    duration_ns: int
    open_px: float
    high_px: float
    low_px: float
    close_px: float
    volume: float
    trade_count: int = 0
    vwap: float = float("nan")

    @property
    def ts_close_ns(self) -> int:
        """Return the end of the bar."""
        return self.ts_event_ns + self.duration_ns


class Halt(StrEnum):
    """Whether the exchange has stopped an instrument's trading."""

    UNKNOWN = "unknown"
    """Nobody has told, as of contracts that no exchange halts."""
    NONE = "trading"
    GENERAL = "halted"
    VOLATILITY = "paused for its volatility"

    @property
    def is_on(self) -> bool:
        """Tell whether trading is stopped; what nobody knows is not."""
        return self in (Halt.GENERAL, Halt.VOLATILITY)


MarketEvent = Quote | Trade | Bar
MarketBatch = tuple[MarketEvent, ...]
"""What one packet brought, in order; one object for all subscribers."""
