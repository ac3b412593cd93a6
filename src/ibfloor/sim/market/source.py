"""What the simulated gateway asks of a market, whoever makes it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Protocol

import msgspec

from ibfloor.model.ids import InstrumentId
from ibfloor.sim.exchange.values import BookTop, MarketTick, TapePrint
from ibfloor.sim.market.bars import BarKind, SimBar
from ibfloor.sim.market.securities import SecurityMaster


class DayFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The running day of one instrument; ``None`` before the first print."""

    open_px: Decimal | None
    high_px: Decimal | None
    low_px: Decimal | None
    prev_close_px: Decimal | None
    """The close of the regular session before."""
    volume: Decimal


class Market(Protocol):
    """A market that moves when asked to; one owner, no threads, no clock."""

    @property
    def master(self) -> SecurityMaster:
        """The securities it knows."""

    @property
    def next_tick_ns(self) -> int | None:
        """The time of the next tick; ``None`` when the market is over."""

    def ticks(self, until_ns: int) -> Iterator[MarketTick]:
        """Yield the ticks up to and including a time, in time order over all instruments.

        Goes on where the last call stopped, also when that iterator was not exhausted. The ticks
        do not depend on how time is sliced.
        """

    def make_ahead(self) -> bool:
        """Make something that will be streamed later; ``False`` when there is nothing to make.

        For idle moments: what is streamed does not depend on it.
        """

    def top(self, instrument_id: InstrumentId) -> BookTop | None:
        """Return the newest quote; ``None`` before the first."""

    def last_print(self, instrument_id: InstrumentId) -> TapePrint | None:
        """Return the newest print; ``None`` before the first."""

    def day(self, instrument_id: InstrumentId) -> DayFigures:
        """Return the figures of the current trading day."""

    def history(
        self,
        instrument_id: InstrumentId,
        *,
        end_ns: int,
        duration_ns: int,
        bar_ns: int,
        rth_only: bool,
        kind: BarKind = BarKind.TRADES,
    ) -> list[SimBar]:
        """Return the bars of the time before ``end_ns``, oldest first; minutes without trades have none.

        As at IB, a duration of whole days counts sessions (the running one included), any other
        counts trading time, over the closed hours back into the sessions before. Nothing after the
        last streamed tick is told; the last bar may still be growing. Daily bars (``bar_ns`` of a
        day or more) are regular sessions that start at midnight UTC of their trading day. Currency
        pairs have no trades: their bars are midpoints then.
        """

    def past_ticks(self, instrument_id: InstrumentId, begin_ns: int, end_ns: int) -> Iterator[MarketTick]:
        """Yield the quotes and prints from a time on and before another, in time order.

        Nothing after the last streamed tick is told.
        """
