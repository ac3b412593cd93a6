"""What the floor calls on a strategy. Every handler may be ``def`` or ``async def``; all are optional."""

from __future__ import annotations

from collections.abc import Awaitable

from ibfloor.model.market import Bar, Quote, Trade
from ibfloor.model.order import Order
from ibfloor.strategy.values import Connection, Fill, Offer, Position

Handled = Awaitable[None] | None


class Handlers:
    """The handlers, each doing nothing. What is not overridden is never called (``overridden``)."""

    def on_start(self) -> Handled:
        """Begin: subscribe and set timers. Positions and orders of an earlier run are there already."""

    def on_bar(self, bar: Bar) -> Handled:
        """Take a closed bar; while ``is_warming`` it comes from history, and orders are refused."""

    def on_quote(self, quote: Quote) -> Handled:
        """Take a change of best bid and ask; the newest only when the strategy falls behind."""

    def on_trade(self, trade: Trade) -> Handled:
        """Take a print of the tape."""

    def on_timer(self, name: str) -> Handled:
        """Take a timer set by ``every`` or ``schedule``."""

    def on_order(self, order: Order) -> Handled:
        """Take an own order's new state."""

    def on_fill(self, fill: Fill) -> Handled:
        """Take an execution of an own order; the position holds it already.

        Those that came while the strategy was away come before ``on_start``: give what this handler
        needs in the class body or in ``__init__``. The first of them says ``may_be_repeat``: where this handler
        does something that must not happen twice, keep its ``exec_id`` with it, and look there.
        """

    def on_position(self, position: Position) -> Handled:
        """Take a changed own position, for whatever reason it changed."""

    def on_offer(self, offer: Offer) -> Handled:
        """Take an own offer that crossed, in part or in full, or that is over; the position holds it already."""

    def on_connection(self, connection: Connection) -> Handled:
        """Take that orders can go out again, or no more."""

    def on_stop(self) -> Handled:
        """End: the stop policy has its turn after this."""


HANDLERS = tuple(name for name in vars(Handlers) if name.startswith("on_"))


def overridden(strategy: type[Handlers]) -> frozenset[str]:
    """Return the names of the handlers a class implements: only these need calling."""
    return frozenset(name for name in HANDLERS if getattr(strategy, name) is not getattr(Handlers, name))
