"""What follows when a broker session comes or goes: entries are held, then reconciled, then let through."""

from __future__ import annotations

from collections.abc import Callable

from ibfloor.manager.floor_state import Applied
from ibfloor.manager.reconciler import Reconciler
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.model.fact import OrderDoubted, OrderFilled, SessionChanged, SessionState
from ibfloor.model.ids import UNASSIGNED, StrategyId

MASTER = "master"
DATA = "data"
_LOST = (SessionState.DISCONNECTED, SessionState.DEGRADED, SessionState.FAILED)


class SessionWatch:
    """Observes session facts. Owner: the queue's thread.

    The account's session shuts the whole gate while it is down, a strategy's own session only that
    strategy's. Either opens again when a reconciliation that began after the reconnect has settled.
    Lost market data holds nothing here: the gate refuses entries on old quotes by itself, and the loss
    guard holds those whose losses it can no longer see.
    """

    def __init__(self, gate: SharedGate, reconciler: Reconciler, tell: Callable[[SessionChanged], None]) -> None:
        self._gate = gate
        self._reconciler = reconciler
        self._tell = tell
        self._lost: set[str] = set()

    def observe(self, applied: Applied) -> None:
        """React to a fact."""
        match applied.fact:
            case OrderDoubted():
                self._reconciler.nudge()
            case OrderFilled() if applied.fact.strategy == UNASSIGNED:
                self._reconciler.nudge()  # somebody else trades: learn what the instrument is, and compare
        if isinstance(applied.fact, SessionChanged):
            self._react(applied.fact)
            self._tell(applied.fact)

    def _react(self, fact: SessionChanged) -> None:
        if fact.session == DATA:
            return
        is_up = fact.state is SessionState.CONNECTED
        strategy = None if fact.session == MASTER else StrategyId(fact.session)
        if fact.state in _LOST:
            self._lost.add(fact.session)
            self._gate.hold(_down(fact.session), f"session {fact.session} is {fact.state.lower()}", strategy)
        elif is_up and (fact.session in self._lost or fact.detail):
            self._lost.discard(fact.session)
            # Two holds: a pass that ends later must not lift the one of a new outage.
            self._reconciler.request(f"session {fact.session} reconciling", "reconciling after a reconnect", strategy)
            self._gate.lift(_down(fact.session), strategy)


def _down(session: str) -> str:
    return f"session {session} down"
