"""What leaves the floor, seen at the moment of the socket write: journal before wire, and pacing."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from ibfloor.ledger.segment import segments

if TYPE_CHECKING:
    from tests.sim.campaign.world import World

_REF = re.compile(rb"\x00([a-z][a-z0-9-]*):(\d+)(?=\x00)")
PER_S = 50


class Sent(msgspec.Struct, frozen=True):
    """An order, a change or a cancel as it left."""

    at_s: float
    life: int
    kind: bytes
    order_id: int
    order_ref: str


class WireTap:
    """Collects what was sent, and what was sent wrongly. One life of the floor is one process."""

    def __init__(self, world: World) -> None:
        self.sent: list[Sent] = []
        self.violations: list[tuple[str, str]] = []
        self.at_next_order: Callable[[], object] | None = None
        """Called once, as the next order or change is about to leave."""
        self._world = world
        self._times: dict[int, deque[float]] = defaultdict(deque)
        self._said_pacing: set[int] = set()

    def on_write(self, life: int, data: bytes) -> None:
        """Look at a client's bytes before they leave: one frame a write, as the floor writes."""
        if data.startswith(b"API\0"):
            return
        self._pace(life)
        kind, _, rest = data[4:].partition(b"\0")
        if kind not in (b"3", b"4") or b"\0may-trade\0" in rest:  # a preview is no order
            return
        first, _, _ = rest.partition(b"\0")
        # The reference is the last that looks like one: a group's name, which comes before it, may look so too.
        ref = next(reversed([*_REF.finditer(rest)]), None) if kind == b"3" else None
        order_ref = b":".join(ref.groups()).decode() if ref else ""
        self.sent.append(Sent(self._world.now_s(), life, kind, int(first), order_ref))
        if ref is not None and not self._is_journaled(ref[1].decode(), order_ref):
            self.violations.append(("I9", f"order {order_ref} left before its intent was in the journal"))
        if kind == b"3" and self.at_next_order is not None:
            act, self.at_next_order = self.at_next_order, None
            act()

    def _pace(self, life: int) -> None:
        now_s, times = self._world.loop.time(), self._times[life]
        times.append(now_s)
        while times and now_s - times[0] >= 1.0:
            times.popleft()
        if len(times) > PER_S and life not in self._said_pacing:
            self._said_pacing.add(life)
            self.violations.append(("I14", f"{len(times)} messages left within a second"))

    def _is_journaled(self, strategy: str, order_ref: str) -> bool:
        prefix = self._world.home / "journal" / f"worker-{strategy}"
        wanted = order_ref.encode()
        for path in reversed(segments(prefix)):
            with path.open("rb") as file:
                if wanted in file.read(512 * 1024):
                    return True
        return False
