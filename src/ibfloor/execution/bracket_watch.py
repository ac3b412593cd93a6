"""What becomes of brackets: an entry must not stand, nor what it bought, without the orders that get out of it.

An exit that was not canceled by us, and is gone while there is something to get out of, is lost. Then an
entry that still works is canceled, and what it has filled gets the lost order anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from ibfloor.model.ids import ClientOrderId
from ibfloor.model.order import Order, OrderRequest, OrdStatus, OrdType

_ZERO = Decimal(0)
_GONE = (OrdStatus.CANCELED, OrdStatus.REJECTED)
_AT_CLOSE = (OrdType.MARKET_ON_CLOSE, OrdType.LIMIT_ON_CLOSE)


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """An exit that is gone though it is needed, and what to do about it."""

    entry: Order
    lost: OrderRequest
    text: str
    """What the broker said of the exit's end."""
    uncovered_qty: Decimal
    """What has filled and nothing gets out of; 0 for none."""
    has_siblings: bool
    """Whether other exits of the bracket still work."""

    @property
    def cancels_entry(self) -> bool:
        """Tell whether the entry still works and must not fill any more."""
        return gets_out(self.lost) and not self.entry.status.is_done

    @property
    def is_due(self) -> bool:
        """Tell whether something can be done now: while an entry is being canceled its end is awaited."""
        return not self.cancels_entry or self.entry.status is not OrdStatus.PENDING_CANCEL


class _Bracket:
    def __init__(self) -> None:
        self.entry: Order | None = None
        self.exits: dict[ClientOrderId, Order] = {}
        self.settled: set[ClientOrderId] = set()
        """Exits that were canceled on purpose, or whose loss was dealt with."""
        self.unheard: set[ClientOrderId] = set()
        """Exits of which was told that nobody heard of their executions."""


class BracketWatch:
    """The brackets of one strategy. Owner: its TradeManager."""

    def __init__(self) -> None:
        self._brackets: dict[ClientOrderId, _Bracket] = {}

    def begin(self, orders: Iterable[Order]) -> None:
        """Take orders as they stand, entries and exits in any order; others are left out."""
        known = tuple(orders)
        for order in known:
            if order.request.asks.bracket:
                self._brackets.setdefault(order.request.asks.bracket, _Bracket())
        for order in known:
            self.note(order)

    def note(self, order: Order) -> None:
        """Take the newest knowledge of an order."""
        request = order.request
        if request.asks.bracket:
            self._brackets.setdefault(request.asks.bracket, _Bracket()).exits[request.cl_ord_id] = order
        elif (bracket := self._brackets.get(request.cl_ord_id)) is not None:
            bracket.entry = order

    def settle(self, cl_ord_id: ClientOrderId) -> None:
        """Expect the end of an exit: it is canceled on purpose, or what replaces it was sent."""
        for bracket in self._brackets.values():
            if cl_ord_id in bracket.exits:
                bracket.settled.add(cl_ord_id)

    def forget(self) -> None:
        """Watch nothing any more."""
        self._brackets = {}

    def losses(self) -> list[Loss]:
        """Return the exits that are lost and can be answered now, and forget the brackets that are over."""
        found = [loss for bracket in self._brackets.values() for loss in _losses(bracket) if loss.is_due]
        self._brackets = {key: each for key, each in self._brackets.items() if not _is_over(each)}
        return found

    def unheard(self) -> list[tuple[Order, Order]]:
        """Return entries with exits that are over, filled by the broker's word alone; each exit once."""
        found = [
            (bracket.entry, each)
            for bracket in self._brackets.values()
            for key, each in bracket.exits.items()
            if bracket.entry and each.status.is_done and each.told_qty > each.cum_qty and key not in bracket.unheard
        ]
        for entry, each in found:
            self._brackets[entry.cl_ord_id].unheard.add(each.cl_ord_id)
        return found

    def excess(self) -> list[Order]:
        """Return the exits that work on though all that their entries bought is out: they would open a position."""
        return [order for bracket in self._brackets.values() for order in _excess(bracket)]


def _excess(bracket: _Bracket) -> list[Order]:
    # By executions alone: no stop is canceled on hearsay. The broker's group ends what is in it, if all is well.
    entry = bracket.entry
    if entry is None or entry.cum_qty < entry.request.order_qty:
        return []
    if entry.cum_qty > sum((each.cum_qty for each in bracket.exits.values()), _ZERO):
        return []
    working = [each for each in bracket.exits.values() if not each.status.is_done and not each.is_cancel_asked]
    return [each for each in working if each.status is not OrdStatus.PENDING_CANCEL]


def _losses(bracket: _Bracket) -> list[Loss]:
    entry = bracket.entry
    if entry is None:
        return []
    still_to_exit = entry.cum_qty - _out_qty(bracket)
    if entry.status.is_done and still_to_exit <= 0:
        return []
    working = [each for each in bracket.exits.values() if not each.status.is_done]
    covered = max((each.leaves_qty for each in working if gets_out(each.request)), default=_ZERO)
    return [
        Loss(
            entry=entry,
            lost=each.request,
            text=each.text or str(each.status),
            uncovered_qty=max(still_to_exit - covered, _ZERO) if gets_out(each.request) else _ZERO,
            has_siblings=bool(working),
        )
        for key, each in bracket.exits.items()
        if each.status in _GONE and key not in bracket.settled and not each.is_cancel_asked
    ]


def gets_out(request: OrderRequest) -> bool:
    """Tell whether an exit gets out of a position whatever the market does: a stop, or an order at the close."""
    return request.ord_type.protects or request.ord_type in _AT_CLOSE


def _is_over(bracket: _Bracket) -> bool:
    is_entry_done = bracket.entry is not None and bracket.entry.status.is_done
    return is_entry_done and all(
        each.status.is_done
        and (
            each.status is OrdStatus.FILLED or each.is_cancel_asked or key in bracket.settled or not _open_qty(bracket)
        )
        for key, each in bracket.exits.items()
    )


def _open_qty(bracket: _Bracket) -> bool:
    entry = bracket.entry
    filled = _ZERO if entry is None else entry.cum_qty
    return filled > _out_qty(bracket)


def _out_qty(bracket: _Bracket) -> Decimal:
    # By the broker's word where executions are late: what is out must not be sold again.
    return sum((each.traded_qty for each in bracket.exits.values()), _ZERO)


def bracket_orders(orders: Iterable[Order]) -> tuple[Order, ...]:
    """Return all orders of the brackets that are not over, done ones included; what a restart must know."""
    known = {order.cl_ord_id: order for order in orders}
    brackets: dict[ClientOrderId, _Bracket] = {}
    for order in known.values():
        if key := order.request.asks.bracket:
            bracket = brackets.setdefault(key, _Bracket())
            bracket.entry = known.get(key)
            bracket.exits[order.cl_ord_id] = order
    alive = [each for each in brackets.values() if each.entry is not None and not _is_over(each)]
    return tuple(order for each in alive for order in (each.entry, *each.exits.values()) if order is not None)
