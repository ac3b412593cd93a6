"""Orders as a strategy writes them: one value per kind, each with the fields that kind needs and no others."""

from __future__ import annotations

from datetime import datetime

import msgspec

from ibfloor.model.instrument import Contract
from ibfloor.model.order import Side, TimeInForce
from ibfloor.model.terms import Algo
from ibfloor.strategy.quantities import Price, Quantity


class GoodTill(msgspec.Struct, frozen=True):
    """A time in force: until a moment, given with its time zone."""

    when: datetime


class Percent(msgspec.Struct, frozen=True):
    """A trailing distance in percent of the price."""

    value: Price


Lasting = TimeInForce | GoodTill | str
"""How long an order works."""


class _Order(msgspec.Struct, frozen=True):
    contract: Contract
    side: Side
    qty: Quantity


class _Noted(_Order, frozen=True, kw_only=True):
    note: str = ""
    """Comes back with the order's fills."""


class _Lasting(_Noted, frozen=True, kw_only=True):
    tif: Lasting = TimeInForce.DAY
    good_after: datetime | None = None
    """When it begins to work."""


class _Anytime(_Lasting, frozen=True, kw_only=True):
    outside_rth: bool = False
    """Whether it may trigger and fill outside regular hours."""


class Market(_Lasting, frozen=True, kw_only=True):
    """Trade now, at what the market asks."""

    algo: Algo | None = None


class _Worked(_Anytime, frozen=True, kw_only=True):
    algo: Algo | None = None


class Limit(_Worked, frozen=True):
    """Trade at a price or better."""

    px: Price


class Stop(_Anytime, frozen=True):
    """Trade at the market once the price has gone to a stop: up to a buyer's, down to a seller's."""

    stop: Price


class StopLimit(_Anytime, frozen=True):
    """Become a limit order once the price has gone to a stop."""

    stop: Price
    px: Price


class Trail(_Anytime, frozen=True, kw_only=True):
    """A stop that follows the market at a distance, and never goes back."""

    by: Price | Percent
    start: Price | None = None
    """Where the stop begins; at the distance from the market where it is not given."""


class TrailLimit(_Anytime, frozen=True, kw_only=True):
    """A trailing stop that becomes a limit order, ``offset`` beyond its stop."""

    by: Price | Percent
    offset: Price
    start: Price | None = None


class MarketIfTouched(_Anytime, frozen=True):
    """Trade at the market once the price has come to a trigger: down to a buyer's, up to a seller's."""

    trigger: Price


class LimitIfTouched(_Anytime, frozen=True):
    """Become a limit order once the price has come to a trigger."""

    trigger: Price
    px: Price


class MarketOnOpen(_Noted, frozen=True):
    """Trade in the opening auction."""


class LimitOnOpen(_Noted, frozen=True):
    """Trade in the opening auction, at a price or better."""

    px: Price


class MarketOnClose(_Noted, frozen=True):
    """Trade in the closing auction of the day."""


class LimitOnClose(_Noted, frozen=True):
    """Trade in the closing auction of the day, at a price or better."""

    px: Price


class Relative(_Lasting, frozen=True, kw_only=True):
    """Stay ``offset`` more aggressive than the best price of the own side, never beyond ``cap``."""

    offset: Price
    cap: Price | None = None


class MarketToLimit(_Lasting, frozen=True):
    """Trade at the best price there is; the rest waits there as a limit order."""


AnyOrder = (
    Market
    | Limit
    | Stop
    | StopLimit
    | Trail
    | TrailLimit
    | MarketIfTouched
    | LimitIfTouched
    | MarketOnOpen
    | LimitOnOpen
    | MarketOnClose
    | LimitOnClose
    | Relative
    | MarketToLimit
)


def adaptive(priority: str = "Normal") -> Algo:
    """Return IB's Adaptive algorithm; ``priority`` is ``Urgent``, ``Normal`` or ``Patient``."""
    return Algo(name="Adaptive", params=(("adaptivePriority", priority),))
