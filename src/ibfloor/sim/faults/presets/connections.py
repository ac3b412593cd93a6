"""Presets of connections: between client and gateway, and between the gateway and IB."""

from __future__ import annotations

from ibfloor.sim.faults import actions as do
from ibfloor.sim.faults.plan import Fault, When
from ibfloor.sim.faults.presets.making import Preset, often, one

CONNECTIONS: dict[str, Preset] = {
    "outage": one("IB is away for 30 s, told as 1100 and 1102", "outage", do.LoseUpstream(for_s=30)),
    "outage-data-lost": one(
        "IB is away for 30 s, and 1101 ends every subscription",
        "outage-data-lost",
        do.LoseUpstream(for_s=30, data_lost=True),
    ),
    "outage-in-fills": one(
        "IB goes away in the middle of a batch of fills; those of the outage are never told, only answered",
        "outage-in-fills",
        do.LoseUpstream(for_s=10, orders="lost"),
        When(on="event:filled", nth=2),
    ),
    "outage-fork": one(
        "a change made while IB is away becomes a second live order",
        "outage-fork",
        do.LoseUpstream(for_s=30, fork=True),
    ),
    "server-broken": one("TWS loses its server for 30 s: 2110", "server-broken", do.LoseUpstream(for_s=30, code=2110)),
    "refused": one("no connection is taken for a minute", "refused", do.Refuse(for_s=60)),
    "cut-greeting": one(
        "for a minute every connection is closed in the middle of the handshake",
        "cut-greeting",
        do.Refuse(how="greeted", for_s=60),
    ),
    "no-greeting": one(
        "for a minute connections are taken and never answered", "no-greeting", do.Refuse(how="silent", for_s=60)
    ),
    "bad-length": one(
        "random bytes stand where the length of the next order state should",
        "bad-length",
        do.Garbage(size=8, framed=False),
        When(on="out:order_status"),
    ),
    "cut-frame": one(
        "the next order state ends in its middle, its length says otherwise",
        "cut-frame",
        do.Truncate(at=20),
        When(on="out:order_status"),
    ),
    "reset-in-answer": one(
        "the connection that orders next is reset when it was sent 100 bytes more",
        "reset-in-answer",
        do.Reset(after_bytes=100),
        When(on="in:place_order"),
    ),
    "port-moves": one("1300: the gateway listens on another port", "port-moves", do.MovePort()),
    "id-held": one("the next client to go finds its id in use for 60 s: 326", "id-held", do.HoldId(for_s=60)),
    "auto-restart": one(
        "all connections reset, a minute of refusals, order ids fall back by five",
        "auto-restart",
        do.Restart(for_s=60, rollback=5),
    ),
    "order-in-flight": one(
        "the next order vanishes in a connection reset", "order-in-flight", do.Reset(), When(on="in:place_order")
    ),
    "sunday-login": Preset(
        line="every connection is cut, and none is taken for six hours",
        faults=(
            Fault(name="sunday-cut", what=do.Reset()),
            Fault(name="sunday-login", what=do.Refuse(for_s=6 * 3600)),
        ),
    ),
    "nightly-reset": one("executions are told ten minutes late", "nightly-reset", do.Withhold(for_s=600)),
    "half-open": one("connections stand, and no byte passes for a minute", "half-open", do.Mute(for_s=60)),
    "mute": one("clients hear nothing for a minute, but are heard", "mute", do.Mute(way="out", for_s=60)),
    "deaf": one("clients are not heard for a minute, but hear", "deaf", do.Mute(way="in", for_s=60)),
    "slow-reader": one("a client that leaves 64 KiB unread is dropped", "slow-reader", do.CapBuffer()),
    "torn-frames": one(
        "one message in fifty arrives in two pieces", "torn-frames", do.Split(at=3), often("out:order_status", 0.02)
    ),
    "garbage": one(
        "a frame of garbage before one order state in ten", "garbage", do.Garbage(), often("out:order_status", 0.1)
    ),
    "crash": one("the gateway's process dies on the spot", "crash", do.KillProcess()),
}
