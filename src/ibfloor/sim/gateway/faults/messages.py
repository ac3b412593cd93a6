"""Faults of single messages: lost, doubled, late, out of order, changed, cut, surrounded by noise."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ibfloor.sim.faults import Fault, FaultEngine
from ibfloor.sim.faults import actions as do
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.faults.shapes import reshaped
from ibfloor.sim.gateway.faults.timers import Timers
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.gateway.wire import frame

Pass = Callable[[Session, Table, Values], None]


class _Held:
    def __init__(self, release: Callable[[], None], message: Table, action: do.Reorder) -> None:
        self.release = release
        self.message = message
        self.behind = action.behind
        self.behind_message = action.behind_message

    def lets_go_after(self, message: Table) -> bool:
        if self.behind_message:
            return message.name == self.behind_message
        self.behind -= 1
        return self.behind <= 0


class MessageFaults:
    """Passes messages of one direction on, with their faults. ``pass_on`` is where they go."""

    def __init__(self, engine: FaultEngine, timers: Timers, pass_on: Pass) -> None:
        self._engine = engine
        self._timers = timers
        self._pass = pass_on
        self._held: dict[Session, list[_Held]] = {}

    def send(self, session: Session, message: Table, values: Values, faults: list[Fault]) -> None:
        """Pass one message on, or not."""
        copies = [values]
        for fault in faults:
            match fault.what:
                case do.Drop():
                    return
                case do.Rewrite(fields=fields, unset=unset):
                    copies = [{**one, **fields, **dict.fromkeys(unset)} for one in copies]
                case do.Reshape(shape=shape):
                    copies = [reshaped(one, shape) for one in copies]
                case do.Duplicate(copies=more, fields=fields):
                    copies += [{**values, **fields}] * more
                case do.Delay(seconds=seconds):
                    self._timers.after(seconds, partial(self._pass_all, session, message, copies))
                    return
                case do.Reorder():
                    self._hold(session, message, copies, fault.what)
                    return
                case do.Garbage(size=size, framed=framed):
                    noise = self._engine.random_bytes(fault.name, size)
                    session.queue(_framed(noise) if framed else noise)
                case do.Truncate(at=at):
                    session.queue(message.layout(session.version).encode(values)[:at])
                    return
                case do.Split(at=at, pause_s=pause_s):
                    data = message.layout(session.version).encode(values)
                    session.queue(data[:at])
                    session.stall()
                    session.queue(data[at:])
                    self._timers.after(pause_s, session.resume)
                    return
                case _:
                    pass  # not of a message
        self._pass_all(session, message, copies)
        self._let_go(session, message)

    def is_holding(self, session: Session) -> bool:
        """Tell whether messages of a session wait for others to pass."""
        return session in self._held

    def drop(self, session: Session) -> None:
        """Forget a session."""
        self._held.pop(session, None)

    def _pass_all(self, session: Session, message: Table, copies: list[Values]) -> None:
        for values in copies:
            if not session.is_closing:
                self._pass(session, message, values)

    def _hold(self, session: Session, message: Table, copies: list[Values], action: do.Reorder) -> None:
        held = _Held(lambda: self._pass_all(session, message, copies), message, action)
        self._held.setdefault(session, []).append(held)
        self._timers.after(action.at_most_s, lambda: self._release(session, held))

    def _let_go(self, session: Session, message: Table) -> None:
        for held in list(self._held.get(session, ())):
            if held.lets_go_after(message):
                self._release(session, held)

    def _release(self, session: Session, held: _Held) -> None:
        waiting = self._held.get(session, [])
        if held in waiting:
            waiting.remove(held)
            if not waiting:
                del self._held[session]
            held.release()


def _framed(noise: bytes) -> bytes:
    return frame([noise.decode("latin-1")])
