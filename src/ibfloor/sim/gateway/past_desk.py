"""The past beyond bars: ticks, histograms, trading schedules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import SecurityType
from ibfloor.model.moment import NS_PER_S, to_datetime
from ibfloor.sim.exchange.values import BookTop, MarketTick, TapePrint
from ibfloor.sim.gateway.clock import SimClock
from ibfloor.sim.gateway.codec import research_requests as study
from ibfloor.sim.gateway.codec import research_responses as found
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.contracts import one_security
from ibfloor.sim.gateway.market_desk import TAPE_EXCHANGE
from ibfloor.sim.gateway.periods import DAY_NS, NS_PER_HOUR, BadPeriod, duration_ns_of, end_ns_of
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.gateway.values import number_of, text_of
from ibfloor.sim.market.securities import Security
from ibfloor.sim.market.source import Market

TICKS_MAX = 1000
_PERIOD_UNITS = {"second": "S", "minute": "S", "hour": "S", "day": "D", "week": "W", "month": "M", "year": "Y"}
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}
_REACH_NS = 5 * DAY_NS
"""How far ticks are looked for from the time that was asked of."""
_SCHEDULE_DAYS_MAX = 1000
_BAR_NS = 60 * NS_PER_S
_TABLES = {
    "TRADES": found.HISTORICAL_TICKS_LAST,
    "BID_ASK": found.HISTORICAL_TICKS_BID_ASK,
    "MIDPOINT": found.HISTORICAL_TICKS,
}


class PastDesk:
    """Answers what clients ask of single past ticks and of their distribution. Owner: the gateway's one thread."""

    def __init__(self, market: Market, clock: SimClock) -> None:
        self._market = market
        self._clock = clock
        self.routes: dict[Table, Callable[[Session, Values], None]] = {
            study.REQ_HISTORICAL_TICKS: self._ticks,
            study.REQ_HISTOGRAM: self._histogram,
        }

    def drop(self, session: Session) -> None:
        """Forget a session: nothing is kept here."""

    def _ticks(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        security = one_security(session, req_id, self._market.master, values)
        if security is None:
            return
        try:
            what, ticks = self._wanted_ticks(security, values)
        except BadPeriod as error:
            session.fail(req_id, error.code, error.text)
            return
        rows = [_tick_values(what, tick) for tick in ticks]
        session.send(_TABLES[what], req_id=req_id, ticks=rows, is_done=True)

    def _wanted_ticks(self, security: Security, values: Values) -> tuple[str, list[MarketTick]]:
        what, start, end = text_of(values, "what").upper(), text_of(values, "start"), text_of(values, "end")
        count = number_of(values, "count")
        is_untraded = security.instrument.contract.security_type is SecurityType.FOREX
        if what not in _TABLES or (what == "TRADES" and is_untraded):
            raise _invalid(f"What to show {what!r} is not known.")
        if bool(start) == bool(end):
            raise _invalid("Either start or end time should be set, not both.")
        if not 1 <= count <= TICKS_MAX:
            raise _invalid(f"The number of ticks is from 1 to {TICKS_MAX}.")
        now_ns = self._clock.now_ns()
        moment_ns = end_ns_of(start or end, now_ns)
        source: Iterator[MarketTick]
        if start:
            until_ns = min(now_ns + 1, moment_ns + _REACH_NS)
            source = self._market.past_ticks(security.instrument_id, moment_ns, until_ns)
        else:
            source = self._before(security.instrument_id, moment_ns)
        wanted: Iterator[MarketTick] = (
            tick for tick in source if _is_of(what, tick) and _is_in_hours(security, tick, values)
        )
        if what != "TRADES" and values["ignore_size"]:
            wanted = _changes(wanted)
        return what, _whole_seconds(wanted, count) if start else _newest(wanted, count)

    def _before(self, instrument_id: InstrumentId, end_ns: int) -> Iterator[MarketTick]:
        # newest first, an hour at a time: a request wants few
        for upper in range(end_ns, end_ns - _REACH_NS, -NS_PER_HOUR):
            yield from reversed(list(self._market.past_ticks(instrument_id, upper - NS_PER_HOUR, upper)))

    def _histogram(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        security = one_security(session, req_id, self._market.master, values)
        if security is None:
            return
        try:
            duration_ns = histogram_period_ns(text_of(values, "period"))
        except BadPeriod as error:
            session.fail(req_id, error.code, error.text)
            return
        sizes: dict[Decimal, Decimal] = {}
        if security.instrument.contract.security_type is not SecurityType.FOREX:
            bars = self._market.history(
                security.instrument_id,
                end_ns=self._clock.now_ns() + 1,
                duration_ns=duration_ns,
                bar_ns=_BAR_NS,
                rth_only=bool(values["use_rth"]),
            )
            for bar in bars:
                px = security.instrument.round_price(bar.vwap)
                sizes[px] = sizes.get(px, Decimal(0)) + bar.volume
        rows: list[Values] = [{"price": px, "size": sizes[px]} for px in sorted(sizes) if sizes[px]]
        if rows:
            session.send(found.HISTOGRAM, req_id=req_id, prices=rows)
        else:
            session.fail(req_id, 162, "Historical Market Data Service error message:No histogram data")


def histogram_period_ns(text: str) -> int:
    """Return the length of a period such as ``3 days``; raise ``BadPeriod`` for another text."""
    count, _, unit = text.strip().lower().partition(" ")
    unit = unit.removesuffix("s")
    if unit not in _PERIOD_UNITS or not count.isascii() or not count.isdigit():
        raise _invalid(f"The histogram period {text[:20]!r} is invalid.")
    return duration_ns_of(f"{int(count[:6]) * _SECONDS.get(unit, 1)} {_PERIOD_UNITS[unit]}")


def schedule_values(security: Security, end_ns: int, duration_ns: int) -> dict[str, str | list[Values]]:
    """Return the regular sessions of so many days up to a time, as a schedule tells them."""
    session = security.session
    zone = ZoneInfo(session.time_zone)
    day, rows = session.day_of(end_ns), list[Values]()
    for _ in range(min(_SCHEDULE_DAYS_MAX, max(1, -(-duration_ns // DAY_NS)))):
        span = session.regular_hours(day)
        if span is not None:
            start, end = (_schedule_time(to_datetime(ns, zone)) for ns in span)
            rows.insert(0, {"start": start, "end": end, "day": f"{day:%Y%m%d}"})
        day = session.previous_day(day)
    return {
        "start": str(rows[0]["start"]) if rows else "",
        "end": str(rows[-1]["end"]) if rows else "",
        "time_zone": session.time_zone,
        "sessions": rows,
    }


def _schedule_time(moment: datetime) -> str:
    return f"{moment:%Y%m%d-%H:%M:%S}"


def _invalid(cause: str) -> BadPeriod:
    return BadPeriod(321, f"Error validating request.-'cq' : cause - {cause}")


def _is_of(what: str, tick: MarketTick) -> bool:
    if isinstance(tick, TapePrint):
        return what == "TRADES"
    return what != "TRADES" and tick.bid_px is not None and tick.ask_px is not None


def _is_in_hours(security: Security, tick: MarketTick, values: Values) -> bool:
    return not values["use_rth"] or security.session.is_regular(tick.ts_ns)


def _changes(ticks: Iterable[MarketTick]) -> Iterator[MarketTick]:
    before: tuple[Decimal | None, Decimal | None] | None = None
    for tick in ticks:
        assert isinstance(tick, BookTop), "prints were left out before"
        if (tick.bid_px, tick.ask_px) != before:
            before = (tick.bid_px, tick.ask_px)
            yield tick


def _newest(newest_first: Iterable[MarketTick], count: int) -> list[MarketTick]:
    return _whole_seconds(newest_first, count)[::-1]


def _whole_seconds(ticks: Iterable[MarketTick], count: int) -> list[MarketTick]:
    # as at IB: a second that was begun is told to its end, though that is more than was asked for
    taken: list[MarketTick] = []
    for tick in ticks:
        if len(taken) >= count and tick.ts_ns // NS_PER_S != taken[-1].ts_ns // NS_PER_S:
            break
        taken.append(tick)
    return taken


def _tick_values(what: str, tick: MarketTick) -> Values:
    time_s = tick.ts_ns // NS_PER_S
    if isinstance(tick, TapePrint):
        return {
            "time_s": time_s,
            "price": tick.px,
            "size": tick.qty,
            "exchange": tick.exchange or TAPE_EXCHANGE,
            "conditions": tick.conditions,
        }
    bid, ask = tick.bid_px, tick.ask_px
    assert bid is not None
    assert ask is not None
    if what == "MIDPOINT":
        return {"time_s": time_s, "price": (bid + ask) / 2, "size": Decimal(0)}
    return {"time_s": time_s, "bid": bid, "ask": ask, "bid_size": tick.bid_qty, "ask_size": tick.ask_qty}
