"""Historical bars on the wire, once or kept up to date."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from ibfloor.model.instrument import SecurityType
from ibfloor.model.moment import NS_PER_S, to_datetime
from ibfloor.sim.gateway.clock import SimClock, wire_time
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec import research_responses as found
from ibfloor.sim.gateway.codec import responses as tell
from ibfloor.sim.gateway.codec.kinds import Scalar, Values
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.contracts import one_security
from ibfloor.sim.gateway.past_desk import schedule_values
from ibfloor.sim.gateway.periods import DAY_NS, BadPeriod, bar_size_ns, duration_ns_of, end_ns_of
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.gateway.values import forget_session, number_of, text_of
from ibfloor.sim.market.bars import BarKind, SimBar
from ibfloor.sim.market.securities import Security
from ibfloor.sim.market.source import Market

UPDATE_PERIOD_NS = 5 * NS_PER_S
_HEAD_DAYS = 3650
_KINDS = {**{kind.value: kind for kind in BarKind}, "ADJUSTED_LAST": BarKind.TRADES, "BID_ASK": BarKind.BID}
_OF_TRADES = frozenset({"TRADES", "ADJUSTED_LAST"})
_UNKNOWN = Decimal(-1)
SCHEDULE = "SCHEDULE"


class _Query(msgspec.Struct, frozen=True, kw_only=True):
    security: Security
    end_ns: int
    duration_ns: int
    bar_ns: int
    rth_only: bool
    what: str
    epoch_dates: bool


class HistoryDesk:
    """Answers historical requests and keeps some up to date. Owner: the gateway's one thread."""

    def __init__(self, market: Market, clock: SimClock) -> None:
        self._market = market
        self._clock = clock
        self._kept: dict[tuple[Session, int], tuple[_Query, SimBar | None]] = {}
        self._next_update_ns = 0
        self.routes: dict[Table, Callable[[Session, Values], None]] = {
            ask.REQ_HISTORICAL_DATA: self._history,
            ask.CANCEL_HISTORICAL_DATA: self._cancel,
            ask.REQ_HEAD_TIMESTAMP: self._head,
        }

    def drop(self, session: Session) -> None:
        """Forget a session's subscriptions."""
        forget_session(self._kept, session)

    def on_time(self, now_ns: int) -> None:
        """Tell subscribers how their newest bar grew, every five market seconds."""
        if not self._kept or now_ns < self._next_update_ns:
            return
        self._next_update_ns = now_ns + UPDATE_PERIOD_NS
        for key, (query, told) in self._kept.items():
            for bar in self._bars(query, now_ns + 1, 2 * query.bar_ns):
                if told is None or (bar.ts_ns >= told.ts_ns and bar != told):
                    key[0].send_values(tell.HISTORICAL_UPDATE, {**_bar_values(query, bar), "req_id": key[1]})
                    told = bar
            self._kept[key] = (query, told)

    def _history(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        security = one_security(session, req_id, self._market.master, values)
        if security is None:
            return
        try:
            query = self._query(security, values)
        except BadPeriod as error:
            session.fail(req_id, error.code, error.text)
            return
        if query.what == SCHEDULE:
            told = schedule_values(security, query.end_ns, query.duration_ns)
            session.send_values(found.HISTORICAL_SCHEDULE, {**told, "req_id": req_id})
            return
        bars = self._bars(query, query.end_ns, query.duration_ns)
        if not bars or (security.instrument.contract.security_type is SecurityType.FOREX and query.what in _OF_TRADES):
            _no_data(session, req_id, "HMDS query returned no data", security)
            return
        span = {"start": wire_time(bars[0].ts_ns), "end": wire_time(query.end_ns)}
        rows: list[Values] = [_bar_values(query, bar) for bar in bars]
        session.send(tell.HISTORICAL_DATA, req_id=req_id, bars=rows, **span)
        if session.version >= 196:
            session.send(tell.HISTORICAL_DATA_END, req_id=req_id, **span)
        if values["keep_up_to_date"]:
            self._kept[session, req_id] = (query, bars[-1])

    def _cancel(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        if self._kept.pop((session, req_id), None) is None:
            session.fail(req_id, 366, f"No historical data query found for ticker id:{req_id}")

    def _head(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        security = one_security(session, req_id, self._market.master, values)
        if security is None:
            return
        bars = self._market.history(
            security.instrument_id,
            end_ns=self._clock.now_ns(),
            duration_ns=_HEAD_DAYS * DAY_NS,
            bar_ns=DAY_NS,
            rth_only=bool(values["use_rth"]),
        )
        if not bars:
            _no_data(session, req_id, "No head time stamp", security)
            return
        first = bars[0].ts_ns
        text = str(first // NS_PER_S) if values["format_date"] == 2 else f"{to_datetime(first):%Y%m%d-%H:%M:%S}"
        session.send(found.HEAD_TIMESTAMP, req_id=req_id, time=text)

    def _query(self, security: Security, values: Values) -> _Query:
        what = text_of(values, "what").upper()
        if what not in _KINDS and what != SCHEDULE:
            raise BadPeriod(321, f"Error validating request.-'bO' : cause - What to show {what!r} is not known.")
        if values["keep_up_to_date"] and values["end"]:
            raise BadPeriod(321, "Error validating request.-'bO' : cause - An update subscription takes no end time.")
        return _Query(
            security=security,
            end_ns=end_ns_of(text_of(values, "end"), self._clock.now_ns()),
            duration_ns=duration_ns_of(text_of(values, "duration")),
            bar_ns=bar_size_ns(text_of(values, "bar_size")),
            rth_only=bool(values["use_rth"]),
            what=what,
            epoch_dates=values["format_date"] == 2,
        )

    def _bars(self, query: _Query, end_ns: int, duration_ns: int) -> list[SimBar]:
        if query.what != "BID_ASK":
            return self._bars_of(query, end_ns, duration_ns, _KINDS[query.what])
        bids = self._bars_of(query, end_ns, duration_ns, BarKind.BID)
        asks = {bar.ts_ns: bar for bar in self._bars_of(query, end_ns, duration_ns, BarKind.ASK)}
        return [_bid_ask_bar(bid, asks[bid.ts_ns]) for bid in bids if bid.ts_ns in asks]

    def _bars_of(self, query: _Query, end_ns: int, duration_ns: int, kind: BarKind) -> list[SimBar]:
        return self._market.history(
            query.security.instrument_id,
            end_ns=end_ns,
            duration_ns=duration_ns,
            bar_ns=query.bar_ns,
            rth_only=query.rth_only,
            kind=kind,
        )


def _bid_ask_bar(bid: SimBar, ask_bar: SimBar) -> SimBar:
    # as at IB: from the bid to the ask, between the lowest bid and the highest ask
    return msgspec.structs.replace(bid, high_px=ask_bar.high_px, close_px=ask_bar.close_px)


def _no_data(session: Session, req_id: int, what: str, security: Security) -> None:
    contract = security.instrument.contract
    where = f"{contract.symbol}@{security.instrument.exchange} {contract.security_type}"
    session.fail(req_id, 162, f"Historical Market Data Service error message:{what}: {where}")


def _bar_values(query: _Query, bar: SimBar) -> Values:
    if query.bar_ns >= DAY_NS:
        date = f"{to_datetime(bar.ts_ns):%Y%m%d}"
    elif query.epoch_dates:
        date = str(bar.ts_ns // NS_PER_S)
    else:
        date = wire_time(bar.ts_ns)
    values: dict[str, Scalar] = {
        "date": date,
        "open": bar.open_px,
        "high": bar.high_px,
        "low": bar.low_px,
        "close": bar.close_px,
        "volume": bar.volume,
        "wap": bar.vwap,
        "count": bar.trade_count,
    }
    if query.what not in _OF_TRADES:
        values.update(volume=_UNKNOWN, wap=_UNKNOWN, count=-1)
    return values
