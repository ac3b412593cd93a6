"""The floor's side of the recorder: events in, columns out, in the data thread's idle moments.

Taking a batch costs one append. Every ``record_every_s`` wall seconds what has gathered is turned
into columns and offered to the sink. A sink that refuses is asked again later; meanwhile ticks wait
up to a bound, beyond it the oldest are dropped and counted. Bars are few and never dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from ibfloor.control.protocol import MarketColumns
from ibfloor.model.market import Bar, MarketBatch, Quote, Trade

ColumnSink = Callable[[MarketColumns], bool]
"""Where columns go, called on the data thread; must not block; ``False``: not taken, ask again later."""

Columns = dict[str, Sequence[float | int]]

KIND_BID, KIND_ASK, KIND_LAST = 1, 2, 4
"""IB's tick types of bid, ask and last price."""

_EVENTS_PER_FRAME = 5_000  # about 4 ms of work between two looks at the socket


class RecorderFeed:
    """Collects what the recorder is to store. Owner: the data thread."""

    def __init__(self, rows_max: int) -> None:
        self._rows_max = rows_max
        self._sink: ColumnSink | None = None
        self._batches: deque[MarketBatch] = deque()
        self._rows = 0
        self._bars: list[Bar] = []
        self._dropped = 0
        self.dropped_total = 0
        """Ticks dropped since the start because the recorder was slow."""

    @property
    def is_connected(self) -> bool:
        """Tell whether there is a recorder."""
        return self._sink is not None

    def connect(self, sink: ColumnSink, recent: Sequence[Bar]) -> None:
        """Start feeding a recorder, first with the bars still in memory: it skips what it has."""
        self._bars = list(recent)
        self._sink = sink

    def disconnect(self) -> None:
        """Stop feeding: the recorder went away. Its bars are told again when it comes back."""
        self._sink = None
        self._batches.clear()
        self._bars = []
        self._rows = self._dropped = 0

    def take(self, batch: MarketBatch) -> None:
        """Keep a packet's ticks for the recorder."""
        if self._sink is None:
            return
        self._batches.append(batch)
        self._rows += len(batch)
        while self._rows > self._rows_max:
            lost = len(self._batches.popleft())
            self._rows -= lost
            self._dropped += lost
            self.dropped_total += lost

    def take_bar(self, bar: Bar) -> None:
        """Keep a closed bar for the recorder."""
        if self._sink is not None:
            self._bars.append(bar)

    def flush(self) -> bool:
        """Offer one frame of ticks and all bars; ``True`` when there is more to send at once."""
        sink = self._sink
        if sink is None:
            return False
        if self._bars and sink(bar_columns(self._bars)):
            self._bars = []
        if not self._batches:
            return False
        batches, events = self._next_frame()
        if not sink(tick_columns(events, self._dropped)):
            return False
        self._dropped = 0
        self._rows -= len(events)
        for _ in range(batches):
            self._batches.popleft()
        return bool(self._batches)

    def _next_frame(self) -> tuple[int, list[Quote | Trade]]:
        events: list[Quote | Trade] = []
        batches = 0
        for batch in self._batches:
            batches += 1
            events.extend(batch)  # type: ignore[arg-type]  # a session's batches hold ticks only
            if len(events) >= _EVENTS_PER_FRAME:
                break
        return batches, events


def tick_columns(events: Sequence[Quote | Trade], dropped: int = 0) -> MarketColumns:
    """Return ticks as columns: a quote is two rows, bid and ask; an absent side none."""
    rows: list[tuple[int, int, int, float, float]] = []
    for event in events:
        key, ts_ns = event.instrument.instrument_id, event.ts_event_ns
        if type(event) is Trade:
            rows.append((KIND_LAST, key, ts_ns, event.last_px, event.last_qty))
        elif type(event) is Quote:
            if event.bid_px == event.bid_px:  # not nan
                rows.append((KIND_BID, key, ts_ns, event.bid_px, event.bid_qty))
            if event.ask_px == event.ask_px:
                rows.append((KIND_ASK, key, ts_ns, event.ask_px, event.ask_qty))
    columns: Columns = {name: [] for name in ("kind", "instrument_id", "ts_ns", "px", "qty")}
    for name, values in zip(columns, zip(*rows, strict=True), strict=False):  # no rows: no values
        columns[name] = list(values)
    return MarketColumns(table="ticks", columns=columns, symbols=_symbols(events), dropped=dropped)


def bar_columns(bars: Sequence[Bar]) -> MarketColumns:
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
    return MarketColumns(table="bars", columns=columns, symbols=_symbols(bars))


def _symbols(events: Sequence[Quote | Trade | Bar]) -> dict[int, str]:
    instruments = {id(event.instrument): event.instrument for event in events}
    return {int(each.instrument_id): each.local_symbol for each in instruments.values()}
