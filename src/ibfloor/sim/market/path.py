"""From one minute's frame to its ticks: the same ticks for the same seed, instrument and minute.

Quotes visit open, high, low and close of bid and ask; prints visit those of the trade bar, trade
at the touch in between, and their sizes add up to the bar's volume. The extremes come at random
times, the low first in a rising minute. Between them the path is a noisy line held in the range.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from ibfloor.model.instrument import Instrument, SecurityType
from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.sim.exchange.values import BookTop, MarketTick, TapePrint
from ibfloor.sim.market.frames import (
    ASK,
    ASK_QTY,
    BID,
    BID_QTY,
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    PRINTS,
    QUOTES,
    TRADE,
    VOLUME,
    Floats,
    Ints,
)

_LOTS = {SecurityType.STOCK: 100, SecurityType.FOREX: 100_000}
_ROUGHNESS = 0.35  # of a minute's range: how far the path strays from the line between its extremes


class _Scale(dict[int, Decimal]):
    """Ticks to exact prices, remembered: a Decimal multiplication for every tick would be dear."""

    def __init__(self, unit: Decimal) -> None:
        super().__init__()
        self._unit = unit

    def __missing__(self, ticks: int) -> Decimal:
        exact = self[ticks] = ticks * self._unit
        return exact


class TickPath:
    """Makes an instrument's ticks; the numbers depend on seed, instrument and minute alone."""

    def __init__(self, instrument: Instrument, seed: int, tick_px: Decimal | None = None) -> None:
        self._instrument_id = instrument.instrument_id
        self._seed = seed
        self._px = _Scale(instrument.min_tick if tick_px is None else tick_px)
        self._is_index = instrument.contract.security_type is SecurityType.INDEX
        self._qty = _Scale(Decimal(1))
        self._lot = _LOTS.get(instrument.contract.security_type, 1)

    def ticks(self, minute_ns: int, row: Ints) -> list[MarketTick]:
        """Return the ticks of one minute, in time order."""
        cells: list[int] = row.tolist()
        quotes = cells[QUOTES]
        if not quotes:
            return [self._nothing(minute_ns)]
        rng = np.random.Generator(np.random.PCG64([self._seed, int(self._instrument_id), minute_ns // NS_PER_MINUTE]))
        early, late = np.sort(rng.uniform(0.08, 0.92, 2)).tolist()
        at = np.sort(rng.random(quotes))
        noise = _bridge(rng, at)
        bid = _visit(at, noise, cells[BID], early, late)
        if cells[ASK][OPEN] > cells[BID][OPEN]:
            ask = np.maximum(_visit(at, noise, cells[ASK], early, late), bid + 1)
        else:
            ask = bid + (cells[ASK][OPEN] - cells[BID][OPEN])  # locked or crossed on purpose
        sizes = rng.uniform(0.5, 1.5, (2, quotes))
        bid_qty = _lots(cells[BID_QTY] * sizes[0], self._lot)
        ask_qty = _lots(cells[ASK_QTY] * sizes[1], self._lot)
        traded_at, traded_px, traded_qty = _prints(rng, cells, at, bid, ask, early, late)
        times: Floats = np.concatenate((at, traded_at))
        order = np.argsort(times, kind="stable").tolist()
        stamps = (minute_ns + (times * NS_PER_MINUTE).astype(np.int64)).tolist()
        px, qty = bid.tolist() + traded_px, bid_qty.tolist() + traded_qty
        if self._is_index:
            order = [n for n in order if n >= quotes]
        return self._values(order, stamps, px, qty, ask.tolist(), ask_qty.tolist())

    def _nothing(self, minute_ns: int) -> BookTop:
        # a halt takes both sides away
        return BookTop(
            instrument_id=self._instrument_id,
            ts_ns=minute_ns,
            bid_px=None,
            bid_qty=Decimal(0),
            ask_px=None,
            ask_qty=Decimal(0),
        )

    def _values(
        self, order: list[int], stamps: list[int], px: list[int], qty: list[int], ask: list[int], ask_qty: list[int]
    ) -> list[MarketTick]:
        # bids stand before prints in px and qty: an index beyond the asks is a print
        instrument_id, exact_px, exact_qty, quotes = self._instrument_id, self._px, self._qty, len(ask)
        return [
            BookTop(
                instrument_id=instrument_id,
                ts_ns=stamps[n],
                bid_px=exact_px[px[n]],
                bid_qty=exact_qty[qty[n]],
                ask_px=exact_px[ask[n]],
                ask_qty=exact_qty[ask_qty[n]],
            )
            if n < quotes
            else TapePrint(instrument_id=instrument_id, ts_ns=stamps[n], px=exact_px[px[n]], qty=exact_qty[qty[n]])
            for n in order
        ]


def _bridge(rng: np.random.Generator, at: Floats) -> Floats:
    walk = np.cumsum(rng.standard_normal(len(at))) / np.sqrt(len(at))
    bridge: Floats = walk - at * walk[-1]
    return bridge


def _visit(at: Floats, noise: Floats, ohlc: list[int], early: float, late: float) -> Ints:
    # whole ticks at times ``at`` that visit open, both extremes and close, within the range
    first, second = (LOW, HIGH) if ohlc[CLOSE] >= ohlc[OPEN] else (HIGH, LOW)
    line = np.interp(at, (0.0, early, late, 1.0), (ohlc[OPEN], ohlc[first], ohlc[second], ohlc[CLOSE]))
    line += noise * ((ohlc[HIGH] - ohlc[LOW]) * _ROUGHNESS)
    ticks = np.rint(np.clip(line, ohlc[LOW], ohlc[HIGH])).astype(np.int64)
    count = len(ticks)
    index = min(max(int(np.searchsorted(at, early)), 1), count - 3)
    ticks[index] = ohlc[first]
    ticks[min(max(int(np.searchsorted(at, late)), index + 1), count - 2)] = ohlc[second]
    ticks[0], ticks[-1] = ohlc[OPEN], ohlc[CLOSE]
    return ticks


def _prints(
    rng: np.random.Generator, cells: list[int], quoted_at: Floats, bid: Ints, ask: Ints, early: float, late: float
) -> tuple[Floats, list[int], list[int]]:
    count, volume, ohlc = cells[PRINTS], cells[VOLUME], cells[TRADE]
    if not count:
        return np.zeros(0), [], []
    at = np.sort(rng.random(count))
    quote = np.maximum(np.searchsorted(quoted_at, at, side="right") - 1, 0)
    px = np.where(rng.random(count) < 0.5, bid[quote], ask[quote])
    px = np.clip(px, ohlc[LOW], ohlc[HIGH])
    _visit_extremes(px, at, ohlc, early, late)
    px[0], px[-1] = ohlc[OPEN], ohlc[CLOSE]
    weights = rng.standard_exponential(count)
    qty = 1 + (weights * ((volume - count) / weights.sum())).astype(np.int64)
    qty[int(np.argmax(weights))] += volume - int(qty.sum())
    return at, px.tolist(), qty.tolist()


def _visit_extremes(px: Ints, at: Floats, ohlc: list[int], early: float, late: float) -> None:
    ends = ohlc[OPEN], ohlc[CLOSE]
    wanted = [n for n in ((LOW, HIGH) if ends[1] >= ends[0] else (HIGH, LOW)) if ohlc[n] not in ends]
    floor = 1
    for n, when in zip(wanted, (early, late), strict=False):
        spare = len(px) - 1 - len(wanted) + wanted.index(n)
        index = min(max(int(np.searchsorted(at, when)), floor), spare)
        px[index], floor = ohlc[n], index + 1


def _lots(qty: Floats, lot: int) -> Ints:
    unit = lot if qty.mean() >= lot else 1
    lots: Ints = np.maximum(np.rint(qty / unit), 1).astype(np.int64) * unit
    return lots
