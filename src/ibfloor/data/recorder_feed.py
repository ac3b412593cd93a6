"""The floor's side of the recorder: events in, columns out, in the data thread's idle moments.

Taking a batch costs one append. Every ``record_every_s`` wall seconds what has gathered is turned
into columns and offered to the sink. A sink that refuses is asked again later; meanwhile ticks wait
up to a bound, beyond it the oldest are dropped and counted. Bars are few and not dropped: only a
recorder that is away for weeks could lose some, and it gets those in memory again when it comes back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from ibfloor.control.protocol import MarketColumns
from ibfloor.model.instrument import Instrument
from ibfloor.model.market import Bar, MarketBatch, Quote, Trade

ColumnSink = Callable[[MarketColumns], bool]
"""Where columns go, called on the data thread; must not block; ``False``: not taken, ask again later."""

Columns = dict[str, Sequence[float | int]]

KIND_BID, KIND_ASK, KIND_LAST = 1, 2, 4
_BID_ASK = (KIND_BID, KIND_ASK)
"""IB's tick types of bid, ask and last price."""

_EVENTS_PER_FRAME = 5_000  # about 2 ms of work between two looks at the socket
_BARS_WAITING_MAX = 100_000


class _Frame(NamedTuple):
    columns: MarketColumns
    ticks: int


class RecorderFeed:
    """Collects what the recorder is to store. Owner: the data thread."""

    def __init__(self, rows_max: int) -> None:
        self._rows_max = rows_max
        self._sink: ColumnSink | None = None
        self._batches: deque[MarketBatch] = deque()
        self._rows = 0
        self._bars: deque[Bar] = deque(maxlen=_BARS_WAITING_MAX)
        self._refused: _Frame | None = None
        self._had_recorder = False
        self._dropped = 0
        self.dropped_total = 0
        """Ticks no recorder got because it was slow or away, since the first one came."""

    def connect(self, sink: ColumnSink, recent: Sequence[Bar]) -> None:
        """Start feeding a recorder, first with bars that are still in memory: it skips those it has."""
        self._bars.extendleft(reversed(recent))
        self._sink = sink
        self._had_recorder = True

    def disconnect(self) -> None:
        """Offer what waits a last time, then stop; ticks missed from now on are told to the next recorder."""
        while self.flush():
            pass
        if self._refused is not None:
            self._dropped += self._refused.columns.dropped
            self._missed(self._refused.ticks)
        self._missed(self._rows)
        self._sink = self._refused = None
        self._batches.clear()
        self._bars.clear()
        self._rows = 0

    def take(self, batch: MarketBatch) -> None:
        """Keep a packet's ticks for the recorder."""
        if self._sink is None:
            self._missed(len(batch) if self._had_recorder else 0)
            return
        self._batches.append(batch)
        self._rows += len(batch)
        while self._rows > self._rows_max:
            lost = len(self._batches.popleft())
            self._rows -= lost
            self._missed(lost)

    def take_bar(self, bar: Bar) -> None:
        """Keep a closed bar for the recorder."""
        if self._sink is not None:
            self._bars.append(bar)

    def flush(self) -> bool:
        """Offer all bars and one frame of ticks; ``True`` when there is more to send at once."""
        sink = self._sink
        if sink is None:
            return False
        if self._bars and sink(bar_columns(self._bars)):
            self._bars.clear()
        # A refused frame is kept as it is: building it again at every try would cost as much as sending it.
        frame, self._refused = self._refused or self._next_frame(), None
        if frame is not None and not sink(frame.columns):
            self._refused = frame
            return False
        return bool(self._batches)

    def _missed(self, count: int) -> None:
        self._dropped += count
        self.dropped_total += count

    def _next_frame(self) -> _Frame | None:
        events: list[Quote | Trade] = []
        while self._batches and len(events) < _EVENTS_PER_FRAME:
            events.extend(self._batches.popleft())  # type: ignore[arg-type]  # a session's batches hold ticks only
        if not events:
            return None
        dropped, self._dropped = self._dropped, 0
        self._rows -= len(events)
        return _Frame(tick_columns(events, dropped), len(events))


def tick_columns(events: Sequence[Quote | Trade], dropped: int = 0) -> MarketColumns:
    """Return ticks as columns: a quote is two rows, bid and ask; an absent side none."""
    kinds: list[int] = []
    keys: list[int] = []
    times: list[int] = []
    prices: list[float] = []
    quantities: list[float] = []
    symbols: dict[int, str] = {}
    instrument: Instrument | None = None
    key = 0
    for event in events:
        if event.instrument is not instrument:
            instrument = event.instrument
            key = instrument.instrument_id
            symbols[key] = instrument.local_symbol
        ts_ns = event.ts_event_ns
        if type(event) is Quote:
            bid_px, ask_px = event.bid_px, event.ask_px
            if bid_px == bid_px and ask_px == ask_px:  # neither is nan
                kinds += _BID_ASK
                keys += (key, key)
                times += (ts_ns, ts_ns)
                prices += (bid_px, ask_px)
                quantities += (event.bid_qty, event.ask_qty)
                continue
            is_bid = bid_px == bid_px
            kind, px, qty = (KIND_BID, bid_px, event.bid_qty) if is_bid else (KIND_ASK, ask_px, event.ask_qty)
            if px != px:
                continue
        elif type(event) is Trade:
            kind, px, qty = KIND_LAST, event.last_px, event.last_qty
        else:
            continue
        kinds.append(kind)
        keys.append(key)
        times.append(ts_ns)
        prices.append(px)
        quantities.append(qty)
    columns: Columns = {"kind": kinds, "instrument_id": keys, "ts_ns": times, "px": prices, "qty": quantities}
    return MarketColumns(table="ticks", columns=columns, symbols=symbols, dropped=dropped)


def bar_columns(bars: Collection[Bar]) -> MarketColumns:
    """Return bars as columns."""
    columns: Columns = {
        "instrument_id": [int(bar.instrument.instrument_id) for bar in bars],
        "ts_ns": [bar.ts_event_ns for bar in bars],
        "duration_ns": [bar.duration_ns for bar in bars],
        "open": [bar.open_px for bar in bars],
        "high": [bar.high_px for bar in bars],
        "low": [bar.low_px for bar in bars],
        "close": [bar.close_px for bar in bars],
        "volume": [bar.volume for bar in bars],
    }
    instruments = {id(bar.instrument): bar.instrument for bar in bars}
    symbols = {int(each.instrument_id): each.local_symbol for each in instruments.values()}
    return MarketColumns(table="bars", columns=columns, symbols=symbols)
