"""Who is subscribed to what: kept beside the desks, for limits and faults that go by it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec import responses as tell
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.gateway.values import number_of, text_of
from ibfloor.sim.market.source import Market

_NOTICES = frozenset({165, 10167, 2174, 2176})
_DUPLICATE_ID = 322


class StreamKind(StrEnum):
    """A kind of subscription."""

    QUOTES = "quotes"
    TICKS = "ticks"
    BARS = "bars"
    HISTORY = "history"


OPENERS = {
    ask.REQ_MKT_DATA: StreamKind.QUOTES,
    ask.REQ_TICK_BY_TICK: StreamKind.TICKS,
    ask.REQ_REAL_TIME_BARS: StreamKind.BARS,
    ask.REQ_HISTORICAL_DATA: StreamKind.HISTORY,
}
CLOSERS = {
    ask.CANCEL_MKT_DATA: StreamKind.QUOTES,
    ask.CANCEL_TICK_BY_TICK: StreamKind.TICKS,
    ask.CANCEL_REAL_TIME_BARS: StreamKind.BARS,
    ask.CANCEL_HISTORICAL_DATA: StreamKind.HISTORY,
}
CLOSER_OF = {kind: table for table, kind in CLOSERS.items()}


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One subscription, or a historical request whose answer is owed."""

    kind: StreamKind
    symbol: str
    is_kept: bool


class Streams:
    """All that is open. Owner: the gateway's one thread."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._open: dict[Session, dict[int, Stream]] = {}

    def of(self, session: Session, kind: StreamKind) -> list[int]:
        """Return the request ids a session has open."""
        return [req_id for req_id, stream in self._open.get(session, {}).items() if stream.kind is kind]

    def find(self, session: Session, req_id: int) -> Stream | None:
        """Return what is open under a request id."""
        return self._open.get(session, {}).get(req_id)

    def count(self, kind: StreamKind) -> int:
        """Return how many are open, of all sessions."""
        return sum(stream.kind is kind for streams in self._open.values() for stream in streams.values())

    def symbol_of(self, values: Values) -> str:
        """Return the symbol a request is about; empty for none."""
        symbol = text_of(values, "symbol")
        if symbol or not number_of(values, "con_id"):
            return symbol
        security = next((one for one in self._market.master if one.instrument_id == values["con_id"]), None)
        return security.symbol if security else ""

    def subject_of(self, session: Session, values: Values) -> str:
        """Return the symbol a message is about; empty for none."""
        symbol = text_of(values, "symbol")
        stream = None if symbol else self.find(session, number_of(values, "req_id"))
        return stream.symbol if stream else symbol

    def on_request(self, session: Session, request: Table, values: Values) -> None:
        """Note what a request opens or ends."""
        req_id = number_of(values, "req_id")
        if request in CLOSERS:
            self._open.get(session, {}).pop(req_id, None)
            return
        kind = OPENERS.get(request)
        if kind is None or values.get("snapshot") or values.get("regulatory_snapshot"):
            return
        kept = kind is not StreamKind.HISTORY or bool(values.get("keep_up_to_date"))
        stream = Stream(kind=kind, symbol=self.symbol_of(values), is_kept=kept)
        self._open.setdefault(session, {}).setdefault(req_id, stream)

    def on_sent(self, session: Session, message: Table, values: Values) -> None:
        """Note what an answer ends."""
        if message is not tell.ERROR and message is not tell.HISTORICAL_DATA:
            return  # the many ticks, at no cost
        req_id = number_of(values, "req_id")
        stream = self.find(session, req_id)
        if stream is None:
            return
        if message is tell.ERROR:
            code = number_of(values, "code")
            if code in _NOTICES or (code == _DUPLICATE_ID and stream.is_kept):
                return
        elif stream.is_kept:
            return
        del self._open[session][req_id]

    def drop(self, session: Session) -> None:
        """Forget a session."""
        self._open.pop(session, None)
