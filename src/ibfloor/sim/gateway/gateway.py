"""The simulated gateway: market, broker and sessions under one clock; no socket in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import time
from decimal import Decimal
from functools import partial

import msgspec

from ibfloor.model.ids import InstrumentId
from ibfloor.sim.account import SimAccount
from ibfloor.sim.exchange.engine import Exchange, IsRegular
from ibfloor.sim.faults import FaultPlan
from ibfloor.sim.gateway.account_desk import AccountDesk
from ibfloor.sim.gateway.book import Book
from ibfloor.sim.gateway.clock import SimClock
from ibfloor.sim.gateway.codec import responses as tell
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.combos import Combos
from ibfloor.sim.gateway.credit import Credit
from ibfloor.sim.gateway.events import BrokerEvent, Executed
from ibfloor.sim.gateway.exercise_desk import ExerciseDesk
from ibfloor.sim.gateway.faults.desk import FaultDesk
from ibfloor.sim.gateway.faults.host import Links
from ibfloor.sim.gateway.halts import Halts
from ibfloor.sim.gateway.happenings import AccountEvent
from ibfloor.sim.gateway.history_desk import HistoryDesk
from ibfloor.sim.gateway.lifecycle import Lifecycle
from ibfloor.sim.gateway.limits import LimitDesk, Limits
from ibfloor.sim.gateway.looks import Looks
from ibfloor.sim.gateway.market_desk import MarketDesk
from ibfloor.sim.gateway.marks import mark_of
from ibfloor.sim.gateway.mishaps import FallibleBroker
from ibfloor.sim.gateway.order_desk import OrderDesk
from ibfloor.sim.gateway.projector import Projector
from ibfloor.sim.gateway.reference_desk import ReferenceDesk
from ibfloor.sim.gateway.schedule import TIMES, ClockEvent, Schedule
from ibfloor.sim.gateway.session import NO_REQUEST, Session
from ibfloor.sim.gateway.streams import Streams
from ibfloor.sim.gateway.study_desk import StudyDesk
from ibfloor.sim.market.securities import Security
from ibfloor.sim.market.source import Market

_FARMS = (
    (2104, "Market data farm connection is OK:usfarm"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefnj"),
)
_CLOCK_NOTICE = 2199

Route = Callable[[Session, Values], None]


class Gateway:
    """Everything behind the socket. Owner: one thread; tests drive it without any.

    Without ``limits`` it takes whatever comes. Raises ``ConfigError`` for faults that make no sense.
    """

    def __init__(
        self,
        market: Market,
        account: SimAccount,
        clock: SimClock,
        *,
        faults: FaultPlan | None = None,
        limits: Limits | None = None,
        events: Sequence[AccountEvent] = (),
        times: Mapping[ClockEvent, time] = TIMES,
    ) -> None:
        self.clock = clock
        self.market = market
        self.book = Book(clock.now_ns)
        self.streams = Streams(market)
        self.links: Links | None = None
        """The sockets, where there are any."""
        self._sessions: dict[int, Session] = {}
        self._deaf: Callable[[int], bool] | None = None
        self._dirty: dict[Session, None] = {}
        combos = self._combos = Combos(market.master, market.top)
        exchange = _primed_exchange(market, self._is_regular, self._is_paused)
        self.broker = FallibleBroker(
            exchange, account, self._is_regular, self._price_of, self._on_event, Credit(market), combos
        )
        self.broker.looks = Looks(market, self._is_regular)
        self._day_ends = {one.instrument_id: _day_end_ns(one, clock.now_ns()) for one in market.master}
        self._next_day_end_ns = min(self._day_ends.values(), default=0)
        self.schedule = Schedule(clock.now_ns(), times)
        """The times of night: faults happen at them, and whatever else subscribes."""
        for event in ClockEvent:
            self.schedule.subscribe(event, partial(self._on_night, event))
        self.lifecycle = Lifecycle(self.broker, market, self.tell_position, events)
        self._projector = Projector(self._hearing)
        self._account_desk = AccountDesk(self.broker, market, clock)
        self._market_desk = MarketDesk(market, clock)
        self.halts = Halts(market, clock, self.broker, self._market_desk)
        self._history_desk = HistoryDesk(market, clock)
        self._study_desk = StudyDesk(market, clock)
        self._desks = (
            OrderDesk(self.broker, market, clock),
            self._account_desk,
            self._market_desk,
            self._history_desk,
            ReferenceDesk(market, clock),
            self._study_desk,
            ExerciseDesk(self.broker, self.lifecycle, market, clock),
        )
        self._routes: dict[Table, Route] = {}
        for desk in self._desks:
            self._routes.update(desk.routes)
        self.faults = FaultDesk(self, FaultPlan() if faults is None else faults)
        self.limits = None if limits is None else LimitDesk(limits, self.streams, clock.wall_ns)

    @property
    def sessions(self) -> dict[int, Session]:
        """Return the sessions that started the API, by client id; a copy."""
        return dict(self._sessions)

    def now_ns(self) -> int:
        """Return market time now."""
        return self.clock.now_ns()

    def join(self, session: Session, client_id: int) -> bool:
        """Take a session in and greet it; ``False`` when another has its client id."""
        if not self.faults.on_start(session, client_id):
            return True  # it has been closed without a word
        if client_id in self._sessions or self.faults.holds_id(client_id):
            return False
        if self.limits is not None and 0 < self.limits.limits.clients <= len(self._sessions):
            session.close()
            return True
        session.client_id = client_id
        self._sessions[client_id] = session
        self.clock.release()
        session.send(tell.MANAGED_ACCOUNTS, accounts=",".join(self.broker.accounts))
        session.send(tell.NEXT_VALID_ID, order_id=self.broker.next_order_id(client_id))
        self._announce_clock(session)
        self.faults.on_started(session, _FARMS)
        return True

    def leave(self, session: Session) -> None:
        """Forget a session and its subscriptions; its orders stay."""
        session.is_closing = True
        self.faults.on_leave(session)
        self.streams.drop(session)
        if self.limits is not None:
            self.limits.drop(session)
        if session.client_id is not None and self._sessions.get(session.client_id) is session:
            del self._sessions[session.client_id]
        self._dirty.pop(session, None)
        for desk in self._desks:
            desk.drop(session)

    def serve(self, session: Session, request: Table, values: Values) -> None:
        """Answer a request, within the limits and unless a fault says otherwise."""
        if self.limits is None or self.limits.admits(session, request, values):
            self.faults.incoming(session, request, values)

    def route(self, session: Session, request: Table, values: Values) -> None:
        """Answer a request, past limits and faults."""
        self.streams.on_request(session, request, values)
        self._routes[request](session, values)

    def drop_streams(self, session: Session) -> None:
        """End all market data of a session without a word."""
        self.streams.drop(session)
        self._market_desk.drop(session)
        self._history_desk.drop(session)
        self._study_desk.drop(session)

    def is_dirty(self, session: Session) -> None:
        """Remember to write what a session has queued."""
        self._dirty[session] = None

    def outgoing(self, session: Session, message: Table, values: Values) -> None:
        """Deliver a message, unless a fault says otherwise."""
        self.faults.outgoing(session, message, values)

    def sent(self, session: Session, message: Table, values: Values) -> None:
        """Note what a client was told of orders."""
        self.streams.on_sent(session, message, values)
        self.book.note_sent(session.client_id, message, values)

    def flush(self) -> None:
        """Write everything queued, one piece per session."""
        dirty, self._dirty = self._dirty, {}
        for session in dirty:
            session.flush()

    def step(self) -> None:
        """Let the market come up to the clock: match, tell, write."""
        now_ns = self.clock.now_ns()
        for tick in self.market.ticks(now_ns):
            if tick.ts_ns >= self.schedule.next_ns:
                self.schedule.on_time(tick.ts_ns)
            if tick.ts_ns >= self.faults.timers.next_ns:
                self.faults.on_time(tick.ts_ns)
            if self.halts.holds(tick):
                continue
            self.broker.on_tick(tick)
            self._market_desk.on_tick(tick)
            self._study_desk.on_tick(tick)
        self.schedule.on_time(now_ns)
        self.faults.on_time(now_ns)
        self.broker.on_time(now_ns)
        self.lifecycle.on_time(now_ns)
        if now_ns >= self._next_day_end_ns:
            self._end_days(now_ns)
        self._market_desk.on_time(now_ns)
        self._study_desk.on_time(now_ns)
        self._history_desk.on_time(now_ns)
        self._account_desk.on_time(now_ns)
        self.flush()

    def advance(self, by_ns: int) -> None:
        """Move a stepped clock, tell the clients, and let the market come up to it."""
        self.clock.advance(by_ns)
        for session in self._sessions.values():
            self._announce_clock(session)
        self.step()

    def dump_book(self) -> bytes:
        """Return the gateway's own record as JSON: the oracle of tests."""
        return msgspec.json.encode(self.book.report(self.broker))

    def _announce_clock(self, session: Session) -> None:
        if not self.clock.is_real:
            text = f"Simulated clock: market_ns={self.clock.now_ns()} speed={float(self.clock.speed)}"
            session.fail(NO_REQUEST, _CLOCK_NOTICE, text)

    def _on_event(self, event: BrokerEvent) -> None:
        self.book.note_event(event)
        if self.faults.on_event(event):
            self.tell_event(event, self.faults.deaf_to(event))

    def tell_event(self, event: BrokerEvent, deaf: Callable[[int], bool] | None = None) -> None:
        """Tell clients of an event, but those that are deaf to it."""
        self._deaf = deaf
        self._projector.tell(event)
        self._deaf = None
        if isinstance(event, Executed):
            self._account_desk.on_executed(event)

    def _hearing(self, client_id: int) -> Session | None:
        is_deaf = self._deaf is not None and self._deaf(client_id)
        return None if is_deaf else self._sessions.get(client_id)

    def tell_position(self, instrument_id: InstrumentId) -> None:
        """Tell subscribers how a position stands."""
        self._account_desk.on_position(instrument_id)

    def _on_night(self, event: ClockEvent, due_ns: int) -> None:
        self.faults.on_time(due_ns, f"clock:{event}")

    def _end_days(self, now_ns: int) -> None:
        for instrument_id, end_ns in self._day_ends.items():
            if now_ns >= end_ns:
                security = self.market.master.by_id(instrument_id)
                assert security is not None, "the ends are of the master's securities"
                self.broker.expire_day_orders(now_ns, instrument_id)
                next_ns = end_ns
                while next_ns <= now_ns:
                    self.lifecycle.on_day_end(security, next_ns)
                    next_ns = _day_end_ns(security, next_ns)
                self._day_ends[instrument_id] = next_ns
        self._next_day_end_ns = min(self._day_ends.values(), default=0)

    def _price_of(self, instrument_id: InstrumentId) -> Decimal:
        mark = mark_of(self.market, instrument_id)
        return Decimal(0) if mark is None else mark

    def _is_regular(self, instrument_id: InstrumentId, ts_ns: int) -> bool:
        security = self.market.master.by_id(self._combos.home(instrument_id))
        return security is not None and security.session.is_regular(ts_ns)

    def _is_paused(self, instrument_id: InstrumentId, ts_ns: int) -> bool:
        security = self.market.master.by_id(self._combos.home(instrument_id))
        return security is not None and security.session.is_paused(ts_ns)


def _primed_exchange(market: Market, is_regular: IsRegular, is_paused: IsRegular) -> Exchange:
    # what the market knows from before its first tick, orders may trade against
    exchange = Exchange(is_regular, is_paused)
    for security in market.master:
        for known in (market.last_print(security.instrument_id), market.top(security.instrument_id)):
            if known is not None:
                exchange.on_tick(known)
    return exchange


def _day_end_ns(security: Security, now_ns: int) -> int:
    hours = security.session.hours(security.session.day_of(now_ns))
    assert hours is not None, "day_of gives trading days"
    return hours[1]
