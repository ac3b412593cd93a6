"""What an order may ask beyond side, quantity, type, prices and time in force."""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum

import msgspec

from ibfloor.model.ids import ClientOrderId, InstrumentId


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


class ComboLeg(msgspec.Struct, frozen=True, kw_only=True):
    """A leg of a combination: a contract and how many of it one combination has, below zero for a sold one."""

    instrument_id: InstrumentId
    ratio: int


class Combo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an order for a combination trades: all its legs, in proportion."""

    legs: tuple[ComboLeg, ...]
    exchange: str = "SMART"
    min_tick: Decimal = Decimal("0.01")
    is_guaranteed: bool = True
    """Whether the broker must fill the legs together; else a leg may fill alone."""
    is_roll: bool = False
    """Whether it moves a position from one future to the next: other entries in both wait."""


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
    combo: Combo | None = None
    """Of an order for a combination; its instrument id is then that of no contract."""


PLAIN = OrderTerms()
"""The terms of an order that carries none."""
