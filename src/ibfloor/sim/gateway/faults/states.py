"""Faults that last: no upstream, no farm, no permission, no writing, another session."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ibfloor.sim.faults import Fault
from ibfloor.sim.faults import actions as do
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec import responses as tell
from ibfloor.sim.gateway.codec.kinds import Scalar, Values
from ibfloor.sim.gateway.codec.orders import PLACE_ORDER
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.events import BrokerEvent, ComboExecuted, Executed, OrderPreviewed
from ibfloor.sim.gateway.faults.host import Host
from ibfloor.sim.gateway.faults.timers import Timers
from ibfloor.sim.gateway.halts import GENERAL, VOLATILITY
from ibfloor.sim.gateway.session import NO_REQUEST, Session
from ibfloor.sim.gateway.streams import CLOSER_OF, StreamKind
from ibfloor.sim.gateway.values import number_of

ORDER_REQUESTS = frozenset({PLACE_ORDER, ask.CANCEL_ORDER, ask.REQ_GLOBAL_CANCEL})
QUOTE_MESSAGES = frozenset(
    {
        tell.TICK_PRICE,
        tell.TICK_SIZE,
        tell.TICK_GENERIC,
        tell.TICK_STRING,
        tell.TICK_BY_TICK,
        tell.REAL_TIME_BAR,
        tell.HISTORICAL_UPDATE,
    }
)
_UPSTREAM = {
    1100: "Connectivity between IBKR and Trader Workstation has been lost.",
    1101: "Connectivity between IBKR and Trader Workstation has been restored - data lost.",
    1102: "Connectivity between IBKR and Trader Workstation has been restored - data maintained.",
    2110: "Connectivity between Trader Workstation and server is broken. It will be restored automatically.",
}
_COMPETING = (10197, "No market data during competing live session")
_READ_ONLY = (321, "Error validating request.-'bH' : cause - The API interface is currently in Read-Only mode.")
_DELAYED = (10167, "Requested market data is not subscribed. Displaying delayed market data.")
_NO_PERMISSION = {
    354: "Requested market data is not subscribed.",
    10089: "Requested market data requires additional subscription for API. Delayed market data is available.",
    10090: "Part of requested market data is not subscribed. Delayed market data is available.",
    10168: "Requested market data is not subscribed. Delayed market data is not enabled.",
}
_DELAYED_KIND = {1: 66, 2: 67, 4: 68, 0: 69, 3: 70, 5: 71, 6: 72, 7: 73, 8: 74, 9: 75, 14: 76, 45: 88, 49: 90}
"""From the type of a live tick to that of a delayed one."""

Lasting = do.LoseUpstream | do.FarmDown | do.Halt | do.Compete | do.Withhold | do.ReadOnly | do.NoPermission


class _Lasting:
    """A fault that goes on, whom it strikes, and what waits for its end."""

    def __init__(self, action: Lasting, strikes: tuple[int, ...]) -> None:
        self.action = action
        self.strikes = strikes
        self.events: list[BrokerEvent] = []
        self.requests: list[tuple[Session, Table, Values]] = []

    def hits(self, client_id: int | None) -> bool:
        return not self.strikes or client_id in self.strikes


class States:
    """What is wrong just now, and what that does. Owner: the gateway's one thread."""

    def __init__(self, host: Host, timers: Timers) -> None:
        self._host = host
        self._timers = timers
        self._on: dict[str, _Lasting] = {}
        self._data_types: dict[Session, int] = {}
        self._delayed: set[tuple[Session, int]] = set()

    # -- beginning and end

    def begin(self, fault: Fault) -> None:
        """Let a fault happen."""
        struck = [one for one in self._host.sessions.values() if not fault.strikes or one.client_id in fault.strikes]
        match fault.what:
            case do.Notice(code=code, text=text, copies=copies):
                _tell(struck, code, text, copies)
                return
            case do.LoseStreams(streams=streams, code=code, text=text):
                for session in struck:
                    self._end_streams(session, StreamKind(streams), code, text)
                return
            case do.LoseUpstream(code=code, copies=copies):
                _tell(struck, code, _UPSTREAM[code], copies)
            case do.FarmDown(farm=farm, history=False):
                _tell(struck, 2103, f"Market data farm connection is broken:{farm}")
            case do.FarmDown(farm=farm):
                _tell(struck, 2105, f"HMDS data farm connection is broken:{farm}")
            case do.Halt(symbol=symbol, volatility=is_volatile):
                self._host.halts.stop(symbol, VOLATILITY if is_volatile else GENERAL)
            case do.Compete():
                for session in struck:
                    self._end_streams(session, StreamKind.QUOTES, *_COMPETING)
            case do.Withhold() | do.ReadOnly() | do.NoPermission():
                pass
            case _:
                return  # nothing that lasts
        if fault.name not in self._on:
            self._on[fault.name] = _Lasting(fault.what, fault.strikes)
            if fault.what.for_s:
                self._timers.after(fault.what.for_s, lambda: self.clear(fault.name), fault.name)

    def clear(self, name: str) -> None:
        """End what a fault does."""
        lasting = self._on.pop(name, None)
        if lasting is None:
            return
        struck = [one for one in self._host.sessions.values() if lasting.hits(one.client_id)]
        match lasting.action:
            case do.LoseUpstream():
                self._find_upstream(lasting, lasting.action, struck)
            case do.FarmDown(farm=farm, history=True):
                _tell(struck, 2106, f"HMDS data farm connection is OK:{farm}")
            case do.FarmDown(farm=farm):
                _tell(struck, 2104, f"Market data farm connection is OK:{farm}")
            case do.Halt(symbol=symbol):
                self._host.halts.go_on(symbol)
            case do.Withhold():
                self._tell_waiting(lasting)
            case _:
                pass  # nothing to make good

    def drop(self, session: Session) -> None:
        """Forget a session."""
        self._data_types.pop(session, None)
        self._delayed = {key for key in self._delayed if key[0] is not session}

    @property
    def is_any(self) -> bool:
        """Tell whether anything lasts just now."""
        return bool(self._on)

    # -- what goes out

    def tell_farms(self, session: Session, farms: Iterable[tuple[int, str]]) -> None:
        """Tell a new client how the farms are; while IB is away, that it is."""
        lasting = [one.action for one in self._on.values() if one.hits(session.client_id)]
        away = [(one.code, _UPSTREAM[one.code]) for one in lasting if isinstance(one, do.LoseUpstream)]
        for code, text in away[:1] or farms:
            session.fail(NO_REQUEST, code, text)

    def lets_out(self, session: Session, message: Table) -> bool:
        """Tell whether a message reaches its client."""
        if message not in QUOTE_MESSAGES:
            return True
        for lasting in self._on.values():
            match lasting.action:
                case _ if not lasting.hits(session.client_id):
                    pass
                case do.LoseUpstream() | do.FarmDown(history=False):
                    return False
                case do.FarmDown() if message is tell.HISTORICAL_UPDATE:
                    return False
                case _:
                    pass
        return True

    def delayed(self, session: Session, message: Table, values: Values) -> Values:
        """Return a quote as a client without permission sees it."""
        if not self._delayed or (session, number_of(values, "req_id")) not in self._delayed:
            return values
        if message is tell.MARKET_DATA_TYPE:
            return {**values, "type": 3}
        if message in QUOTE_MESSAGES and "type" in values:
            kind = number_of(values, "type")
            return {**values, "type": _DELAYED_KIND.get(kind, kind)}
        return values

    def lets_tell(self, event: BrokerEvent) -> bool:
        """Tell whether clients hear of an event now; one told late is kept."""
        for lasting in self._on.values():
            if not lasting.strikes and _hides(lasting.action, event):
                _keep(lasting, event)
                return False
        return True

    def deaf_to(self, event: BrokerEvent) -> Callable[[int], bool] | None:
        """Tell by their ids which clients do not hear of it though others do; one told late is kept for them."""
        hiding = [one for one in self._on.values() if one.strikes and _hides(one.action, event)]
        for lasting in hiding:
            _keep(lasting, event)
        return (lambda client_id: any(one.hits(client_id) for one in hiding)) if hiding else None

    # -- what comes in

    def lets_in(self, session: Session, request: Table, values: Values) -> bool:
        """Tell whether a request is served; if not, it waits or has been answered."""
        if request is ask.REQ_MARKET_DATA_TYPE:
            self._data_types[session] = number_of(values, "type")
        for lasting in list(self._on.values()):
            if not lasting.hits(session.client_id):
                continue
            action = lasting.action
            refusal = self._refusal(action, session, request, values)
            if refusal is not None:
                key = "order_id" if request in ORDER_REQUESTS else "req_id"
                session.fail(number_of(values, key) or NO_REQUEST, *refusal)
                return False
            if isinstance(action, do.LoseUpstream) and request in ORDER_REQUESTS and not values.get("what_if"):
                lasting.requests.append((session, request, values))
                return False
        return True

    def _refusal(self, action: Lasting, session: Session, request: Table, values: Values) -> tuple[int, str] | None:
        match action:
            case do.ReadOnly() if request in ORDER_REQUESTS:
                return _READ_ONLY
            case do.Compete() if request is ask.REQ_MKT_DATA:
                return _COMPETING
            case do.FarmDown(history=True) if request is ask.REQ_HISTORICAL_DATA:
                return 162, "Historical Market Data Service error message:HMDS server connection was lost."
            case do.NoPermission() if request in (ask.REQ_MKT_DATA, ask.REQ_TICK_BY_TICK):
                return self._permission(action, session, request, values)
            case _:
                return None

    def _permission(
        self, action: do.NoPermission, session: Session, request: Table, values: Values
    ) -> tuple[int, str] | None:
        if action.symbols and self._host.streams.symbol_of(values) not in action.symbols:
            return None
        wants_delayed = self._data_types.get(session, 1) in (3, 4)
        if not (action.delayed and wants_delayed and request is ask.REQ_MKT_DATA):
            return action.code, _NO_PERMISSION[action.code]
        req_id = number_of(values, "req_id")
        self._delayed.add((session, req_id))
        session.fail(req_id, *_DELAYED)
        return None

    # -- inside

    def _end_streams(self, session: Session, kind: StreamKind, code: int, text: str) -> None:
        for req_id in self._host.streams.of(session, kind):
            cancel: dict[str, Scalar] = {"req_id": req_id}
            self._host.route(session, CLOSER_OF[kind], cancel)
            session.fail(req_id, code, text)

    def _find_upstream(self, lasting: _Lasting, action: do.LoseUpstream, struck: list[Session]) -> None:
        if action.data_lost:
            for session in struck:
                self._host.drop_streams(session)
        code = 1101 if action.data_lost else 1102
        still_lost = [other for other in self._on.values() if isinstance(other.action, do.LoseUpstream)]
        found = [one for one in struck if not any(other.hits(one.client_id) for other in still_lost)]
        _tell(found, code, _UPSTREAM[code])
        self._tell_waiting(lasting)
        self._host.broker.forks_changes = action.fork
        for session, request, values in lasting.requests:
            if not session.is_closing:
                self._host.route(session, request, values)
        self._host.broker.forks_changes = False

    def _tell_waiting(self, lasting: _Lasting) -> None:
        for event in lasting.events:
            if lasting.strikes:
                self._host.tell_event(event, lambda client_id: not lasting.hits(client_id))
            elif self.lets_tell(event):  # another fault may go on
                self._host.tell_event(event, self.deaf_to(event))


def _tell(sessions: list[Session], code: int, text: str, copies: int = 1) -> None:
    for session in sessions:
        for _ in range(copies):
            session.fail(NO_REQUEST, code, text)


def _hides(action: Lasting, event: BrokerEvent) -> bool:
    match action:
        case _ if isinstance(event, OrderPreviewed):
            return False
        case do.LoseUpstream(orders="late" | "lost"):
            return True
        case do.Withhold():
            return isinstance(event, Executed | ComboExecuted)
        case _:
            return False


def _keep(lasting: _Lasting, event: BrokerEvent) -> None:
    if not isinstance(lasting.action, do.LoseUpstream) or lasting.action.orders == "late":
        lasting.events.append(event)
