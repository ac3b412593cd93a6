"""What the simulated gateway asks of a market, whoever makes it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Protocol

import msgspec

from ibfloor.model.ids import InstrumentId
from ibfloor.sim.exchange.values import BookTop, MarketTick, TapePrint
from ibfloor.sim.market.securities import SecurityMaster


class SimBar(msgspec.Struct, frozen=True, gc=False):
    """A bar of the tape: ``ts_ns`` is its start; prices exact, volume in shares or contracts."""

    ts_ns: int
    open_px: Decimal
    high_px: Decimal
    low_px: Decimal
    close_px: Decimal
    volume: Decimal
    trade_count: int
    vwap: Decimal


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

    def top(self, instrument_id: InstrumentId) -> BookTop | None:
        """Return the newest quote; ``None`` before the first."""

    def last_print(self, instrument_id: InstrumentId) -> TapePrint | None:
        """Return the newest print; ``None`` before the first."""

    def day(self, instrument_id: InstrumentId) -> DayFigures:
        """Return the figures of the current trading day."""

    def history(
        self, instrument_id: InstrumentId, *, end_ns: int, duration_ns: int, bar_ns: int, rth_only: bool
    ) -> list[SimBar]:
        """Return the bars that start in ``[end_ns - duration_ns, end_ns)``, oldest first.

        Nothing after the last streamed tick is told; the last bar may still be growing. Daily bars
        (``bar_ns`` of a day) start at midnight UTC of their trading day.
        """
