"""An order in the exchange: what is left of it, what it waits for, and where it ranks."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum, auto
from fractions import Fraction

from ibfloor.model.order import OrdType, Side
from ibfloor.sim.exchange.values import ZERO, ExchangeOrder, Hold, Moved, Trigger, TriggerKind

_FIRST = Decimal("-Infinity")  # a market order ranks before every limit

Rank = tuple[Decimal, int]


class Place(Enum):
    """Where an order stands."""

    HELD = auto()
    """Waits for its parent or its time."""
    UNPRICED = auto()
    """Follows a market that has no price yet."""
    WAITING = auto()
    """Waits for its trigger."""
    AUCTION = auto()
    BOOK = auto()
    FILLED = auto()
    GONE = auto()


class LiveOrder:
    """An order in the exchange and what is left of it; owned by the ``Exchange``."""

    __slots__ = (
        "ahead",
        "base",
        "cum",
        "due",
        "is_armed",
        "is_released",
        "is_taking",
        "leaves",
        "limit_px",
        "order",
        "place",
        "rank",
        "released",
        "seq",
        "shown",
        "sliced",
        "trigger",
        "trigger_px",
    )

    def __init__(self, order: ExchangeOrder, seq: int) -> None:
        self.order = order
        self.seq = seq
        self.base = order.qty
        """The total quantity before any group reduced it."""
        self.leaves = order.qty
        self.due = Fraction(order.qty)
        """What is left, before rounding up to whole lots."""
        self.cum = ZERO
        self.place = Place.HELD
        self.released: Decimal | None = None
        """What the parent has traded; ``None`` for no parent, or one that is filled."""
        self.sliced: Decimal | None = None
        """How much the schedule lets trade by now; ``None`` without a schedule."""
        self.trigger: Trigger | None = None
        self.trigger_px: Decimal | None = None
        self.limit_px: Decimal | None = None
        """The limit as it is now; ``None`` for a market order."""
        self.is_taking = False
        """Came in marketable and still is: trades at the touch, not at its limit."""
        self.is_armed = False
        """Has seen the phase before the auction it waits for."""
        self.is_released = not order.is_conditional
        """Its conditions, if any, have been met."""
        self.shown = ZERO
        """What an iceberg still displays."""
        self.ahead = ZERO
        """Displayed quantity that stood at our price before us."""
        self.rank: Rank = (_FIRST, seq)
        self.reset_prices(is_triggered=False)

    @property
    def is_live(self) -> bool:
        """Tell whether the order can still trade."""
        return self.place not in (Place.FILLED, Place.GONE)

    @property
    def workable(self) -> Decimal:
        """Return what may trade now: of what is left, what the parent and the schedule let go."""
        room = self.leaves
        spent = self.base - self.leaves
        for cap in (self.released, self.sliced):
            if cap is not None:
                room = min(room, cap - spent)
        return max(room, ZERO)

    @property
    def least(self) -> Decimal:
        """Return the smallest fill the order takes now."""
        if self.order.is_all_or_none:
            return self.leaves
        return min(self.order.min_qty, self.leaves) if self.cum == 0 else ZERO

    @property
    def rises_to_trigger(self) -> bool:
        """Tell whether a rising market triggers it."""
        assert self.trigger is not None
        return (self.order.side is Side.BUY) is (self.trigger.kind is TriggerKind.STOP)

    @property
    def follows(self) -> bool:
        """Tell whether its limit follows the quotes."""
        return self.order.peg is not None or bool(self.order.approach)

    def reset_prices(self, *, is_triggered: bool) -> None:
        """Take trigger and limit from the order again; a trigger that is past stays past."""
        order = self.order
        self.shown = min(order.display_qty, self.leaves)
        if not (order.is_market_to_limit and self.cum):  # its limit is the price of its first fill
            self.limit_px = order.limit_px if order.ord_type is OrdType.LIMIT and not self.follows else None
        if order.rungs:
            self.step()
        self.trigger = None if is_triggered else trigger_of(order)
        self.trigger_px = None if self.trigger is None else self.trigger.px
        self.drag_limit()

    def step(self) -> None:
        """Take limit and size from the component of a scale that is at work now."""
        spent = self.base - self.leaves
        rung = next((rung for rung in self.order.rungs if spent < rung.upto), self.order.rungs[-1])
        self.sliced, self.limit_px = rung.upto, rung.limit_px

    def drag_limit(self) -> None:
        """Let the limit of a trail keep its distance to the trigger."""
        if self.trigger is not None and self.trigger.limit_offset is not None and self.trigger_px is not None:
            self.limit_px = self.trigger_px + self.trigger.limit_offset * self.order.side.sign

    def rerank(self, seq: int) -> None:
        """Take a new place in the queue, as a new order would."""
        self.seq = seq
        if self.trigger is not None:
            assert self.trigger_px is not None
            self.rank = (self.trigger_px if self.rises_to_trigger else -self.trigger_px, seq)
        elif self.limit_px is None:
            self.rank = (_FIRST, seq)
        else:
            self.rank = (-self.limit_px if self.order.side is Side.BUY else self.limit_px, seq)

    def accepts(self, px: Decimal) -> bool:
        """Tell whether the order may trade at a price."""
        limit = self.limit_px
        if limit is None:
            return True
        return px <= limit if self.order.side is Side.BUY else px >= limit

    def reaches_for(self, px: Decimal) -> bool:
        """Tell whether a price beyond the limit is within the order's discretion."""
        limit, discretion = self.limit_px, self.order.discretion
        return limit is not None and (px - limit) * self.order.side.sign <= discretion

    def holds(self, *, by_parent: bool, now_ns: int) -> tuple[Hold, ...]:
        """Return all that keeps the order from trading."""
        holds = (
            (by_parent, Hold.PARENT),
            (not self.is_released, Hold.CONDITION),
            (self.order.good_from_ns > now_ns, Hold.TIME),
            (self.trigger is not None, Hold.TRIGGER),
            (self.order.auction is not None, Hold.AUCTION),
        )
        return tuple(hold for is_held, hold in holds if is_held)

    def moved(self, ts_ns: int) -> Moved:
        """Return where its prices are now."""
        return Moved(key=self.order.key, ts_ns=ts_ns, stop_px=self.trigger_px, limit_px=self.limit_px)


def trigger_of(order: ExchangeOrder) -> Trigger | None:
    """Return what an order waits for; a STOP's price is its trigger."""
    if order.ord_type is OrdType.STOP:
        return Trigger(kind=TriggerKind.STOP, px=order.stop_px)
    return order.trigger
