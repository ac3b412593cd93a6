"""From recorded ticks, quotes or bars of any spacing to minutes, the form in which tapes are kept.

The ticks of a bar are made of its minute again: they visit the same open, high, low and close and
add up to the same volume. Recorded ticks are played as they are (``exact``), beside their minutes.
"""

from __future__ import annotations

import msgspec
import numpy as np

from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.sim.market.files import Minutes, carried
from ibfloor.sim.market.frames import ASK, ASK_QTY, BID, BID_QTY, COLUMNS, TRADE, VOLUME, Floats, Ints


class Series(msgspec.Struct, frozen=True):
    """Prices in time order, each with a size."""

    ts_ns: Ints
    px: Floats
    qty: Floats

    @property
    def is_empty(self) -> bool:
        """Tell whether there is none."""
        return not len(self.ts_ns)


class BarSeries(msgspec.Struct, frozen=True):
    """Bars of a minute or less in time order: start, open, high, low, close (rows x 4), volume."""

    ts_ns: Ints
    ohlc: Floats
    volume: Floats


def minutes_of_ticks(bids: Series, asks: Series, trades: Series, tick: float, quote_qty: int) -> Minutes:
    """Return minutes of recorded quotes and trades; without quotes, they stand around the trades."""
    if bids.is_empty or asks.is_empty:
        return _around(*_ohlc(trades, tick), quote_qty)
    parts = [(BID, _ohlc(bids, tick)), (ASK, _ohlc(asks, tick)), (TRADE, _ohlc(trades, tick))]
    minute_ns = np.unique(np.concatenate([minutes for _, (minutes, _, _) in parts]))
    rows = np.zeros((len(minute_ns), COLUMNS), dtype=np.int64)
    for where, (minutes, ohlc, qty) in parts:
        at = np.searchsorted(minute_ns, minutes)
        rows[at, where] = ohlc
        if where is TRADE:
            rows[at, VOLUME] = np.maximum(qty, 1)
    for column, series in ((BID_QTY, bids), (ASK_QTY, asks)):
        which = np.searchsorted(minute_ns, _minute(series.ts_ns))
        at, counts = np.unique(which, return_counts=True)
        sums = np.bincount(which, series.qty, len(minute_ns))
        rows[at, column] = np.rint(sums[at] / counts).astype(np.int64)
    rows[:, [BID_QTY, ASK_QTY]] = np.where(rows[:, [BID_QTY, ASK_QTY]] > 0, rows[:, [BID_QTY, ASK_QTY]], quote_qty)
    _complete_lead(rows)
    return carried(minute_ns, rows)


def _complete_lead(rows: Ints) -> None:
    # before both sides were quoted once: the missing one stands beside the trades, or the other
    is_quoted = (rows[:, BID] > 0).all(axis=1) & (rows[:, ASK] > 0).all(axis=1)
    lead = rows[: int(np.argmax(is_quoted)) if is_quoted.any() else len(rows)]
    beside = np.where(lead[:, TRADE] > 0, lead[:, TRADE], lead[:, ASK] - 1)
    lead[:, BID] = np.where(lead[:, BID] > 0, lead[:, BID], np.maximum(beside, 1))
    lead[:, ASK] = np.where(lead[:, ASK] > 0, lead[:, ASK], lead[:, BID] + 1)


def minutes_of_bars(bars: BarSeries, tick: float, quote_qty: int) -> Minutes:
    """Return minutes of recorded bars, with quotes one tick wide around them."""
    minute = _minute(bars.ts_ns)
    first = np.flatnonzero(np.append(True, minute[1:] != minute[:-1]))[: len(minute)]
    last = np.append(first[1:], len(minute)) - 1
    if not len(minute):
        return minute, np.zeros((0, COLUMNS), dtype=np.int64)
    px = np.rint(bars.ohlc / tick).astype(np.int64)
    high, low = np.maximum.reduceat(px[:, 1], first), np.minimum.reduceat(px[:, 2], first)
    ohlc = np.stack((px[first, 0], high, low, px[last, 3]), axis=1)
    return _around(minute[first], ohlc, np.add.reduceat(bars.volume, first).astype(np.int64), quote_qty)


def _around(minute_ns: Ints, trades: Ints, volume: Ints, quote_qty: int) -> Minutes:
    rows = np.zeros((len(minute_ns), COLUMNS), dtype=np.int64)
    if len(minute_ns):
        # trades at the ask when they rise
        rows[:, BID] = np.maximum(trades - (trades[:, 3] >= trades[:, 0])[:, None], 1)
        rows[:, ASK] = rows[:, BID] + 1
        rows[:, TRADE], rows[:, VOLUME] = trades, volume
        rows[:, [BID_QTY, ASK_QTY]] = quote_qty
    return minute_ns, rows


def _ohlc(series: Series, tick: float) -> tuple[Ints, Ints, Ints]:
    minute = _minute(series.ts_ns)
    if not len(minute):
        return minute, np.zeros((0, 4), dtype=np.int64), minute
    px = np.rint(series.px / tick).astype(np.int64)
    first = np.flatnonzero(np.append(True, minute[1:] != minute[:-1]))
    last = np.append(first[1:], len(minute)) - 1
    ohlc = np.stack((px[first], np.maximum.reduceat(px, first), np.minimum.reduceat(px, first), px[last]), axis=1)
    return minute[first], ohlc, np.rint(np.add.reduceat(series.qty, first)).astype(np.int64)


def _minute(ts_ns: Ints) -> Ints:
    return ts_ns // NS_PER_MINUTE * NS_PER_MINUTE
