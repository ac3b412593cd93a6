from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibfloor.control.protocol import MarketColumns
from ibfloor.data.recorder_feed import RecorderFeed, tick_columns
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Instrument, Stock
from ibfloor.model.market import Bar, Quote, Trade
from ibfloor.model.money import Currency

NAN = float("nan")
SPY = Instrument(instrument_id=InstrumentId(1), contract=Stock("SPY"), local_symbol="SPY", currency=Currency("USD"))
MINUTE = 60 * 1_000_000_000


class Sink:
    def __init__(self) -> None:
        self.is_ready = True
        self.frames: list[MarketColumns] = []

    def __call__(self, columns: MarketColumns) -> bool:
        if self.is_ready:
            self.frames.append(columns)
        return self.is_ready

    def rows(self, table: str, column: str) -> list[float | int]:
        return [value for frame in self.frames if frame.table == table for value in frame.columns[column]]


def trade(ts_ns: int) -> Trade:
    return Trade(SPY, ts_ns, 10.0, 1.0)


def bar(ts_ns: int) -> Bar:
    return Bar(SPY, ts_ns, MINUTE, 1.0, 2.0, 0.5, 1.5, 100.0)


def flush_all(feed: RecorderFeed) -> None:
    while feed.flush():
        pass


def test_a_quote_is_two_rows_and_a_trade_one() -> None:
    frame = tick_columns([Quote(SPY, 5, 1.0, 1.1, 100.0, 200.0), Trade(SPY, 6, 1.05, 10.0)])
    assert frame.columns == {
        "kind": [1, 2, 4],
        "instrument_id": [1, 1, 1],
        "ts_ns": [5, 5, 6],
        "px": [1.0, 1.1, 1.05],
        "qty": [100.0, 200.0, 10.0],
    }
    assert frame.symbols == {1: "SPY"}


@pytest.mark.parametrize(("bid_px", "ask_px", "kinds"), [(NAN, 1.1, [2]), (1.0, NAN, [1]), (NAN, NAN, [])])
def test_an_absent_side_is_no_row(bid_px: float, ask_px: float, kinds: list[int]) -> None:
    frame = tick_columns([Quote(SPY, 5, bid_px, ask_px, 1.0, 1.0)])
    assert frame.columns["kind"] == kinds
    assert not any(math.isnan(px) for px in frame.columns["px"])


@given(st.lists(st.integers(1, 30), max_size=200), st.integers(10, 400), st.data())
def test_ticks_are_sent_in_order_or_counted_as_dropped(sizes: list[int], rows_max: int, data: st.DataObject) -> None:
    feed, sink, ts_ns = RecorderFeed(rows_max), Sink(), 0
    feed.connect(sink, [])
    for size in sizes:
        feed.take(tuple(trade(ts_ns + n) for n in range(size)))
        ts_ns += size
        sink.is_ready = data.draw(st.booleans())
        feed.flush()
    sink.is_ready = True
    flush_all(feed)
    feed.take((trade(ts_ns),))  # what was dropped last is told with the frame after it
    feed.flush()
    times = sink.rows("ticks", "ts_ns")
    dropped = sum(frame.dropped for frame in sink.frames)
    assert times == sorted(set(times))
    assert len(times) + dropped == ts_ns + 1
    assert dropped == feed.dropped_total


def test_bars_are_never_dropped_by_a_slow_sink() -> None:
    feed, sink = RecorderFeed(10), Sink()
    feed.connect(sink, [])
    sink.is_ready = False
    for minute in range(100):
        feed.take_bar(bar(minute * MINUTE))
        feed.take((trade(minute),))
        feed.flush()
    sink.is_ready = True
    flush_all(feed)
    assert sink.rows("bars", "ts_ns") == [minute * MINUTE for minute in range(100)]
    assert feed.dropped_total > 0


def test_a_recorder_that_comes_gets_the_bars_in_memory_first() -> None:
    feed, sink = RecorderFeed(10), Sink()
    feed.take_bar(bar(0))  # nobody records yet
    feed.connect(sink, [bar(0), bar(MINUTE)])
    feed.take_bar(bar(2 * MINUTE))
    feed.flush()
    assert sink.rows("bars", "ts_ns") == [0, MINUTE, 2 * MINUTE]


def test_before_the_first_recorder_nothing_is_kept_or_missed() -> None:
    feed, sink = RecorderFeed(10), Sink()
    feed.take((trade(1),))
    feed.connect(sink, [])
    flush_all(feed)
    assert sink.frames == []
    assert feed.dropped_total == 0


def test_a_recorder_that_comes_back_is_told_how_many_ticks_it_missed() -> None:
    feed, sink = RecorderFeed(10), Sink()
    feed.connect(sink, [])
    feed.take((trade(1),))
    feed.disconnect()  # offers what waits a last time
    feed.take((trade(2), trade(3)))
    feed.connect(sink, [])
    feed.take((trade(4),))
    flush_all(feed)
    assert sink.rows("ticks", "ts_ns") == [1, 4]
    assert [frame.dropped for frame in sink.frames] == [0, 2]


def test_what_a_slow_recorder_leaves_behind_counts_as_missed() -> None:
    feed, sink = RecorderFeed(10), Sink()
    feed.connect(sink, [])
    sink.is_ready = False
    feed.take((trade(1), trade(2)))
    feed.disconnect()
    assert feed.dropped_total == 2
