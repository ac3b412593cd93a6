"""The named troubles of the campaign: faults of the gateway, of the network and of the floor's own process."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
from tests.sim.campaign.world import World

from ibfloor.sim.faults import Fault, When
from ibfloor.sim.faults import actions as do
from ibfloor.sim.faults.presets import PRESETS

Deed = Callable[[World], None]
ALWAYS = 0.0


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that goes wrong in a run, at a moment that the seed chooses."""

    name: str
    line: str
    faults: tuple[Fault, ...] = ()
    deed: Deed | None = None
    from_start: bool = False
    """Armed before the floor starts, not in the middle of trading."""
    well_after_s: float | None = None
    """When the world is well again, counted from the trouble; ``None``: it is never quite ill, or not known."""
    breaks: bool = False
    """It changes the account in ways that no execution tells: the floor must find a break, and does no wrong by it."""
    lies: bool = False
    """The broker says an order is over, and fills it: no floor can keep a limit against that."""
    hides: bool = False
    """Orders work that no list shows, from the trouble on until the world is healed: no floor can know of them."""
    is_kill: bool = False
    """It is the kill switch, in a world that is well otherwise."""


def _preset(name: str, **more: object) -> Trouble:
    preset = PRESETS[name]
    return Trouble(name=name, line=preset.line, faults=preset.faults, **more)  # type: ignore[arg-type]


def _fault(name: str, line: str, what: do.AnyAction, when: When | None = None, **more: object) -> Trouble:
    return Trouble(name=name, line=line, faults=(Fault(name=name, what=what, when=when or When()),), **more)  # type: ignore[arg-type]


def _deed(name: str, line: str, deed: Deed, **more: object) -> Trouble:
    return Trouble(name=name, line=line, deed=deed, **more)  # type: ignore[arg-type]


def _crash_at_next_order(world: World) -> None:
    world.tap.at_next_order = world.crash


def _crash_after_next_order(world: World) -> None:
    world.tap.at_next_order = lambda: world.loop.call_later(0.001, world.crash)


def _crash_twice(world: World) -> None:
    world.crash()
    world.loop.call_later(2.0 + world.random.uniform(0.0, 0.4), world.crash)


def _kill_and_crash(world: World) -> None:
    world.kill_switch()
    world.loop.call_later(world.random.uniform(0.0, 0.02), world.crash)


def _cut(world: World) -> None:
    world.network.cut()


def _partition(world: World) -> None:
    world.network.weather.held_until_s = world.loop.time() + 12.0


def _refuse_and_cut(world: World) -> None:
    world.network.weather.refuses_until_s = world.loop.time() + 8.0
    world.network.cut()


def _slow(world: World) -> None:
    world.network.weather.latency_s = (0.05, 0.6)
    world.loop.call_later(15.0, setattr, world.network.weather, "latency_s", (0.0002, 0.003))


def _crumbs(world: World) -> None:
    world.network.weather.split_share = 1.0


def _flap(world: World) -> None:
    for n in range(6):
        world.loop.call_later(1.5 * n, world.network.cut)


def _often(on: str, probability: float) -> When:
    return When(on=on, times=0, probability=probability)


_ANY = When()
_UNKNOWN_CODE = do.Remark(code=9871, text="Something nobody has ever heard of.")
_TICK = do.Fail(code=110, text="The price does not conform to the minimum price variation for this contract.")
_MODIFY_FILLED = do.Fail(code=104, text="Cannot modify a filled order.")
_NOT_FOUND = do.Fail(code=10147, text="OrderId that needs to be cancelled is not found.")
_NOT_NOW = do.Fail(code=10148, text="OrderId cannot be cancelled, state: Filled.")
_VALIDATION = do.Fail(code=321, text="Error validating request.-'bH' : cause - Invalid.")

_ALL: tuple[Trouble, ...] = (
    Trouble(name="clear", line="nothing goes wrong"),
    _fault("outage", "IB is away for 12 s, told as 1100 and 1102", do.LoseUpstream(for_s=12), well_after_s=12.0),
    _fault("outage-data-lost", "IB is away for 12 s, and 1101 ends every subscription",
           do.LoseUpstream(for_s=12, data_lost=True), well_after_s=12.0),
    _preset("outage-in-fills"),
    _fault("outage-fork", "a change made while IB is away becomes a second live order",
           do.LoseUpstream(for_s=12, fork=True)),
    _fault("outage-burst", "IB goes and comes: 1100 three times, then 1102", do.LoseUpstream(for_s=4, copies=3),
           well_after_s=4.0),
    _fault("server-broken", "TWS loses its server for 12 s: 2110", do.LoseUpstream(for_s=12, code=2110),
           well_after_s=12.0),
    _preset("farm-flap"),
    _preset("history-farm-down"),
    _preset("id-held"),
    _fault("auto-restart", "all connections reset, refusals for 12 s, order ids fall back by five",
           do.Restart(for_s=12, rollback=5), well_after_s=12.0),
    _preset("order-in-flight"),
    Trouble(name="sunday-login", line="every connection is cut, and none is taken for 25 s", well_after_s=25.0,
            faults=(Fault(name="sunday-cut", what=do.Reset()),
                    Fault(name="sunday-login", what=do.Refuse(for_s=25)))),
    _fault("nightly-reset", "executions are told half a minute late", do.Withhold(for_s=30)),
    _fault("half-open", "connections stand, and no byte passes for 15 s", do.Mute(for_s=15)),
    _fault("mute", "clients hear nothing for 15 s, but are heard", do.Mute(way="out", for_s=15)),
    _fault("deaf", "clients are not heard for 15 s, but hear", do.Mute(way="in", for_s=15)),
    _preset("slow-reader"),
    _preset("competing-session"),
    _preset("no-ack"),
    _preset("status-noise"),
    _preset("exec-first", hides=True),
    _fault("late-fees", "commissions come 20 s late", do.Delay(seconds=20), _often("out:commission", 1)),
    _preset("no-fees", breaks=True),
    _preset("fees-first"),
    _fault("corrections", "every third execution is corrected by a tick, 5 s later",
           do.CorrectFill(after_s=5), _often("event:filled", 0.3)),
    _fault("bust", "the next execution is taken back after 5 s", do.BustFill(after_s=5),
           When(on="event:filled"), breaks=True),
    _preset("tif-preset"),
    _preset("reject-then-fill", lies=True),
    _preset("held-order"),
    _preset("order-warning"),
    _preset("fill-after-cancel", lies=True),
    _preset("cancel-race"),
    _preset("duplicate-id"),
    _fault("manual-order", "somebody buys by hand",
           do.ManualOrder(symbol="SPY", qty=Decimal(10), limit_px=Decimal("300.00"))),
    _preset("split", breaks=True),
    _fault("read-only", "321 for everything that changes an order, for 10 s", do.ReadOnly(for_s=10)),
    _preset("delayed-data"),
    _preset("torn-frames"),
    _preset("garbage"),
    _fault("unknown-code", "an error code nobody knows, for an order that lives", _UNKNOWN_CODE,
           _often("in:place_order", 0.3)),
    _fault("tick-refused", "110 for one order in five", _TICK, _often("in:place_order", 0.2)),
    _fault("modify-too-late", "104 for one order in five, changes included", _MODIFY_FILLED,
           _often("in:place_order", 0.2)),
    _fault("cancel-unknown", "10147 for every other cancel", _NOT_FOUND, _often("in:cancel_order", 0.5)),
    _fault("cancel-refused", "10148 for every other cancel", _NOT_NOW, _often("in:cancel_order", 0.5)),
    _fault("order-swallowed", "one order or change in four vanishes", do.Drop(), _often("in:place_order", 0.25)),
    _fault("cancel-swallowed", "every third cancel vanishes", do.Drop(), _often("in:cancel_order", 0.33)),
    _fault("validation", "321 for one order in five, changes included", _VALIDATION, _often("in:place_order", 0.2)),
    _fault("open-order-lost", "half of all openOrder messages vanish", do.Drop(),
           _often("out:open_order", 0.5), hides=True),
    _fault("exec-lost", "one execution in three is never told, only answered", do.Drop(),
           _often("out:exec_details", 0.3)),
    _fault("exec-twice", "every execution comes three times", do.Duplicate(copies=2), _often("out:exec_details", 1)),
    _fault("status-late", "states come up to 2 s late and out of order", do.Delay(seconds=2),
           _often("out:order_status", 0.4)),
    _fault("reset-mid-frame", "connections break within a message", do.Reset(after_bytes=777)),
    _fault("order-split", "openOrder comes in two pieces, half a second apart", do.Split(at=9, pause_s=0.5),
           _often("out:open_order", 0.2)),
    _deed("crash", "the floor is killed", World.crash, well_after_s=2.0),
    _deed("crash-at-write", "the floor is killed as an order is about to leave", _crash_at_next_order),
    _deed("crash-after-write", "the floor is killed before an order is answered", _crash_after_next_order),
    _deed("crash-in-recovery", "the floor is killed, and again as it comes back", _crash_twice),
    _deed("connections-cut", "every connection is reset at both ends", _cut, well_after_s=0.0),
    _deed("connections-flap", "every connection is reset six times in eight seconds", _flap, well_after_s=7.5),
    _deed("partition", "no byte passes for 12 s, then all come", _partition, well_after_s=12.0),
    _deed("gateway-away", "connections are reset, and refused for 8 s", _refuse_and_cut, well_after_s=8.0),
    _deed("kill", "somebody pulls the kill switch", World.kill_switch, is_kill=True),
    _deed("kill-by-file", "somebody writes the latch file", World.kill_by_file, is_kill=True),
    _deed("kill-and-crash", "the kill switch is pulled, and the floor is killed at once", _kill_and_crash),
    _deed("slow-network", "latencies of up to 0.6 s for a while", _slow),
    _deed("crumbs", "every write arrives in two pieces", _crumbs),
)  # fmt: skip

TROUBLES: dict[str, Trouble] = {trouble.name: trouble for trouble in _ALL}
SINGLE = tuple(name for name in TROUBLES if name != "clear")
WORST = (
    "outage",
    "outage-in-fills",
    "outage-fork",
    "auto-restart",
    "order-in-flight",
    "nightly-reset",
    "half-open",
    "deaf",
    "no-ack",
    "status-noise",
    "exec-first",
    "corrections",
    "reject-then-fill",
    "fill-after-cancel",
    "cancel-swallowed",
    "exec-lost",
    "crash",
    "crash-at-write",
    "crash-after-write",
    "connections-flap",
)
"""The twenty whose pairs tier B runs."""
