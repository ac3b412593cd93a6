"""What an order may ask beyond side, quantity, type, prices and time in force."""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum

import msgspec

from ibfloor.model.ids import ClientOrderId


class OcaKind(IntEnum):
    """What a fill of one order does to the others of its group, by IB's numbers."""

    CANCEL = 1
    """Cancels them; while one is at the market, no other is: together they never fill too much."""
    REDUCE = 2
    """Reduces them by as much, with the same protection."""
    REDUCE_UNBLOCKED = 3
    """Reduces them, but all are at the market at once: they may fill too much."""


class Oca(msgspec.Struct, frozen=True, kw_only=True):
    """A group of orders of which one fill ends or reduces the rest."""

    group: str
    """Unique in the account, so it starts with the strategy's name."""
    kind: OcaKind = OcaKind.CANCEL


class Algo(msgspec.Struct, frozen=True, kw_only=True):
    """One of IB's algorithms with its parameters, by IB's names."""

    name: str
    params: tuple[tuple[str, str], ...] = ()


class OrderTerms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order's less common terms. An order without any carries ``None`` instead: it is the fast one."""

    outside_rth: bool = False
    """Whether it may trigger and fill outside regular hours."""
    good_till_ns: int | None = None
    good_after_ns: int | None = None
    trail_by: Decimal | None = None
    """How far a trailing stop follows, in price."""
    trail_percent: Decimal | None = None
    limit_offset: Decimal | None = None
    """How far a trailing stop limit's limit lies beyond its stop: what more a buyer pays."""
    peg_offset: Decimal | None = None
    """How much more aggressive than the best price of its side a relative order is."""
    oca: Oca | None = None
    bracket: ClientOrderId = ClientOrderId("")
    """The entry this order belongs to: its take-profit, its stop, or what replaced one."""
    algo: Algo | None = None


PLAIN = OrderTerms()
"""The terms of an order that carries none."""
