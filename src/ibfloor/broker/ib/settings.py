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
    messages_per_s: int = 40
    cancels_per_s: int = 10
    naive_zone: str = "America/New_York"
    """The zone of IB's times that name none: the gateway's own setting."""


class IbWiring(msgspec.Struct, frozen=True, kw_only=True):
    """What every session of one gateway shares."""

    settings: IbSettings
    budget: MessageBudget
    clock: Clock
    facts: FactSink
    rng: random.Random
    monotonic: Callable[[], float] = time.monotonic


def ib_settings(settings: FloorSettings) -> IbSettings:
    """Return how to reach the gateway that floor.toml describes."""
    gateway = settings.gateway
    return IbSettings(
        host=gateway.host,
        port=gateway.port,
        account=settings.floor.account,
        open_timeout_s=gateway.connect_timeout_s,
    )
