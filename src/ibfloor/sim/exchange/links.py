"""Which orders belong together: children of a parent, groups of which one fill ends or reduces the rest."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from functools import partial
from math import ceil
from typing import Protocol, TypeVar

from ibfloor.sim.exchange.live import LiveOrder, Place
from ibfloor.sim.exchange.values import ZERO, OcaKind

PARENT_GONE = "parent canceled"
OCA_FILLED = "one-cancels-all group filled"

K = TypeVar("K", int, str)
_FINE = 100  # parts of a unit that quantities with decimals are rounded up to


class Orders(Protocol):
    """What the links do to orders."""

    def drop(self, live: LiveOrder, now_ns: int, reason: str) -> None:
        """End an order."""

    def resize(self, live: LiveOrder, leaves: Decimal, ts_ns: int, reason: str) -> None:
        """Change what is left of an order."""

    def wake(self, live: LiveOrder, now_ns: int) -> None:
        """Let an order see whether it may go on."""

    def later(self, action: Callable[[], None]) -> None:
        """Do something after the round of matching."""


class Links:
    """Families and groups of live orders. Owner: the pit."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._children: dict[int, dict[int, LiveOrder]] = {}
        self._groups: dict[str, dict[int, LiveOrder]] = {}

    def join(self, live: LiveOrder) -> None:
        """Take an order into its parent's family and its group."""
        order = live.order
        if order.parent_key is not None:
            self._children.setdefault(order.parent_key, {})[order.key] = live
        if order.oca is not None:
            self._groups.setdefault(order.oca.group, {})[order.key] = live

    def leave(self, live: LiveOrder) -> None:
        """Forget an order."""
        order = live.order
        if order.parent_key is not None:
            _discard(self._children, order.parent_key, order.key)
        if order.oca is not None:
            _discard(self._groups, order.oca.group, order.key)

    def on_fill(self, live: LiveOrder, before: Decimal, ts_ns: int) -> None:
        """Let a fill end or reduce the rest of the group, and release the children."""
        oca = live.order.oca
        if oca is not None:
            members = self._groups.get(oca.group, {})
            others = [other for other in members.values() if other is not live]
            if oca.kind is OcaKind.CANCEL:
                for other in others:
                    self._orders.drop(other, ts_ns, OCA_FILLED)
            elif oca.kind is OcaKind.REDUCE_BLOCKED:
                self._reduce(others, live.leaves, before, ts_ns)
            else:
                self._orders.later(partial(self._reduce, others, live.leaves, before, ts_ns))
        self.on_end(live, ts_ns)

    def on_end(self, live: LiveOrder, ts_ns: int) -> None:
        """Let the children learn how their parent stands."""
        if live.order.key in self._children:
            self._orders.later(partial(self._feed_children, live, ts_ns))

    def _reduce(self, others: list[LiveOrder], left: Decimal, before: Decimal, ts_ns: int) -> None:
        for other in others:
            if other.is_live:
                self._orders.resize(other, reduced(other, left, before), ts_ns, OCA_FILLED)

    def _feed_children(self, parent: LiveOrder, ts_ns: int) -> None:
        for child in list(self._children.get(parent.order.key, {}).values()):
            if not child.is_live:
                continue  # its sister's fill ended it
            if parent.place is Place.GONE and parent.cum == 0:
                self._orders.drop(child, ts_ns, PARENT_GONE)
                continue
            due = released_by(child, parent)
            if parent.place is Place.GONE:
                self._orders.resize(child, kept_after_parent(child, due), ts_ns, PARENT_GONE)
            child.released = due if parent.is_live else None
            self._orders.wake(child, ts_ns)


def reduced(live: LiveOrder, left: Decimal, before: Decimal) -> Decimal:
    """Return what an order keeps when another's remainder went from ``before`` to ``left``.

    It keeps the same share, rounded up to whole units (hundredths where it has decimals).
    """
    live.due = live.due * int(left * _FINE) / int(before * _FINE)
    if live.base % 1 == 0:
        return min(live.leaves, Decimal(ceil(live.due)))
    return min(live.leaves, Decimal(ceil(live.due * _FINE)) / _FINE)


def released_by(child: LiveOrder, parent: LiveOrder) -> Decimal:
    """Return how much of a child its parent's fills release, in whole units of the parent's kind."""
    ratio = child.order.per_parent
    return parent.cum if ratio == 1 else (parent.cum * ratio).quantize(Decimal(1), rounding=ROUND_FLOOR)


def kept_after_parent(live: LiveOrder, due: Decimal) -> Decimal:
    """Return what a child keeps when its parent ends after some fills: what those released."""
    spent = live.base - live.leaves
    live.base = min(live.base, due)
    kept = max(ZERO, live.base - spent)
    live.due = Fraction(kept)
    return kept


def _discard(groups: dict[K, dict[int, LiveOrder]], name: K, key: int) -> None:
    members = groups.get(name)
    if members is not None:
        members.pop(key, None)
        if not members:
            del groups[name]
