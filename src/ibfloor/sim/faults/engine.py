"""The engine of faults: asked at every point the plan names, it says what goes wrong there.

Pure: it is told the time, and its chance comes from the plan's seed and the fault's name alone, so
a fault that is added or cleared changes nothing for the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec

from ibfloor.model.errors import ConfigError
from ibfloor.model.moment import NS_PER_S
from ibfloor.sim.faults.plan import Fault, FaultPlan, When, check_fault, check_plan, what_name


class Now(msgspec.Struct, frozen=True):
    """The time at a point: market time, and the wall's as the gateway counts it."""

    market_ns: int
    wall_ns: int


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """One time a fault happened."""

    fault: str
    do: str
    point: str
    client_id: int | None
    market_ns: int


class FaultRow(msgspec.Struct, frozen=True, kw_only=True):
    """How a fault stands."""

    name: str
    do: str
    on: str
    seen: int
    fired: int
    is_spent: bool


class _Armed:
    def __init__(self, fault: Fault, seed: int, now: Now) -> None:
        self.fault = fault
        self.random = Random(f"{seed}:{fault.name}")
        self.seen = 0
        self.fired = 0
        self.since: Now | None = None if fault.when.after else now
        self.last_ns: int | None = None

    @property
    def is_spent(self) -> bool:
        return 0 < self.fault.when.times <= self.fired

    def is_due(self, now: Now) -> bool:
        when, since = self.fault.when, self.since
        if since is None or self.is_spent:
            return False
        if self.last_ns is not None and now.market_ns < self.last_ns + int(when.every_s * NS_PER_S):
            return False
        return now.market_ns >= since.market_ns + int(when.market_s * NS_PER_S) and now.wall_ns >= since.wall_ns + int(
            when.wall_s * NS_PER_S
        )

    def fires(self, now: Now) -> bool:
        if not self.is_due(now):
            return False
        self.seen += 1
        if self.seen < self.fault.when.nth:
            return False
        self.last_ns = now.market_ns
        if self.fault.when.probability < 1 and self.random.random() >= self.fault.when.probability:
            return False
        self.fired += 1
        return True


def _fits(when: When, client_id: int | None, symbol: str, account: str) -> bool:
    return (
        (not when.clients or client_id in when.clients)
        and (not when.symbols or symbol in when.symbols)
        and (not when.accounts or account in when.accounts)
    )


class FaultEngine:
    """Which faults happen where. Owner: the gateway's one thread; raises ``ConfigError`` for a bad plan."""

    def __init__(self, plan: FaultPlan, now: Now) -> None:
        check_plan(plan)
        self.firings: list[Firing] = []
        self._seed = plan.seed
        self._armed: dict[str, _Armed] = {}
        self._by_point: dict[str, list[_Armed]] = {}
        for fault in plan.faults:
            self.add(fault, now)

    def add(self, fault: Fault, now: Now) -> None:
        """Arm a fault; raise ``ConfigError`` for one of no use, or whose name is armed already."""
        check_fault(fault)
        if fault.name in self._armed:
            raise ConfigError(f"fault {fault.name!r}: it is armed already; clear it first")
        self._armed[fault.name] = _Armed(fault, self._seed, now)
        self._index()

    def remove(self, name: str) -> bool:
        """Disarm a fault; ``False`` when none has the name."""
        removed = self._armed.pop(name, None) is not None
        self._index()
        return removed

    def watches(self, point: str) -> bool:
        """Tell whether any fault cares for a point: what need not be asked is fast."""
        return point in self._by_point

    def at(
        self, point: str, now: Now, client_id: int | None = None, symbol: str = "", account: str = ""
    ) -> list[Fault]:
        """Return the faults that happen at a point, oldest first."""
        fired: list[Fault] = []
        for armed in list(self._by_point.get(point, ())):
            when = armed.fault.when
            if not _fits(when, client_id, symbol, account):
                continue
            if when.on == point and armed.fires(now):
                fired.append(self._note(armed, point, client_id, now))
            if when.after == point and armed.since is None:
                armed.since = now
        return fired

    def due(self, now: Now) -> list[Fault]:
        """Return the faults that time alone decides and that are due."""
        return [
            self._note(armed, "", None, now)
            for armed in list(self._armed.values())
            if not armed.fault.when.on and armed.fires(now)
        ]

    def random_bytes(self, name: str, size: int) -> bytes:
        """Return bytes of a fault's own chance."""
        return self._armed[name].random.randbytes(size)

    def armed(self) -> list[Fault]:
        """Return every fault there is, in the order of arming."""
        return [one.fault for one in self._armed.values()]

    def rows(self) -> Iterator[FaultRow]:
        """Yield how each fault stands, in the order of arming."""
        for name, armed in self._armed.items():
            yield FaultRow(
                name=name,
                do=what_name(armed.fault.what),
                on=armed.fault.when.on,
                seen=armed.seen,
                fired=armed.fired,
                is_spent=armed.is_spent,
            )

    def _note(self, armed: _Armed, point: str, client_id: int | None, now: Now) -> Fault:
        fault = armed.fault
        self.firings.append(
            Firing(
                fault=fault.name,
                do=what_name(fault.what),
                point=point,
                client_id=client_id,
                market_ns=now.market_ns,
            )
        )
        return fault

    def _index(self) -> None:
        self._by_point = {}
        for armed in self._armed.values():
            for point in sorted({armed.fault.when.on, armed.fault.when.after} - {""}):
                self._by_point.setdefault(point, []).append(armed)
