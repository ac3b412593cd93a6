"""Recorded ticks played exactly: the same quotes and trades at the same times of the day, nothing between.

A quote is two rows, bid and ask, of one time; a row of one side alone leaves the other as it stood.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import numpy as np

from ibfloor.data.recorder_feed import KIND_ASK, KIND_BID, KIND_LAST
from ibfloor.model.ids import InstrumentId
from ibfloor.sim.exchange.values import BookTop, MarketTick, TapePrint
from ibfloor.sim.market.frames import Floats, Ints
from ibfloor.sim.market.gathering import Series

_FINER_MAX = 4
_OFF_GRID = 1e-6  # of a tick: what a float may lack


class TickRows(msgspec.Struct, frozen=True):
    """Rows in time order: which side, price, size; of trades also the exchange and the conditions, where known."""

    ts_ns: Ints
    kind: Ints
    px: Floats
    qty: Floats
    marks: Sequence[tuple[str, str]] = ()

    @classmethod
    def of_quotes(cls, ts_ns: Ints, bid: Floats, ask: Floats) -> TickRows:
        """Return the rows of quotes without sizes."""
        kind = np.tile([KIND_BID, KIND_ASK], len(ts_ns))
        px: Floats = np.column_stack((bid, ask)).ravel()
        return cls(np.repeat(ts_ns, 2), kind, px, np.zeros(len(px)))

    @classmethod
    def sound(cls, rows: TickRows, quote_qty: int) -> TickRows:
        """Return the rows that have a price, each with a size: of quotes the usual one, of trades 1 where unknown."""
        there = np.flatnonzero((rows.px > 0) & np.isin(rows.kind, (KIND_BID, KIND_ASK, KIND_LAST)))
        kind, qty = rows.kind[there], rows.qty[there]
        usual = np.where(kind == KIND_LAST, 1.0, float(quote_qty))
        marks = [rows.marks[n] for n in there.tolist()] if rows.marks else ()
        return cls(rows.ts_ns[there], kind, rows.px[there], np.where(qty > 0, qty, usual), marks)


def grid_of(px: Floats, tick: Decimal) -> Decimal:
    """Return the step on which all prices lie: the tick, or a tenth, a hundredth ... of it."""
    for _ in range(_FINER_MAX):
        whole = px / float(tick)
        if np.all(np.abs(whole - np.rint(whole)) < _OFF_GRID * np.maximum(1.0, whole)):
            return tick
        tick /= 10
    return tick


class ExactTicks:
    """One instrument's recorded ticks, by time of the record. Owner: its tape."""

    def __init__(self, instrument_id: InstrumentId, rows: TickRows, grid: Decimal) -> None:
        self._instrument_id = instrument_id
        self._rows = rows
        self._grid = grid
        numbers = np.arange(len(rows.ts_ns))
        self._bid = np.maximum.accumulate(np.where(rows.kind == KIND_BID, numbers, -1))
        self._ask = np.maximum.accumulate(np.where(rows.kind == KIND_ASK, numbers, -1))
        self._opens_pair = np.append(
            (rows.kind[:-1] == KIND_BID) & (rows.kind[1:] == KIND_ASK) & (rows.ts_ns[:-1] == rows.ts_ns[1:]), False
        )

    def series(self) -> tuple[Series, Series, Series]:
        """Return bids and asks as they stood at each quote, and the trades."""
        is_trade = self._rows.kind == KIND_LAST
        told = np.flatnonzero(~is_trade & ~self._opens_pair)
        return self._stood(told, self._bid), self._stood(told, self._ask), self._of(*[np.flatnonzero(is_trade)] * 2)

    def _stood(self, told: Ints, side: Ints) -> Series:
        known = told[side[told] >= 0]
        return self._of(known, side[known])

    def _of(self, when: Ints, what: Ints) -> Series:
        return Series(self._rows.ts_ns[when], self._rows.px[what], self._rows.qty[what])

    def between(self, begin_ns: int, end_ns: int, shift_ns: int) -> list[MarketTick]:
        """Return the ticks of a time of the record, as many nanoseconds later as ``shift_ns`` says."""
        first, over = (int(n) for n in np.searchsorted(self._rows.ts_ns, (begin_ns, end_ns)))
        return [self._tick(n, shift_ns) for n in range(first, over) if not self._opens_pair[n]]

    def _tick(self, n: int, shift_ns: int) -> MarketTick:
        ts_ns = int(self._rows.ts_ns[n]) + shift_ns
        if self._rows.kind[n] == KIND_LAST:
            exchange, conditions = self._rows.marks[n] if self._rows.marks else ("", "")
            return TapePrint(
                instrument_id=self._instrument_id,
                ts_ns=ts_ns,
                px=self._px(n),
                qty=self._qty(n),
                exchange=exchange,
                conditions=conditions,
            )
        bid, ask = int(self._bid[n]), int(self._ask[n])
        return BookTop(
            instrument_id=self._instrument_id,
            ts_ns=ts_ns,
            bid_px=self._px(bid) if bid >= 0 else None,
            bid_qty=self._qty(bid) if bid >= 0 else Decimal(0),
            ask_px=self._px(ask) if ask >= 0 else None,
            ask_qty=self._qty(ask) if ask >= 0 else Decimal(0),
        )

    def _px(self, n: int) -> Decimal:
        return round(float(self._rows.px[n]) / float(self._grid)) * self._grid

    def _qty(self, n: int) -> Decimal:
        qty = float(self._rows.qty[n])
        return Decimal(int(qty)) if qty.is_integer() else Decimal(repr(qty))
