"""Market depth on the wire: the touch from the market, and behind it a ladder that follows from the touch.

The market makes one price a side; the rows behind it are a tick apart, their sizes follow from
the touch's size and the row's price alone. Nothing trades against them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import SecurityType
from ibfloor.sim.exchange.values import BookTop, MarketTick
from ibfloor.sim.gateway.clock import SimClock
from ibfloor.sim.gateway.codec import research_requests as study
from ibfloor.sim.gateway.codec import research_responses as found
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.contracts import one_security
from ibfloor.sim.gateway.quotes import SAMPLE_NS
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.gateway.values import forget_session, number_of, text_of
from ibfloor.sim.market.securities import Security
from ibfloor.sim.market.source import Market

ROWS_MAX = 20
SUBSCRIPTIONS_MAX = 3
_TOO_MANY = (309, "Max number (3) of market depth requests has been reached")
_NO_DEPTH = (10092, "Deep market data is not supported for this combination of security type/exchange")
_NOT_FOUND = (310, "Can't find the subscribed market depth with tickerId:")
_DUPLICATE = (322, "Error processing request.-'bW' : cause - Duplicate ticker id")
_INSERT, _UPDATE, _DELETE = 0, 1, 2
_ASK, _BID = 0, 1
_SMALL_SHARES = (Decimal("1.5"), Decimal("2"), Decimal("0.8"), Decimal("2.4"), Decimal("1.2"), Decimal("3"))

Row = tuple[Decimal, Decimal]
_Key = tuple[Session, int]


class DepthDesk:
    """Keeps depth subscriptions. Owner: the gateway's one thread."""

    def __init__(self, market: Market, clock: SimClock) -> None:
        self._market = market
        self._clock = clock
        self._lines: dict[_Key, _DepthLine] = {}
        self.routes: dict[Table, Callable[[Session, Values], None]] = {
            study.REQ_MARKET_DEPTH: self._depth,
            study.CANCEL_MARKET_DEPTH: self._cancel,
        }

    def drop(self, session: Session) -> None:
        """Forget a session's subscriptions."""
        forget_session(self._lines, session)

    def on_tick(self, tick: MarketTick) -> None:
        """Let a quote into the ladders of its instrument."""
        if self._lines and isinstance(tick, BookTop):
            for line in self._lines.values():
                if line.instrument_id == tick.instrument_id:
                    line.on_quote(tick)

    def on_time(self, now_ns: int) -> None:
        """Tell the ladders that have changed."""
        for line in self._lines.values():
            line.on_time(now_ns)

    def _depth(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        security = one_security(session, req_id, self._market.master, values)
        if security is None:
            return
        rows, is_smart = min(number_of(values, "rows"), ROWS_MAX), bool(values["is_smart"])
        exchange = text_of(values, "exchange") or security.instrument.exchange
        kind = security.instrument.contract.security_type
        if (session, req_id) in self._lines:
            session.fail(req_id, *_DUPLICATE)
        elif sum(1 for key in self._lines if key[0] is session) >= SUBSCRIPTIONS_MAX:
            session.fail(req_id, *_TOO_MANY)
        elif rows < 1 or kind is SecurityType.INDEX or (exchange == "SMART") != is_smart:
            session.fail(req_id, *_NO_DEPTH)
        else:
            line = _DepthLine(session, req_id, security, rows, is_smart)
            self._lines[session, req_id] = line
            top = self._market.top(security.instrument_id)
            if top is not None:
                line.on_quote(top)
                line.on_time(self._clock.now_ns())

    def _cancel(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        if self._lines.pop((session, req_id), None) is None:
            session.fail(req_id, _NOT_FOUND[0], f"{_NOT_FOUND[1]}{req_id}")


class _DepthLine:
    def __init__(self, session: Session, req_id: int, security: Security, rows: int, is_smart: bool) -> None:
        self.instrument_id: InstrumentId = security.instrument_id
        self._session = session
        self._req_id = req_id
        self._rows = rows
        self._is_smart = is_smart
        self._tick_px = security.instrument.min_tick
        self._venues = [one for one in security.valid_exchanges.split(",") if one != "SMART"]
        self._told: dict[int, list[Row]] = {_ASK: [], _BID: []}
        self._quote: BookTop | None = None
        self._next_ns = 0

    def on_quote(self, quote: BookTop) -> None:
        self._quote = quote

    def on_time(self, now_ns: int) -> None:
        if self._quote is None or now_ns < self._next_ns:
            return
        quote, self._quote = self._quote, None
        self._next_ns = now_ns + SAMPLE_NS
        self._tell(_BID, list(ladder(quote.bid_px, quote.bid_qty, -self._tick_px, self._rows)))
        self._tell(_ASK, list(ladder(quote.ask_px, quote.ask_qty, self._tick_px, self._rows)))

    def _tell(self, side: int, rows: list[Row]) -> None:
        told = self._told[side]
        for position in reversed(range(len(rows), len(told))):
            self._row(position, _DELETE, side, (Decimal(0), Decimal(0)))
        for position, row in enumerate(rows):
            if position >= len(told):
                self._row(position, _INSERT, side, row)
            elif told[position] != row:
                self._row(position, _UPDATE, side, row)
        self._told[side] = rows

    def _row(self, position: int, operation: int, side: int, row: Row) -> None:
        values: Values = {
            "req_id": self._req_id,
            "position": position,
            "operation": operation,
            "side": side,
            "price": row[0],
            "size": row[1],
        }
        if self._is_smart:
            venue = self._venues[position % len(self._venues)]
            self._session.send_values(found.MARKET_DEPTH_L2, {**values, "market_maker": venue, "is_smart": True})
        else:
            self._session.send_values(found.MARKET_DEPTH, values)


def ladder(px: Decimal | None, qty: Decimal, step: Decimal, rows: int) -> Iterator[Row]:
    """Yield price and size of the rows of a side, best first; none where nobody quotes or prices end at zero."""
    if px is None:
        return
    yield px, qty
    for n in range(1, rows):
        behind = px + n * step
        if behind <= 0:
            return
        share = _SMALL_SHARES[int(behind / abs(step)) % len(_SMALL_SHARES)]
        yield behind, max(Decimal(1), (qty * share).to_integral_value())
