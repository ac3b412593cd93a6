"""The places where the floor is killed, and in which act of its life each of them comes."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Act(StrEnum):
    """What the floor is at when it is killed."""

    TRADE = "trading"
    RECOVER = "coming back from an earlier kill"
    STOP = "stopping, orders canceled"
    FLATTEN = "stopping, positions closed"
    KILL = "closing the kill switch"


class Point(NamedTuple):
    """A named place; the kill comes at the n-th time, n up to ``most``, by the seed."""

    name: str
    act: Act
    most: int = 6


def _writes(journal: str, *kinds: str) -> list[str]:
    return [f"{journal}.{kind}.{when}_write" for kind in kinds for when in ("before", "torn", "after")]


_TRADE = [
    "order.reserved",
    "order.queued",
    "wire.new.before",
    "wire.new.torn",
    "wire.new.after",
    "wire.held.before",
    "wire.held.torn",
    "wire.held.after",
    "wire.modify.before",
    "wire.modify.torn",
    "wire.modify.after",
    "wire.cancel.before",
    "wire.cancel.after",
    "read.order_status",
    "read.open_order",
    "read.execution",
    "read.execution.queued",
    "read.commission",
    "read.commission.queued",
    "account.execution",
    "account.commission",
    "queue.taken",
    "queue.OrderSubmitted.applied",
    "queue.OrderReported.applied",
    "queue.OrderReported.delivered",
    "queue.OrderFilled.applied",
    "queue.OrderFilled.delivered",
    "queue.FeeReported.applied",
    "queue.FeeReported.delivered",
    "fill.before_handler",
    "fill.after_handler",
    "fold.before_commit",
    "fold.after_commit",
]
_TRADE += _writes("worker", "OrderSubmitted", "CancelRequested", "ReplaceRequested", "FillsTold")
_TRADE += _writes("facts", "OrderSubmitted", "OrderReported", "OrderFilled", "FeeReported", "FillsTold")
_TRADE += ["facts.CancelRequested.after_write", "facts.ReplaceRequested.after_write"]
_ROLLS = ["worker.segment.created", "worker.segment.begun", "facts.segment.created", "facts.segment.begun"]
_FIRST = ["facts.ClientAssigned.after_write", "worker.enrolled", *_writes("facts", "CashMoved")]
_RECOVER = [
    "restore.begun",
    "restore.folded",
    "restore.replayed",
    "recovery.begun",
    "recovery.doubted",
    "recovery.settled",
    "facts.OrderDoubted.before_write",
    "facts.OrderDoubted.after_write",
    "snapshot.begun",
    "snapshot.open_orders",
    "snapshot.completed_orders",
    "snapshot.executions",
    "snapshot.positions",
    "snapshot.summary",
    "settle.asked",
    "settle.decided",
    "settle.put",
    "settle.compared",
    "worker.missed_fill",
    "worker.adopted",
]
_STOP = ["end.begun", "stop.before_cancel", "stop.after_cancel", "end.stopped"]
_KILL = [
    "kill.blocked",
    "kill.latched",
    "kill.canceled",
    "kill.looked",
    "kill.checked",
    "facts.KillChecked.before_write",
    "facts.KillChecked.after_write",
    "latch.before_rename",
    "latch.after_rename",
    "facts.KillLatched.before_write",
    "facts.KillLatched.after_write",
]

POINTS = (
    *(Point(name, Act.TRADE) for name in _TRADE),
    *(Point(name, Act.TRADE, 3) for name in _ROLLS),
    *(Point(name, Act.TRADE, 1) for name in _FIRST),
    *(Point(name, Act.RECOVER, 1) for name in _RECOVER),
    *(Point(name, Act.STOP, 1) for name in _STOP),
    *(Point(name, Act.FLATTEN, 1) for name in ("flatten.before_order", "flatten.after_order")),
    *(Point(name, Act.KILL, 1) for name in _KILL),
)
SLICE = (
    "worker.OrderSubmitted.after_write",
    "wire.new.torn",
    "wire.new.after",
    "wire.held.after",
    "wire.modify.after",
    "wire.cancel.before",
    "read.execution",
    "facts.OrderFilled.torn_write",
    "queue.OrderFilled.applied",
    "facts.segment.created",
    "snapshot.executions",
    "worker.missed_fill",
    "flatten.after_order",
)
"""What runs with every change; the rest runs with the campaign."""
_LEFT_OUT = {  # what the campaign leaves to `python -m tests.scenarios.crash`: hardly another place than its neighbour
    "wire.modify.before",
    "wire.held.before",
    "read.order_status",
    "read.open_order",
    "account.execution",
    "account.commission",
    "queue.taken",
    "queue.OrderReported.applied",
    "queue.OrderReported.delivered",
    "queue.FeeReported.applied",
    "queue.FeeReported.delivered",
    "facts.OrderReported.torn_write",
    "facts.OrderReported.after_write",
    "facts.FeeReported.torn_write",
    "facts.CashMoved.torn_write",
    "facts.FillsTold.torn_write",
    "facts.FillsTold.after_write",
    "facts.CancelRequested.after_write",
    "facts.ReplaceRequested.after_write",
    "worker.CancelRequested.torn_write",
    "worker.ReplaceRequested.torn_write",
    "snapshot.begun",
    "snapshot.positions",
    "snapshot.summary",
    "settle.decided",
    "restore.replayed",
    "restore.begun",
    "settle.put",
    "queue.OrderSubmitted.applied",
}
CAMPAIGN = tuple(
    point.name for point in POINTS if not point.name.endswith(".before_write") and point.name not in _LEFT_OUT
)
"""The sixty of a whole campaign, five times each."""
