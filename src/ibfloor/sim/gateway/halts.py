"""Trading halts: clients are told by tick 49, quotes go on, and nothing trades until the halt is over."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.model.ids import InstrumentId
from ibfloor.sim.exchange.values import BookTop, MarketTick
from ibfloor.sim.gateway.clock import SimClock
from ibfloor.sim.gateway.market_desk import MarketDesk
from ibfloor.sim.gateway.mishaps import FallibleBroker
from ibfloor.sim.market.source import Market

NOT_HALTED, GENERAL, VOLATILITY = 0, 1, 2
_NOTHING = Decimal(0)


class Halts:
    """Who is halted just now. Owner: the gateway's one thread."""

    def __init__(self, market: Market, clock: SimClock, broker: FallibleBroker, desk: MarketDesk) -> None:
        self._market = market
        self._clock = clock
        self._broker = broker
        self._desk = desk
        self._halted: set[InstrumentId] = set()

    def stop(self, symbol: str, kind: int) -> None:
        """Stop a symbol's trading; one that is not listed has none."""
        security = self._market.master.by_symbol(symbol)
        if security is None:
            return
        instrument_id = security.instrument_id
        self._halted.add(instrument_id)
        self._broker.on_tick(
            BookTop(
                instrument_id=instrument_id,
                ts_ns=self._clock.now_ns(),
                bid_px=None,
                bid_qty=_NOTHING,
                ask_px=None,
                ask_qty=_NOTHING,
            )
        )
        self._desk.halt(instrument_id, kind)

    def go_on(self, symbol: str) -> None:
        """Let a symbol trade again, at the newest quote."""
        security = self._market.master.by_symbol(symbol)
        if security is None or security.instrument_id not in self._halted:
            return
        self._halted.discard(security.instrument_id)
        self._desk.halt(security.instrument_id, NOT_HALTED)
        top = self._market.top(security.instrument_id)
        if top is not None:
            self._broker.on_tick(top)

    def holds(self, tick: MarketTick) -> bool:
        """Tell whether nothing comes of a tick but the quote that clients see."""
        if tick.instrument_id not in self._halted:
            return False
        if isinstance(tick, BookTop):
            self._desk.on_tick(tick)
        return True
