"""Equity curves on their way to the recorder: a point of every book whenever the books were marked.

Points are made on the queue's thread, where the books live. A recorder that comes back gets the recent
ones again and skips those it has; what is older it reads from the journal itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from threading import Lock

from ibfloor.control.protocol import MarketColumns
from ibfloor.data.equity_points import point_rows
from ibfloor.data.recorder_feed import ColumnSink
from ibfloor.manager.floor_state import Applied, FloorState
from ibfloor.model.marking import BooksMarked
from ibfloor.portfolio.curve import CurvePoint, book_key, points_of

RECENT_MAX = 20_000
_POINTS_PER_FRAME = 2_000


class EquityFeed:
    """Makes points and offers them. ``observe``: the queue's thread; ``connect``: the main loop."""

    def __init__(self, state: FloorState) -> None:
        self._state = state
        self._recent: deque[CurvePoint] = deque(maxlen=RECENT_MAX)
        self._waiting: deque[CurvePoint] = deque(maxlen=RECENT_MAX)
        self._sink: ColumnSink | None = None
        self._lock = Lock()

    def observe(self, applied: Applied) -> None:
        """Make the points of books that were just marked."""
        fact = applied.fact
        if not isinstance(fact, BooksMarked):
            return
        books = self._state.books
        points = points_of((books.book(name) for name in books.strategies()), fact, self._state.instruments)
        with self._lock:
            self._recent.extend(points)
            self._waiting.extend(points)
            self._offer()

    def connect(self, sink: ColumnSink | None) -> None:
        """Feed a recorder from now on, first with the recent points; ``None``: it went away."""
        with self._lock:
            self._sink = sink
            self._waiting = deque(self._recent, maxlen=RECENT_MAX)
            self._offer()

    def _offer(self) -> None:
        while self._sink is not None and self._waiting:
            frame = list(islice(self._waiting, _POINTS_PER_FRAME))
            if not self._sink(point_columns(frame)):
                return  # asked again with the next points
            for _ in frame:
                self._waiting.popleft()


def point_columns(points: Iterable[CurvePoint]) -> MarketColumns:
    """Return points as columns; the names of books go beside their numbers."""
    rows = tuple(points)
    names = {book_key(point.book): str(point.book) for point in rows}
    return MarketColumns(table="equity", columns=dict(point_rows(rows)), symbols=names)
