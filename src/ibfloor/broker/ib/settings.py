"""What every session of one gateway is given: where it is, how patient to be, and what is shared."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import msgspec

from ibfloor.broker.ib.pacing import MessageBudget
from ibfloor.broker.port import FactSink
from ibfloor.config import FloorSettings
from ibfloor.model.moment import Clock

OnClock = Callable[[int, float], None]
"""Called with (market_ns, speed) when a simulated gateway announces its clock."""


class IbSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the gateway is, and how patient we are; times in wall seconds."""

    host: str
    port: int
    moved_ports: tuple[int, ...] = ()
    """Where else the gateway may say it has gone (1300)."""
    account: str = ""
    open_timeout_s: float = 15.0
    handshake_timeout_s: float = 4.0
    client_id_wait_s: float = 3.0
    """How long 326 is tried again: the gateway may not have seen our last connection end."""
    request_timeout_s: float = 10.0
    ack_timeout_s: float = 10.0
    heartbeat_s: float = 5.0
    heartbeat_deadline_s: float = 3.0
    backoff_first_s: float = 0.25
    backoff_max_s: float = 5.0
    """Short: a gateway on this machine takes no harm, and entries are open within 10 s of its return."""
    resubscribe_first_s: float = 5.0
    """Wait before a market-data line that ended is asked for again; doubles while it ends again."""
    resubscribe_max_s: float = 60.0
    messages_per_s: int = 40
    cancels_per_s: int = 10
    naive_zone: str = "America/New_York"
    """The zone of IB's times that name none: the gateway's own setting."""


class Place:
    """Where the gateway listens now. Shared by every session: a move that one hears of holds for all."""

    def __init__(self, port: int, moved_ports: tuple[int, ...] = ()) -> None:
        self._first, self._allowed = port, moved_ports
        self.port = port

    def move(self, port: int) -> bool:
        """Follow the gateway to another port (1300); ``False`` when nobody allowed that one."""
        is_allowed = port == self._first or port in self._allowed
        if is_allowed:
            self.port = port
        return is_allowed


class IbWiring(msgspec.Struct, frozen=True, kw_only=True):
    """What every session of one gateway shares."""

    settings: IbSettings
    budget: MessageBudget
    clock: Clock
    facts: FactSink
    place: Place
    rng: random.Random
    monotonic: Callable[[], float] = time.monotonic


def ib_settings(settings: FloorSettings) -> IbSettings:
    """Return how to reach the gateway that floor.toml describes."""
    gateway = settings.gateway
    return IbSettings(
        host=gateway.host,
        port=gateway.port,
        moved_ports=gateway.moved_ports,
        account=settings.floor.account,
        open_timeout_s=gateway.connect_timeout_s,
    )
