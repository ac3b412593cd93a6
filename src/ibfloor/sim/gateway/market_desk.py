"""Streaming market data on the wire: top of book and tape, tick by tick, five-second bars."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from decimal import Decimal
from itertools import count

from ibfloor.model.ids import InstrumentId
from ibfloor.model.moment import NS_PER_S
from ibfloor.sim.exchange.values import BookTop, MarketTick, TapePrint
from ibfloor.sim.gateway.bars import RealTimeBars
from ibfloor.sim.gateway.clock import SimClock
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec import responses as tell
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.contracts import one_security
from ibfloor.sim.gateway.option_desk import OptionWatch
from ibfloor.sim.gateway.quotes import QuoteLine
from ibfloor.sim.gateway.reference_desk import BBO_EXCHANGE
from ibfloor.sim.gateway.session import NO_REQUEST, Session
from ibfloor.sim.gateway.values import forget_session, number_of, text_of
from ibfloor.sim.market.bars import BarKind
from ibfloor.sim.market.source import Market

TAPE_EXCHANGE = "ARCA"
"""Where trades happen of which no record says more."""
_TICK_KINDS = {"Last": 1, "AllLast": 2, "BidAsk": 3, "MidPoint": 4}
_DUPLICATE = (322, "Error processing request.-'bW' : cause - Duplicate ticker id")

_Key = tuple[Session, int]


class MarketDesk:
    """Keeps market data subscriptions and feeds them tick by tick. Owner: the gateway's one thread."""

    def __init__(self, market: Market, clock: SimClock) -> None:
        self._market = market
        self._clock = clock
        self._lines: dict[InstrumentId, dict[_Key, QuoteLine]] = {}
        self._due: list[tuple[int, int, QuoteLine]] = []
        """A heap of the lines that hold something back, by the time at which they may tell it."""
        self._due_numbers = count()
        self._options = OptionWatch(market, clock)
        self._tick_streams: dict[InstrumentId, dict[_Key, int]] = {}
        self._bars = RealTimeBars()
        self._halts: dict[InstrumentId, int] = {}
        self._bar_requests: dict[_Key, tuple[InstrumentId, BarKind]] = {}
        self.routes: dict[Table, Callable[[Session, Values], None]] = {
            ask.REQ_MKT_DATA: self._quotes,
            ask.CANCEL_MKT_DATA: self._cancel_quotes,
            ask.REQ_MARKET_DATA_TYPE: self._data_type,
            ask.REQ_TICK_BY_TICK: self._tick_by_tick,
            ask.CANCEL_TICK_BY_TICK: self._cancel_tick_by_tick,
            ask.REQ_REAL_TIME_BARS: self._real_time_bars,
            ask.CANCEL_REAL_TIME_BARS: self._cancel_real_time_bars,
        }

    def drop(self, session: Session) -> None:
        """Forget a session's subscriptions."""
        for lines in self._lines.values():
            for key in [key for key in lines if key[0] is session]:
                lines.pop(key).end()
        self._options.drop(session)
        for streams in self._tick_streams.values():
            forget_session(streams, session)
        forget_session(self._bar_requests, session)

    def halt(self, instrument_id: InstrumentId, kind: int) -> None:
        """Tell everyone who watches an instrument that its trading stops (1 or 2) or goes on (0)."""
        self._halts[instrument_id] = kind
        for line in self._lines.get(instrument_id, {}).values():
            line.tell_halt(kind)

    def on_tick(self, tick: MarketTick) -> None:
        """Feed one tick to everyone who watches the instrument."""
        lines = self._lines.get(tick.instrument_id)
        if lines:
            for line in lines.values():
                if line.on_tick(tick):
                    heapq.heappush(self._due, (line.next_ns, next(self._due_numbers), line))
        streams = self._tick_streams.get(tick.instrument_id)
        if streams:
            for (session, req_id), kind in streams.items():
                _tell_tick(session, req_id, kind, tick)
        self._options.on_tick(tick)
        if self._bar_requests:
            self._bars.on_tick(tick)

    def on_time(self, now_ns: int) -> None:
        """Tell what was held back, and the five-second bars that are complete."""
        while self._due and self._due[0][0] <= now_ns:
            line = heapq.heappop(self._due)[2]
            if line.next_ns <= now_ns:  # else a later tick went first
                line.on_time(now_ns)
        self._options.on_time(now_ns)
        if self._bar_requests:
            self._tell_bars(now_ns)

    # -- top of book

    def _quotes(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        security = one_security(session, req_id, self._market.master, values)
        if security is None:
            return
        if any((session, req_id) in lines for lines in self._lines.values()):
            session.fail(req_id, *_DUPLICATE)
            return
        line = QuoteLine(session, req_id, self._market, security.instrument_id)
        session.send(
            tell.TICK_PARAMETERS, req_id=req_id, min_tick=security.instrument.min_tick, bbo_exchange=BBO_EXCHANGE
        )
        session.send(tell.MARKET_DATA_TYPE, req_id=req_id, type=1)
        line.start(self._clock.now_ns())
        line.tell_halt(self._halts.get(security.instrument_id, 0))
        once = bool(values["snapshot"] or values["regulatory_snapshot"])
        self._options.start(session, req_id, security, once=once)
        if once:
            session.send(tell.SNAPSHOT_END, req_id=req_id)
        else:
            self._lines.setdefault(security.instrument_id, {})[session, req_id] = line

    def _cancel_quotes(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        self._options.end(session, req_id)
        for lines in self._lines.values():
            line = lines.pop((session, req_id), None)
            if line is not None:
                line.end()
                return
        session.fail(req_id, 300, f"Can't find EId with tickerId:{req_id}")

    def _data_type(self, session: Session, values: Values) -> None:
        if number_of(values, "type") not in (1, 2, 3, 4):
            session.fail(NO_REQUEST, 321, "Error validating request.-'ce' : cause - The market data type is invalid.")

    # -- tick by tick

    def _tick_by_tick(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        kind = _TICK_KINDS.get(text_of(values, "kind"))
        if kind is None:
            session.fail(req_id, 321, "Error validating request.-'cy' : cause - The tick-by-tick type is invalid.")
            return
        security = one_security(session, req_id, self._market.master, values)
        if security is not None:
            self._tick_streams.setdefault(security.instrument_id, {})[session, req_id] = kind

    def _cancel_tick_by_tick(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        if not any(streams.pop((session, req_id), None) for streams in self._tick_streams.values()):
            session.fail(req_id, 10190, "Can't find the tick-by-tick subscription")

    # -- five-second bars

    def _real_time_bars(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        try:
            kind = BarKind(text_of(values, "what"))
        except ValueError:
            session.fail(req_id, 321, "Error validating request.-'bN' : cause - What to show is invalid.")
            return
        security = one_security(session, req_id, self._market.master, values)
        if security is not None:
            self._bar_requests[session, req_id] = (security.instrument_id, kind)
            last = self._market.last_print(security.instrument_id)
            top = self._market.top(security.instrument_id)
            self._bars.watch(security.instrument_id, kind, last, top, self._clock.now_ns())

    def _cancel_real_time_bars(self, session: Session, values: Values) -> None:
        if self._bar_requests.pop((session, number_of(values, "req_id")), None) is None:
            session.fail(number_of(values, "req_id"), 300, "Can't find EId with tickerId")

    def _tell_bars(self, now_ns: int) -> None:
        for instrument_id, kind, bar in self._bars.closed(now_ns):
            told: Values = {
                "time_s": bar.ts_ns // NS_PER_S,
                "open": bar.open_px,
                "high": bar.high_px,
                "low": bar.low_px,
                "close": bar.close_px,
                "volume": bar.volume,
                "wap": bar.vwap,
                "count": bar.trade_count,
            }
            for (session, req_id), wanted in self._bar_requests.items():
                if wanted == (instrument_id, kind):
                    session.send_values(tell.REAL_TIME_BAR, {**told, "req_id": req_id})


def _tell_tick(session: Session, req_id: int, kind: int, tick: MarketTick) -> None:
    time_s = tick.ts_ns // NS_PER_S
    if isinstance(tick, TapePrint):
        if kind in (1, 2):
            session.send(
                tell.TICK_BY_TICK,
                req_id=req_id,
                kind=kind,
                time_s=time_s,
                price=tick.px,
                size=tick.qty,
                exchange=tick.exchange or TAPE_EXCHANGE,
                conditions=tick.conditions,
            )
        return
    bid, ask_px = tick.bid_px or Decimal(0), tick.ask_px or Decimal(0)
    if kind == 3:
        session.send(
            tell.TICK_BY_TICK,
            req_id=req_id,
            kind=kind,
            time_s=time_s,
            bid=bid,
            ask=ask_px,
            bid_size=tick.bid_qty,
            ask_size=tick.ask_qty,
        )
    elif kind == 4 and isinstance(tick, BookTop) and bid and ask_px:
        session.send(tell.TICK_BY_TICK, req_id=req_id, kind=kind, time_s=time_s, mid=(bid + ask_px) / 2)
