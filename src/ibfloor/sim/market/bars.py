"""Bars from minutes and ticks: columns of whole ticks in, exact bars out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from enum import StrEnum

import msgspec
import numpy as np

from ibfloor.model.moment import NS_PER_S
from ibfloor.sim.exchange.values import BookTop, MarketTick
from ibfloor.sim.market.frames import (
    ASK,
    BID,
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    PRINTS,
    QUOTES,
    TRADE,
    VOLUME,
    DayBar,
    DayFrames,
    Ints,
)

NS_PER_DAY = 86_400 * NS_PER_S
_VWAP_GRID = Decimal("0.000001")
_SHARES_PER_PRINT = 100  # daily bars come without a count of prints
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


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


class BarKind(StrEnum):
    """What a bar is made of, in IB's words; a midpoint is counted in half ticks."""

    TRADES = "TRADES"
    MIDPOINT = "MIDPOINT"
    BID = "BID"
    ASK = "ASK"

    @property
    def per_tick(self) -> int:
        """Return how many units of this kind's columns make a tick."""
        return 2 if self is BarKind.MIDPOINT else 1


class Columns(msgspec.Struct, frozen=True):
    """Rows in time order: start, open, high, low, close (in units of the kind), volume, count."""

    ts_ns: Ints
    ohlc: Ints
    volume: Ints
    count: Ints

    def between(self, begin_ns: int, end_ns: int) -> Columns:
        """Return the rows that start in ``[begin_ns, end_ns)``."""
        first, last = np.searchsorted(self.ts_ns, np.array((begin_ns, end_ns), dtype=np.int64)).tolist()
        return self._rows(slice(first, last))

    def _rows(self, which: slice) -> Columns:
        return Columns(self.ts_ns[which], self.ohlc[which], self.volume[which], self.count[which])


def of_frames(frames: DayFrames, kind: BarKind) -> Columns:
    """Return a day's minutes as rows; of trades, those that had any."""
    rows, minute_ns = frames.rows, frames.minute_ns
    if kind is BarKind.TRADES:
        traded = rows[:, VOLUME] > 0
        rows, minute_ns = rows[traded], minute_ns[traded]
        return Columns(minute_ns, rows[:, TRADE], rows[:, VOLUME], rows[:, PRINTS])
    if not rows[:, QUOTES].all():  # minutes of a halt have no quotes
        quoted = rows[:, QUOTES] > 0
        rows, minute_ns = rows[quoted], minute_ns[quoted]
    nothing = np.zeros(len(rows), dtype=np.int64)
    if kind is BarKind.MIDPOINT:
        return Columns(minute_ns, rows[:, BID] + rows[:, ASK], nothing, nothing)
    ohlc = rows[:, BID if kind is BarKind.BID else ASK]
    return Columns(minute_ns, ohlc, nothing, nothing)


def of_ticks(ticks: Iterable[MarketTick], kind: BarKind, tick_px: Decimal) -> Columns:
    """Return a row for each tick that counts for a kind."""
    px: list[tuple[int, Decimal, Decimal]] = []
    for tick in ticks:
        if isinstance(tick, BookTop):
            if kind is not BarKind.TRADES and tick.bid_px is not None and tick.ask_px is not None:
                sums = {BarKind.BID: tick.bid_px, BarKind.ASK: tick.ask_px, BarKind.MIDPOINT: tick.bid_px + tick.ask_px}
                px.append((tick.ts_ns, sums[kind], Decimal(0)))
        elif kind is BarKind.TRADES:
            px.append((tick.ts_ns, tick.px, tick.qty))
    ts_ns = np.array([row[0] for row in px], dtype=np.int64)
    whole = np.array([int(row[1] / tick_px) for row in px], dtype=np.int64)
    volume = np.array([int(row[2]) for row in px], dtype=np.int64)
    return Columns(ts_ns, np.repeat(whole[:, None], 4, axis=1), volume, np.full(len(px), int(kind is BarKind.TRADES)))


def joined(parts: list[Columns]) -> Columns:
    """Return the rows of several tables, one after the other."""
    if not parts:
        empty = np.zeros(0, dtype=np.int64)
        return Columns(empty, np.zeros((0, 4), dtype=np.int64), empty, empty)
    return Columns(
        np.concatenate([part.ts_ns for part in parts]),
        np.concatenate([part.ohlc for part in parts]),
        np.concatenate([part.volume for part in parts]),
        np.concatenate([part.count for part in parts]),
    )


def gathered(columns: Columns, bar_ns: int) -> Columns:
    """Return one row for each bar that has rows; starts are whole multiples of ``bar_ns``."""
    if not len(columns.ts_ns) or bar_ns <= 1:
        return columns
    bucket = columns.ts_ns // bar_ns * bar_ns
    first = np.flatnonzero(np.append(True, bucket[1:] != bucket[:-1]))
    last = np.append(first[1:], len(bucket)) - 1
    ohlc = np.stack(
        (
            columns.ohlc[first, OPEN],
            np.maximum.reduceat(columns.ohlc[:, HIGH], first),
            np.minimum.reduceat(columns.ohlc[:, LOW], first),
            columns.ohlc[last, CLOSE],
        ),
        axis=1,
    )
    volume, count = (np.add.reduceat(column, first) for column in (columns.volume, columns.count))
    return Columns(bucket[first], ohlc, volume, count)


def whole_session(day: date, columns: Columns) -> DayBar | None:
    """Return a day's one bar; ``None`` for a day without rows."""
    if not len(columns.ts_ns):
        return None
    ohlc = columns.ohlc
    return DayBar(
        day,
        int(ohlc[0, OPEN]),
        int(ohlc[:, HIGH].max()),
        int(ohlc[:, LOW].min()),
        int(ohlc[-1, CLOSE]),
        int(columns.volume.sum()),
    )


def sim_bars(columns: Columns, unit_px: Decimal) -> list[SimBar]:
    """Return exact bars; the average price is the middle of high, low and close."""
    return [
        _bar(ts_ns, (o * unit_px, h * unit_px, low * unit_px, c * unit_px), volume, count)
        for ts_ns, (o, h, low, c), volume, count in zip(
            columns.ts_ns.tolist(), columns.ohlc.tolist(), columns.volume.tolist(), columns.count.tolist(), strict=True
        )
    ]


def sim_day_bar(bar: DayBar, unit_px: Decimal) -> SimBar:
    """Return a session as a bar that starts at midnight UTC of its day."""
    start_ns = (bar.day.toordinal() - _EPOCH_ORDINAL) * NS_PER_DAY
    ohlc = (bar.open_px * unit_px, bar.high_px * unit_px, bar.low_px * unit_px, bar.close_px * unit_px)
    return _bar(start_ns, ohlc, bar.volume, bar.volume // _SHARES_PER_PRINT)


def _bar(ts_ns: int, ohlc: tuple[Decimal, Decimal, Decimal, Decimal], volume: int, count: int) -> SimBar:
    middle = (sum(ohlc[1:], Decimal(0)) / 3).quantize(_VWAP_GRID)
    return SimBar(ts_ns, *ohlc, volume=Decimal(volume), trade_count=count, vwap=middle)
