"""The faults of a gateway: asks the engine at every point, and does what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ibfloor.model.errors import ConfigError
from ibfloor.sim.faults import Fault, FaultEngine, FaultPlan, FaultRow, Now
from ibfloor.sim.faults import actions as do
from ibfloor.sim.faults.plan import CONNECT, LEAVE, START, WHAT_IF, check_fault, check_plan
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.orders import OPEN_ORDER
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.events import (
    BrokerEvent,
    ComboExecuted,
    Executed,
    OrderBound,
    OrderCanceled,
    OrderPreviewed,
    OrderShown,
    Refused,
    Warned,
)
from ibfloor.sim.gateway.faults.host import Host
from ibfloor.sim.gateway.faults.links import LinkFaults
from ibfloor.sim.gateway.faults.messages import MessageFaults
from ibfloor.sim.gateway.faults.orders import OrderFaults
from ibfloor.sim.gateway.faults.points import check_points
from ibfloor.sim.gateway.faults.states import States
from ibfloor.sim.gateway.faults.timers import Timers
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.gateway.values import text_of

_EVENT_POINTS: dict[type[BrokerEvent], str] = {
    OrderShown: "event:shown",
    Executed: "event:filled",
    ComboExecuted: "event:combo_filled",
    OrderCanceled: "event:canceled",
    OrderPreviewed: "event:previewed",
    OrderBound: "event:bound",
    Refused: "event:refused",
    Warned: "event:warned",
}


class FaultDesk:
    """Everything that goes wrong at one gateway. Owner: the gateway's one thread.

    Raises ``ConfigError`` for a plan with a fault that could never happen.
    """

    def __init__(self, host: Host, plan: FaultPlan) -> None:
        check_plan(plan)
        for fault in plan.faults:
            check_points(fault)
        self._host = host
        self.engine = FaultEngine(plan, self._now())
        self.timers = Timers(host.clock.now_ns)
        self._outward = MessageFaults(self.engine, self.timers, Session.deliver)
        self._inward = MessageFaults(self.engine, self.timers, self._serve_plainly)
        self._states = States(host, self.timers)
        self._links = LinkFaults(host, self.timers)
        self._orders = OrderFaults(host, self.timers)

    # -- the console

    def inject(self, fault: Fault) -> None:
        """Arm a fault now; raise ``ConfigError`` for one of no use or whose name is taken."""
        check_fault(fault)
        check_points(fault)
        self._orders.check(fault)
        self.engine.add(fault, self._now())
        self.on_time(self._host.clock.now_ns())

    def clear(self, name: str) -> None:
        """Disarm a fault and end what it does; raise ``ConfigError`` when none has the name."""
        if not self.engine.remove(name):
            raise ConfigError(f"no fault is named {name!r}; 'ibfloor gateway fault list' names them")
        self._states.clear(name)
        self._links.clear(name)
        self.timers.hurry(name)
        self.timers.run(self._host.clock.now_ns())

    def rows(self) -> list[FaultRow]:
        """Return how every fault stands."""
        return list(self.engine.rows())

    def check(self) -> None:
        """Raise ``ConfigError`` for a fault of the plan that names an account or a symbol that is none here."""
        for fault in self.engine.armed():
            self._orders.check(fault)

    # -- points

    def on_time(self, now_ns: int, point: str = "") -> None:
        """Let happen what time alone decides, what was put off until now, and what is of a time of night."""
        self.timers.run(now_ns)
        for fault in self.engine.at(point, self._now()) if point else ():
            self._apply(fault, None, is_timed=True)
        for fault in self.engine.due(Now(now_ns, self._host.clock.wall_ns())):
            self._apply(fault, None, is_timed=True)

    def on_connect(self, session: Session) -> bool:
        """Tell whether a new connection is taken."""
        self._fire(CONNECT, session)
        if self._links.refuses("silent"):
            session.plug()
        return not (session.is_closing or self._links.refuses("closed"))

    def on_start(self, session: Session, client_id: int) -> bool:
        """Tell whether a client may start the API."""
        if self._links.refuses("greeted", client_id):
            session.close()
            return False
        return True

    def on_started(self, session: Session, farms: Iterable[tuple[int, str]]) -> None:
        """Tell a new client how the farms are, or that IB is away; and let happen what was to happen then."""
        self._states.tell_farms(session, farms)
        self._fire(START, session)

    def unread_max(self, session: Session) -> int:
        """Return how many bytes a client may leave unread before it is dropped."""
        return self._links.unread_max(session.client_id)

    def holds_id(self, client_id: int) -> bool:
        """Tell whether a client id counts as in use though its client has gone."""
        return self._links.holds_id(client_id, self._host.clock.now_ns())

    def on_leave(self, session: Session) -> None:
        """Forget a session."""
        self._fire(LEAVE, session)
        self._links.on_leave(session)
        for part in (self._outward, self._inward, self._states):
            part.drop(session)

    def outgoing(self, session: Session, message: Table, values: Values) -> None:
        """Deliver a message, or do to it what a fault says."""
        if self._states.is_any:
            if not self._states.lets_out(session, message):
                return
            values = self._states.delayed(session, message, values)
        point = WHAT_IF if message is OPEN_ORDER and values.get("what_if") else f"out:{message.name}"
        fired: list[Fault] = []
        if self.engine.watches(point):
            fired = self._fire(
                point, session, self._host.streams.subject_of(session, values), text_of(values, "account")
            )
        if fired or self._outward.is_holding(session):
            self._outward.send(session, message, values, fired)
        elif not session.is_closing:
            session.deliver(message, values)

    def incoming(self, session: Session, request: Table, values: Values) -> None:
        """Serve a request, or do to it what a fault says."""
        fired = self._fire(
            f"in:{request.name}", session, self._host.streams.symbol_of(values), text_of(values, "account")
        )
        if session.is_closing or not self._states.lets_in(session, request, values):
            return
        if any(isinstance(fault.what, do.RequestAction) for fault in fired):
            self._orders.serve(session, request, values, fired)
        else:
            self._inward.send(session, request, values, fired)

    def on_event(self, event: BrokerEvent) -> bool:
        """Tell whether clients hear of an event now."""
        point = _EVENT_POINTS[type(event)]
        if self.engine.watches(point):
            subject = event if isinstance(event, Refused) else event.order
            symbol = "" if isinstance(subject, Refused) else subject.ticket.instrument.contract.symbol
            account = "" if isinstance(subject, Refused) else subject.ticket.account
            for fault in self.engine.at(point, self._now(), subject.client_id, symbol, account):
                self._apply(fault, self._host.sessions.get(subject.client_id))
                self._orders.at_event(fault, event)
        return self._states.lets_tell(event)

    def deaf_to(self, event: BrokerEvent) -> Callable[[int], bool] | None:
        """Tell by their ids which clients do not hear of an event that others hear of; ``None``: all hear."""
        return self._states.deaf_to(event)

    # -- inside

    def _now(self) -> Now:
        return Now(self._host.clock.now_ns(), self._host.clock.wall_ns())

    def _fire(self, point: str, session: Session, symbol: str = "", account: str = "") -> list[Fault]:
        if not self.engine.watches(point):
            return []
        fired = self.engine.at(point, self._now(), session.client_id, symbol, account)
        for fault in fired:
            self._apply(fault, session)
        return fired

    def _apply(self, fault: Fault, session: Session | None, *, is_timed: bool = False) -> None:
        self._links.apply(fault, session, is_timed=is_timed)
        self._states.begin(fault)
        self._orders.at_any_time(fault)

    def _serve_plainly(self, session: Session, request: Table, values: Values) -> None:
        self._host.route(session, request, values)
