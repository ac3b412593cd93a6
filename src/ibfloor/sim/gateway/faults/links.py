"""Faults of connections: half-open, reset, refused, restarted, moved to another port."""

from __future__ import annotations

from collections.abc import Callable

from ibfloor.model.moment import NS_PER_S
from ibfloor.sim.faults import Fault
from ibfloor.sim.faults import actions as do
from ibfloor.sim.gateway.codec import responses as tell
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.faults.host import Host
from ibfloor.sim.gateway.faults.timers import Timers
from ibfloor.sim.gateway.session import NO_REQUEST, Session

_MOVED = "TWS socket port has been reset and this connection is being dropped. Please reconnect on the new port - {}"


UNREAD_MAX = 64 * 1024 * 1024
"""A client that leaves more bytes unread is dropped, as IB does: it would take all memory."""


class LinkFaults:
    """Troubles sockets. Owner: the gateway's one thread."""

    def __init__(self, host: Host, timers: Timers) -> None:
        self._host = host
        self._timers = timers
        self._refusals: dict[str, tuple[do.Refuse, tuple[int, ...]]] = {}
        self._caps: dict[str, tuple[int, frozenset[int] | None]] = {}
        self._ends: dict[str, list[Callable[[], None]]] = {}
        self._held_ids: dict[int, int] = {}
        self._holds_next_s: dict[int | None, float] = {}

    def apply(self, fault: Fault, passing: Session | None, *, is_timed: bool = False) -> None:
        """Do what a fault does: to the clients it names, to the one that passed, or (``is_timed``) to all."""
        sessions = list(self._host.sessions.values())
        if fault.strikes:
            sessions = [one for one in sessions if one.client_id in fault.strikes]
        elif not is_timed:
            sessions = [] if passing is None else [passing]
        match fault.what:
            case do.Mute(way=way, for_s=for_s):
                for one in sessions:
                    self._mute(fault.name, one, way, for_s)
            case do.CapBuffer(size=size):
                self._caps[fault.name] = size, self._capped(fault, passing, is_timed=is_timed)
            case do.Reset(after_bytes=0):
                for one in sessions:
                    one.reset()
            case do.Reset(after_bytes=size):
                for one in sessions:
                    one.bytes_left = size
            case do.Refuse():
                self._refuse(fault.name, fault.what, fault.strikes)
            case do.MovePort(port=port):
                self._move(port)
            case do.HoldId(for_s=for_s):
                self._hold(fault, passing, for_s, is_timed=is_timed)
            case do.Restart():
                self._restart(fault.name, fault.what)
            case do.KillProcess():
                if self._host.links is not None:
                    self._host.links.kill_process()
            case _:
                pass  # not of a connection

    def refuses(self, how: str, client_id: int | None = None) -> bool:
        """Tell whether a connection is refused this way now."""
        return any(
            refusal.how == how and (not strikes or client_id in strikes) for refusal, strikes in self._refusals.values()
        )

    def unread_max(self, client_id: int | None) -> int:
        """Return how many bytes a client may leave unread."""
        caps = [size for size, clients in self._caps.values() if clients is None or client_id in clients]
        return min(caps, default=UNREAD_MAX)

    def holds_id(self, client_id: int, now_ns: int) -> bool:
        """Tell whether a client id counts as in use though its client has gone."""
        return now_ns < self._held_ids.get(client_id, 0)

    def on_leave(self, session: Session) -> None:
        """Hold the id of a client that leaves, when the next one's, or its own, is to be held."""
        if session.client_id is None:
            return
        for key in (session.client_id, None):
            if key in self._holds_next_s:
                self._hold_now(session.client_id, self._holds_next_s.pop(key))
                return

    def clear(self, name: str) -> None:
        """End what a fault goes on doing."""
        self._refusals.pop(name, None)
        self._caps.pop(name, None)
        for end in self._ends.pop(name, ()):
            end()

    def _capped(self, fault: Fault, passing: Session | None, *, is_timed: bool) -> frozenset[int] | None:
        if fault.strikes or is_timed:
            return frozenset(fault.strikes) or None
        client_id = None if passing is None else passing.client_id
        return None if client_id is None else frozenset({client_id})

    def _mute(self, name: str, session: Session, way: str, for_s: float) -> None:
        ends: list[Callable[[], None]] = []
        if way in ("out", "both"):
            session.stall()
            ends.append(session.resume)
        if way in ("in", "both"):
            session.plug()
            ends.append(session.unplug)
        self._ends.setdefault(name, []).extend(ends)
        if for_s:
            self._timers.after(for_s, lambda: self.clear(name), name)

    def _refuse(self, name: str, refusal: do.Refuse, strikes: tuple[int, ...] = ()) -> None:
        self._refusals[name] = refusal, strikes
        if refusal.for_s:
            self._timers.after(refusal.for_s, lambda: self.clear(name), name)

    def _hold(self, fault: Fault, passing: Session | None, for_s: float, *, is_timed: bool) -> None:
        if fault.strikes:
            self._holds_next_s.update(dict.fromkeys(fault.strikes, for_s))
        elif is_timed:
            self._holds_next_s[None] = for_s
        elif passing is not None and passing.client_id is not None:
            self._hold_now(passing.client_id, for_s)

    def _hold_now(self, client_id: int, for_s: float) -> None:
        self._held_ids[client_id] = self._host.clock.now_ns() + int(for_s * NS_PER_S)

    def _restart(self, name: str, restart: do.Restart) -> None:
        if restart.closing_s:
            for session in self._host.sessions.values():
                session.plug()
            self._timers.after(restart.closing_s, lambda: self._go_down(restart), name)
        else:
            self._go_down(restart)
        if restart.for_s:
            self._refuse(name, do.Refuse(for_s=restart.closing_s + restart.for_s))

    def _go_down(self, restart: do.Restart) -> None:
        for session in self._host.sessions.values():
            session.reset()
        if self._host.links is not None:
            self._host.links.drop_connections()  # those that have not started the API, too
        self._host.broker.roll_back_ids(restart.rollback)

    def _move(self, port: int) -> None:
        links = self._host.links
        if links is None:
            return
        port = links.move(port)
        for session in self._host.sessions.values():
            time_ms = self._host.clock.now_ns() // 1_000_000
            values: Values = {"req_id": NO_REQUEST, "code": 1300, "text": _MOVED.format(port), "time_ms": time_ms}
            session.deliver(tell.ERROR, values)
            session.close()
