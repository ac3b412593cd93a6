"""Market data on the lean path: price and size ticks into quotes and trades, without decoding."""

from __future__ import annotations

from collections.abc import Callable

from ibfloor.model.instrument import Instrument
from ibfloor.model.market import Halt, MarketEvent, Quote, Trade

_NAN = float("nan")

PRICE, SIZE, GENERIC, STRING = b"1", b"2", b"45", b"46"
_BID, _ASK, _LAST = b"1", b"2", b"4"
_BID_SIZE, _ASK_SIZE, _LAST_SIZE = b"0", b"3", b"5"
_HALTED = b"49"
_HALTS = {0: Halt.NONE, 1: Halt.GENERAL, 2: Halt.VOLATILITY}

OnHalted = Callable[[Instrument, Halt], None]
"""Called on the data thread with what the broker says of an instrument's trading."""


class TickBook:
    """Top of book and last print of one subscription; owner: the data thread.

    Nothing is quoted until both sides were told once; after that an absent side (price -1) is
    ``nan``. A last price makes a trade of the size it carries. A last size makes one more trade at
    the last price, unless it only echoes the price tick before it. Equal prints in a row at one
    price are not told apart by IB: they show in the volume alone.
    """

    __slots__ = (
        "ask_px",
        "ask_qty",
        "bid_px",
        "bid_qty",
        "instrument",
        "is_echo_due",
        "is_quotable",
        "last_px",
        "last_qty",
    )

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.bid_px = self.ask_px = self.last_px = _NAN
        self.bid_qty = self.ask_qty = self.last_qty = 0.0
        self.is_quotable = self.is_echo_due = False

    def quote(self, now_ns: int) -> Quote:
        """Return the book as it stands."""
        return Quote(self.instrument, now_ns, self.bid_px, self.ask_px, self.bid_qty, self.ask_qty)


class TickReader:
    """All subscriptions' books by request id as the wire writes it; owner: the data thread."""

    def __init__(self) -> None:
        self.books: dict[bytes, TickBook] = {}
        self.on_halted: OnHalted = lambda instrument, halt: None
        self.now_ns = 0
        self.batch: list[MarketEvent] = []
        self._sides_told: dict[bytes, set[bytes]] = {}

    def on_price(self, fields: list[bytes]) -> None:
        """Take message 1: version, reqId, type, price, size, mask."""
        book = self.books.get(fields[2])
        if book is None or not fields[4]:
            return
        kind = fields[3]
        if kind == _BID:
            px, book.bid_qty = float(fields[4]), float(fields[5] or 0)
            book.bid_px = px if px != -1.0 else _NAN
        elif kind == _ASK:
            px, book.ask_qty = float(fields[4]), float(fields[5] or 0)
            book.ask_px = px if px != -1.0 else _NAN
        else:
            if kind == _LAST:
                self._on_last(book, fields)
            return
        if book.is_quotable or self._both_sides_told(book, fields[2], kind):
            self.batch.append(Quote(book.instrument, self.now_ns, book.bid_px, book.ask_px, book.bid_qty, book.ask_qty))

    def on_size(self, fields: list[bytes]) -> None:
        """Take message 2: version, reqId, type, size."""
        book = self.books.get(fields[2])
        if book is None:
            return
        kind, size = fields[3], float(fields[4] or 0)
        if kind == _BID_SIZE:
            is_news, book.bid_qty = size != book.bid_qty, size
        elif kind == _ASK_SIZE:
            is_news, book.ask_qty = size != book.ask_qty, size
        else:
            if kind == _LAST_SIZE:
                self._on_last_size(book, size)
            return
        if is_news and book.is_quotable:
            self.batch.append(book.quote(self.now_ns))

    def on_generic(self, fields: list[bytes]) -> None:
        """Take message 45: version, reqId, type, value. IB tells unasked whether trading is halted, no more."""
        book = self.books.get(fields[2])
        if book is not None and fields[3] == _HALTED:
            self.on_halted(book.instrument, _HALTS.get(int(float(fields[4] or -1)), Halt.UNKNOWN))

    def ignore(self, fields: list[bytes]) -> None:
        """Drop a tick nobody uses (string ticks) before it costs a decode."""

    def forget(self, req_id: int) -> None:
        """Drop one subscription's book."""
        key = b"%d" % req_id
        self.books.pop(key, None)
        self._sides_told.pop(key, None)

    def restart(self) -> None:
        """Forget all books: their subscriptions ended."""
        self.books.clear()
        self._sides_told.clear()

    def _both_sides_told(self, book: TickBook, req_id: bytes, kind: bytes) -> bool:
        told = self._sides_told.setdefault(req_id, set())
        told.add(kind)
        book.is_quotable = len(told) == 2
        return book.is_quotable

    def _on_last(self, book: TickBook, fields: list[bytes]) -> None:
        book.last_px, book.last_qty = float(fields[4]), float(fields[5] or 0)
        book.is_echo_due = True
        if book.last_qty > 0 and book.last_px > 0:
            self.batch.append(Trade(book.instrument, self.now_ns, book.last_px, book.last_qty))

    def _on_last_size(self, book: TickBook, size: float) -> None:
        is_echo = book.is_echo_due and size == book.last_qty
        book.is_echo_due, book.last_qty = False, size
        if not is_echo and size > 0 and book.last_px > 0:
            self.batch.append(Trade(book.instrument, self.now_ns, book.last_px, size))
