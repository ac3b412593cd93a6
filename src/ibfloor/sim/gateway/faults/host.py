"""What the faults need of the gateway they trouble."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ibfloor.model.ids import InstrumentId
from ibfloor.sim.gateway.clock import SimClock
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.events import BrokerEvent
from ibfloor.sim.gateway.halts import Halts
from ibfloor.sim.gateway.mishaps import FallibleBroker
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.gateway.streams import Streams
from ibfloor.sim.market.source import Market


class Links(Protocol):
    """The sockets."""

    def drop_connections(self) -> None:
        """Reset every connection."""

    def move(self, port: int) -> int:
        """Listen on another port (0: any free one) instead; return it."""

    def kill_process(self) -> None:
        """End the process on the spot."""


class Host(Protocol):
    """The gateway, as faults see it."""

    clock: SimClock
    broker: FallibleBroker
    market: Market
    streams: Streams
    halts: Halts
    links: Links | None

    @property
    def sessions(self) -> dict[int, Session]:
        """Return the sessions that started the API, by client id."""

    def route(self, session: Session, request: Table, values: Values) -> None:
        """Serve a request, past faults and limits."""

    def tell_event(self, event: BrokerEvent, deaf: Callable[[int], bool] | None = None) -> None:
        """Tell clients of an event, but those that are deaf to it."""

    def tell_position(self, instrument_id: InstrumentId) -> None:
        """Tell subscribers how a position stands."""

    def drop_streams(self, session: Session) -> None:
        """End all market data of a session without a word."""
