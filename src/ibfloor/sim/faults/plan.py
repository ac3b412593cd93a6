"""A fault plan as data: what goes wrong, and when."""

from __future__ import annotations

import msgspec

from ibfloor.model.errors import ConfigError
from ibfloor.sim.faults import actions as do

CONNECT = "connect"
START = "start"
LEAVE = "leave"
LIFE_POINTS = (CONNECT, START, LEAVE)
"""A socket is accepted; a client started the API; a client has gone."""
NIGHTLY_RESTART = "clock:nightly_restart"
NIGHTLY_RESET = "clock:nightly_reset"
SUNDAY_RESET = "clock:sunday_reset"
CLOCK_POINTS = (NIGHTLY_RESTART, NIGHTLY_RESET, SUNDAY_RESET)
"""New York's clock: the gateway's restart (23:45 unless told otherwise), IB's own reset (00:15), Sunday 01:00."""
EVENT_POINTS = tuple(f"event:{name}" for name in ("shown", "filled", "canceled", "previewed", "bound", "refused"))
WHAT_IF = "out:what_if"
"""An openOrder that answers a what-if; ``out:open_order`` is any other."""


class When(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a fault happens: every condition given must hold.

    ``on`` is a point: ``in:<request>``, ``out:<message>``, ``event:<event>``, ``connect``, ``start``,
    ``leave``, ``clock:<time of night>``; without it, time alone decides. Seconds count from the
    arming, or from ``after``.
    """

    on: str = ""
    after: str = ""
    """A point that must have been passed before."""
    nth: int = 1
    """From the n-th that fits on."""
    times: int = 1
    """How often at most; 0 is without end."""
    every_s: float = 0.0
    """Between repetitions of a fault that time alone decides, in market seconds."""
    probability: float = 1.0
    market_s: float = 0.0
    wall_s: float = 0.0
    clients: tuple[int, ...] = ()
    """Only what these clients pass; whom it strikes is the fault's ``strikes``."""
    symbols: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    """Only events and messages of orders for these accounts, and messages that name one."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong; ``name`` is unique in its plan."""

    name: str
    what: do.AnyAction
    when: When = When()
    strikes: tuple[int, ...] = ()
    """Ids of the clients it strikes. None: a connection's fault strikes who passed the point, all else everybody."""


class FaultPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that goes wrong. The same seed and the same plan go wrong the same way."""

    seed: int = 1
    faults: tuple[Fault, ...] = ()


def check_fault(fault: Fault) -> None:
    """Raise ``ConfigError`` for a fault that could never happen, or not at its point."""
    when, what = fault.when, fault.what
    for point in (when.on, when.after):
        if point and not _is_point(point):
            raise _error(fault, f"{point!r} is no point: take in:<request>, out:<message>, event:<name>, connect, ...")
    if when.nth < 1 or when.times < 0:
        raise _error(fault, "nth counts from 1, times from 0 (without end)")
    if not 0 < when.probability <= 1:
        raise _error(fault, f"probability is {when.probability:g}: take one above 0, up to 1")
    if min(when.market_s, when.wall_s, when.every_s) < 0:
        raise _error(fault, "seconds cannot be negative")
    if not when.on and when.times != 1 and not when.every_s:
        raise _error(fault, "a fault that time alone decides needs every_s to happen again")
    _check_clients(fault)
    if isinstance(what, do.MessageAction) and not when.on.startswith(("in:", "out:")):
        raise _error(fault, f"{what_name(what)} needs a message: on = 'in:<request>' or 'out:<message>'")
    if isinstance(what, do.Truncate | do.Split | do.Garbage | do.Rewrite | do.Reshape) and not when.on.startswith(
        "out:"
    ):
        raise _error(fault, f"{what_name(what)} is for messages to clients: on = 'out:<message>'")
    if isinstance(what, do.RequestAction) and not when.on.startswith("in:"):
        raise _error(fault, f"{what_name(what)} needs a request: on = 'in:<request>'")
    if isinstance(what, do.CorrectFill | do.BustFill) and when.on != "event:filled":
        raise _error(fault, f"{what_name(what)} needs an execution: on = 'event:filled'")
    if isinstance(what, do.FillAfterCancel) and when.on != "event:canceled":
        raise _error(fault, f"{what_name(what)} needs a cancel: on = 'event:canceled'")


def _check_clients(fault: Fault) -> None:
    when, what = fault.when, fault.what
    if when.clients and not when.on:
        raise _error(fault, "time alone passes no client: name the clients it is to hit in strikes")
    if (when.clients or when.symbols or when.accounts) and when.on in CLOCK_POINTS:
        raise _error(fault, "the clock passes no client and no order: name the clients it is to hit in strikes")
    if when.clients and when.on == CONNECT:
        raise _error(fault, "a new connection has no client id yet: take on = 'start'")
    if when.accounts and (not when.on or when.on in LIFE_POINTS):
        raise _error(fault, "accounts are of events and messages: on = 'event:<name>', 'in:<request>', ...")
    if not fault.strikes:
        return
    if isinstance(what, do.MessageAction | do.RequestAction | do.OrderAction):
        raise _error(fault, f"{what_name(what)} hits the client whose message or order it is: name it in when.clients")
    if isinstance(what, do.MovePort | do.Restart | do.KillProcess) or (
        isinstance(what, do.Refuse) and what.how != "greeted"
    ):
        raise _error(fault, f"{what_name(what)} hits the whole gateway: it cannot strike single clients")


def check_plan(plan: FaultPlan) -> None:
    """Raise ``ConfigError`` for a plan with a fault of no use, or with a name twice."""
    names: set[str] = set()
    for fault in plan.faults:
        check_fault(fault)
        if fault.name in names:
            raise _error(fault, "the name is taken: give each fault its own")
        names.add(fault.name)


def aimed_at(fault: Fault, clients: tuple[int, ...]) -> Fault:
    """Return a fault that hits these clients alone; ``check_fault`` says when it cannot."""
    if isinstance(fault.what, do.MessageAction | do.RequestAction | do.CorrectFill | do.BustFill | do.FillAfterCancel):
        return msgspec.structs.replace(fault, when=msgspec.structs.replace(fault.when, clients=clients))
    return msgspec.structs.replace(fault, strikes=clients)


def what_name(what: do.AnyAction) -> str:
    """Return the ``do`` of an action."""
    return str(type(what).__struct_config__.tag)


def _is_point(point: str) -> bool:
    known = (*LIFE_POINTS, *CLOCK_POINTS, *EVENT_POINTS)
    return point in known or (point.startswith(("in:", "out:")) and not point.endswith(":"))


def _error(fault: Fault, text: str) -> ConfigError:
    return ConfigError(f"fault {fault.name!r}: {text}")
