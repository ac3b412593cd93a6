"""All desks of those who study the market, behind one door."""

from __future__ import annotations

from collections.abc import Callable

from ibfloor.sim.exchange.values import MarketTick
from ibfloor.sim.gateway.clock import SimClock
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.depth_desk import DepthDesk
from ibfloor.sim.gateway.option_desk import OptionDesk
from ibfloor.sim.gateway.past_desk import PastDesk
from ibfloor.sim.gateway.refusal_desk import RefusalDesk
from ibfloor.sim.gateway.scanner_desk import ScannerDesk
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.market.source import Market


class StudyDesk:
    """Depth, scanners, options, past ticks, and what is refused. Owner: the gateway's one thread."""

    def __init__(self, market: Market, clock: SimClock) -> None:
        self._depth = DepthDesk(market, clock)
        self._scanner = ScannerDesk(market, clock)
        self._desks = (self._depth, self._scanner, OptionDesk(market, clock), PastDesk(market, clock), RefusalDesk())
        self.routes: dict[Table, Callable[[Session, Values], None]] = {}
        for desk in self._desks:
            self.routes.update(desk.routes)

    def drop(self, session: Session) -> None:
        """Forget a session's subscriptions."""
        for desk in self._desks:
            desk.drop(session)

    def on_tick(self, tick: MarketTick) -> None:
        """Let a tick into everything that follows the market."""
        self._depth.on_tick(tick)

    def on_time(self, now_ns: int) -> None:
        """Tell what is due."""
        self._depth.on_time(now_ns)
        self._scanner.on_time(now_ns)
