"""A market whose every tick is written by hand: for tests that need to know what happens next."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from ibfloor.model.ids import InstrumentId
from ibfloor.model.moment import NS_PER_S
from ibfloor.sim.exchange.values import BookTop, MarketTick, TapePrint
from ibfloor.sim.market.bars import BarKind, SimBar
from ibfloor.sim.market.securities import SecurityMaster, default_master
from ibfloor.sim.market.source import DayFigures

ZERO = Decimal(0)


class ScriptedMarket:
    """Ticks in the order they were written; silent otherwise. Owner: the gateway's one thread.

    ``quote`` and ``trade`` write a tick at a market time; ``give_history`` sets bars told as history.
    """

    def __init__(self, master: SecurityMaster | None = None) -> None:
        self.master = default_master() if master is None else master
        self._coming: list[MarketTick] = []
        self._played: list[MarketTick] = []
        self._tops: dict[InstrumentId, BookTop] = {}
        self._prints: dict[InstrumentId, TapePrint] = {}
        self._days: dict[InstrumentId, DayFigures] = {}
        self._history: dict[InstrumentId, list[SimBar]] = {}

    def quote(self, symbol: str, bid: str, ask: str, at_ns: int, *, bid_qty: int = 1000, ask_qty: int = 1000) -> None:
        """Write a quote."""
        self._coming.append(
            BookTop(
                instrument_id=self._id(symbol),
                ts_ns=at_ns,
                bid_px=Decimal(bid),
                bid_qty=Decimal(bid_qty),
                ask_px=Decimal(ask),
                ask_qty=Decimal(ask_qty),
            )
        )
        self._coming.sort(key=lambda tick: tick.ts_ns)

    def trade(self, symbol: str, px: str, qty: int, at_ns: int) -> None:
        """Write a print."""
        self._coming.append(TapePrint(instrument_id=self._id(symbol), ts_ns=at_ns, px=Decimal(px), qty=Decimal(qty)))
        self._coming.sort(key=lambda tick: tick.ts_ns)

    def give_history(self, symbol: str, start_ns: int, bar_ns: int, closes: list[str]) -> None:
        """Set the bars of an instrument: flat ones, one after another, 100 shares each."""
        self._history[self._id(symbol)] = [
            SimBar(
                ts_ns=start_ns + n * bar_ns,
                open_px=Decimal(px),
                high_px=Decimal(px),
                low_px=Decimal(px),
                close_px=Decimal(px),
                volume=Decimal(100),
                trade_count=1,
                vwap=Decimal(px),
            )
            for n, px in enumerate(closes)
        ]

    def set_previous_close(self, symbol: str, px: str) -> None:
        """Set the close of the session before."""
        key = self._id(symbol)
        self._days[key] = msgspec.structs.replace(self.day(key), prev_close_px=Decimal(px))

    @property
    def next_tick_ns(self) -> int | None:
        """Return the time of the next written tick; ``None`` when there is none."""
        return self._coming[0].ts_ns if self._coming else None

    def ticks(self, until_ns: int) -> Iterator[MarketTick]:
        """Yield what was written up to a time."""
        while self._coming and self._coming[0].ts_ns <= until_ns:
            tick = self._coming.pop(0)
            self._played.append(tick)
            if isinstance(tick, BookTop):
                self._tops[tick.instrument_id] = tick
            else:
                self._prints[tick.instrument_id] = tick
                self._count(tick)
            yield tick

    def make_ahead(self) -> bool:
        """Make nothing: every tick is written by hand."""
        return False

    def top(self, instrument_id: InstrumentId) -> BookTop | None:
        """Return the newest quote."""
        return self._tops.get(instrument_id)

    def last_print(self, instrument_id: InstrumentId) -> TapePrint | None:
        """Return the newest print."""
        return self._prints.get(instrument_id)

    def day(self, instrument_id: InstrumentId) -> DayFigures:
        """Return the figures of all prints so far."""
        empty = DayFigures(open_px=None, high_px=None, low_px=None, prev_close_px=None, volume=ZERO)
        return self._days.get(instrument_id, empty)

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
        """Return the given bars that start in the span, the same for every kind; their size is as given."""
        assert bar_ns >= NS_PER_S, "bars are at least a second long"
        return [bar for bar in self._history.get(instrument_id, ()) if end_ns - duration_ns <= bar.ts_ns < end_ns]

    def past_ticks(self, instrument_id: InstrumentId, begin_ns: int, end_ns: int) -> Iterator[MarketTick]:
        """Yield what was played."""
        for tick in self._played:
            if tick.instrument_id == instrument_id and begin_ns <= tick.ts_ns < end_ns:
                yield tick

    def _count(self, tape: TapePrint) -> None:
        day = self.day(tape.instrument_id)
        self._days[tape.instrument_id] = DayFigures(
            open_px=tape.px if day.open_px is None else day.open_px,
            high_px=tape.px if day.high_px is None else max(day.high_px, tape.px),
            low_px=tape.px if day.low_px is None else min(day.low_px, tape.px),
            prev_close_px=day.prev_close_px,
            volume=day.volume + tape.qty,
        )

    def _id(self, symbol: str) -> InstrumentId:
        security = self.master.by_symbol(symbol)
        if security is None:
            raise KeyError(symbol)
        return security.instrument_id
