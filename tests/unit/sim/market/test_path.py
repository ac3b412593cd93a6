"""A minute's ticks honour its frame exactly, whatever the frame."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ibfloor.sim.exchange.values import BookTop, MarketTick, TapePrint
from ibfloor.sim.market.frames import COLUMNS, Ints, seal
from ibfloor.sim.market.path import TickPath
from ibfloor.sim.market.securities import default_master

SPY = default_master().find("STK", "SPY")[0].instrument
MINUTE = 60_000_000_000
Ohlc = tuple[int, int, int, int]


@st.composite
def ohlc(draw: st.DrawFn, low: int = 990, high: int = 1010) -> Ohlc:
    first, last, up, down = (draw(st.integers(low, high)) for _ in range(4))
    return first, max(first, last, up), min(first, last, down), last


@st.composite
def frames(draw: st.DrawFn) -> Ints:
    bid = draw(ohlc())
    spread = draw(st.integers(0, 4))
    cells = [*bid, *(px + spread for px in bid), *draw(ohlc()), draw(st.integers(0, 5000)), draw(st.integers(0, 5000))]
    cells += [draw(st.integers(0, 100_000)), draw(st.integers(0, 60)), draw(st.integers(0, 90))]
    rows = np.array([cells], dtype=np.int64)
    assert rows.shape[1] == COLUMNS
    row: Ints = seal(date(2026, 11, 23), np.zeros(1, dtype=np.int64), rows).rows[0]
    return row


def summary(px: list[Decimal]) -> Ohlc:
    ticks = [int(each / SPY.min_tick) for each in px]
    return ticks[0], max(ticks), min(ticks), ticks[-1]


def split(ticks: list[MarketTick]) -> tuple[list[BookTop], list[TapePrint]]:
    return [each for each in ticks if isinstance(each, BookTop)], [
        each for each in ticks if isinstance(each, TapePrint)
    ]


@given(frames(), st.integers(0, 5))
def test_prints_make_the_trade_bar_and_its_volume(row: Ints, seed: int) -> None:
    _, prints = split(TickPath(SPY, seed).ticks(MINUTE, row))
    cells = row.tolist()
    assert sum(each.qty for each in prints) == cells[14]
    assert len(prints) == cells[15]
    if prints:
        assert summary([each.px for each in prints]) == tuple(cells[8:12])
        assert min(each.qty for each in prints) >= 1


@given(frames(), st.integers(0, 5))
def test_quotes_make_the_quote_bars_and_never_cross(row: Ints, seed: int) -> None:
    quotes, _ = split(TickPath(SPY, seed).ticks(MINUTE, row))
    cells = row.tolist()
    assert len(quotes) == cells[16]
    bids = [each.bid_px for each in quotes if each.bid_px is not None]
    asks = [each.ask_px for each in quotes if each.ask_px is not None]
    assert summary(bids) == tuple(cells[0:4])
    assert summary(asks) == tuple(cells[4:8])
    assert all(bid < ask for bid, ask in zip(bids, asks, strict=True))
    assert all(each.bid_qty > 0 and each.ask_qty > 0 for each in quotes)


@given(frames())
def test_ticks_are_in_order_within_the_minute_and_always_the_same(row: Ints) -> None:
    ticks = TickPath(SPY, 3).ticks(MINUTE, row)
    times = [each.ts_ns for each in ticks]
    assert times == sorted(times)
    assert times[0] >= MINUTE
    assert times[-1] < 2 * MINUTE
    assert ticks == TickPath(SPY, 3).ticks(MINUTE, row)
