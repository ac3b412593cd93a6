"""A trading day of one instrument as minutes: the common form of generated and replayed tapes.

Prices are whole ticks of the instrument, so that every later step is exact.
"""

from __future__ import annotations

from datetime import date

import msgspec
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BID, ASK, TRADE = slice(0, 4), slice(4, 8), slice(8, 12)
"""Columns of open, high, low, close."""
BID_QTY, ASK_QTY, VOLUME, PRINTS, QUOTES = 12, 13, 14, 15, 16
COLUMNS = 17
OPEN, HIGH, LOW, CLOSE = 0, 1, 2, 3

MIN_QUOTES = 4
"""Enough quotes in a minute to visit open, high, low and close."""


class DayFrames(msgspec.Struct, frozen=True):
    """The minutes of one trading day; ``rows`` has ``COLUMNS`` columns, one row for each ``minute_ns``."""

    day: date
    minute_ns: Ints
    rows: Ints


class DayBar(msgspec.Struct, frozen=True):
    """A whole regular session, prices in ticks."""

    day: date
    open_px: int
    high_px: int
    low_px: int
    close_px: int
    volume: int


def seal(day: date, minute_ns: Ints, rows: Ints) -> DayFrames:
    """Return frames whose every minute can be played: bid below ask, enough quotes and prints."""
    rows[:, ASK] = np.maximum(rows[:, ASK], rows[:, BID] + 1)
    rows[:, [BID_QTY, ASK_QTY]] = np.maximum(rows[:, [BID_QTY, ASK_QTY]], 1)
    rows[:, QUOTES] = np.maximum(rows[:, QUOTES], MIN_QUOTES)
    trades, traded = rows[:, TRADE], rows[:, VOLUME] > 0
    ends_high = np.maximum(trades[:, OPEN], trades[:, CLOSE])
    ends_low = np.minimum(trades[:, OPEN], trades[:, CLOSE])
    extremes = (trades[:, HIGH] > ends_high).astype(np.int64) + (trades[:, LOW] < ends_low)
    is_point = (extremes == 0) & (trades[:, OPEN] == trades[:, CLOSE])
    needed = np.where(is_point, 1, 2 + extremes)
    prints = np.maximum(np.minimum(rows[:, PRINTS], rows[:, VOLUME]), needed)
    rows[:, PRINTS] = np.where(traded, prints, 0)
    rows[:, VOLUME] = np.where(traded, np.maximum(rows[:, VOLUME], prints), 0)
    return DayFrames(day, minute_ns, rows)
