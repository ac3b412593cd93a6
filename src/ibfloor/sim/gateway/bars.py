"""Five-second bars built from ticks, for real-time bar subscriptions."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from ibfloor.model.ids import InstrumentId
from ibfloor.model.moment import NS_PER_S
from ibfloor.sim.exchange.values import BookTop, MarketTick, TapePrint
from ibfloor.sim.market.bars import BarKind, SimBar

BAR_NS = 5 * NS_PER_S
ZERO = Decimal(0)


class RealTimeBars:
    """Builds the bars that are watched. A bar without a tick repeats the last price."""

    def __init__(self) -> None:
        self._growing: dict[tuple[InstrumentId, BarKind], _Growing] = {}
        self._closed: list[tuple[InstrumentId, BarKind, SimBar]] = []

    def watch(
        self, instrument_id: InstrumentId, kind: BarKind, last: TapePrint | None, top: BookTop | None, now_ns: int
    ) -> None:
        """Start building a kind of bar at a time, from the price that stands then."""
        if (instrument_id, kind) in self._growing:
            return
        before = [px for tick in (last, top) if tick is not None and (px := _price(kind, tick)) is not None]
        self._growing[instrument_id, kind] = _Growing(now_ns - now_ns % BAR_NS, before[-1] if before else None)

    def on_tick(self, tick: MarketTick) -> None:
        """Let a tick into the bars of its instrument."""
        for kind in BarKind:
            growing = self._growing.get((tick.instrument_id, kind))
            if growing is None:
                continue
            px = _price(kind, tick)
            if px is not None:
                self._close(tick.instrument_id, kind, growing, tick.ts_ns)
                growing.add(px, tick.qty if isinstance(tick, TapePrint) else ZERO)

    def closed(self, now_ns: int) -> Iterator[tuple[InstrumentId, BarKind, SimBar]]:
        """Yield the bars that are complete at a time and were not yielded before."""
        for (instrument_id, kind), growing in self._growing.items():
            self._close(instrument_id, kind, growing, now_ns)
        closed, self._closed = self._closed, []
        yield from closed

    def _close(self, instrument_id: InstrumentId, kind: BarKind, growing: _Growing, now_ns: int) -> None:
        while now_ns >= growing.start_ns + BAR_NS:
            bar = growing.finish()
            if bar is not None:
                self._closed.append((instrument_id, kind, bar))


class _Growing:
    def __init__(self, start_ns: int, last_px: Decimal | None) -> None:
        self.start_ns = start_ns
        self._last_px = last_px
        self._prices: list[Decimal] = []
        self._volume = self._value = ZERO

    def add(self, px: Decimal, qty: Decimal) -> None:
        self._prices.append(px)
        self._volume += qty
        self._value += px * qty

    def finish(self) -> SimBar | None:
        prices = self._prices or ([] if self._last_px is None else [self._last_px])
        start_ns, self.start_ns = self.start_ns, self.start_ns + BAR_NS
        if not prices:
            return None
        bar = SimBar(
            ts_ns=start_ns,
            open_px=prices[0],
            high_px=max(prices),
            low_px=min(prices),
            close_px=prices[-1],
            volume=self._volume,
            trade_count=len(self._prices) if self._volume else 0,
            vwap=(self._value / self._volume).quantize(Decimal("0.0001")) if self._volume else prices[-1],
        )
        self._last_px, self._prices = prices[-1], []
        self._volume = self._value = ZERO
        return bar


def _price(kind: BarKind, tick: MarketTick) -> Decimal | None:
    if isinstance(tick, TapePrint):
        return tick.px if kind is BarKind.TRADES else None
    match kind:
        case BarKind.BID:
            return tick.bid_px
        case BarKind.ASK:
            return tick.ask_px
        case BarKind.MIDPOINT if tick.bid_px is not None and tick.ask_px is not None:
            return (tick.bid_px + tick.ask_px) / 2
        case _:
            return None
