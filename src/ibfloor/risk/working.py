"""Orders at the market, by price: who would trade with whom. The best of each side first.

Orders that sleep until a price is reached, and pegged ones, are not at the market: they are judged
when they are changed, never while they wait. Market orders are filled before anybody can meet them,
but those for an auction wait for it together.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from decimal import Decimal

from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.order import OrderRequest, OrdType, Side, TimeInForce

_INFINITY = Decimal("Infinity")
_AUCTION = (OrdType.MARKET_ON_CLOSE, OrdType.LIMIT_ON_CLOSE)
_Entry = tuple[Decimal, ClientOrderId, StrategyId]
_Key = tuple[InstrumentId, str, Side]


def auction_of(request: OrderRequest) -> str:
    """Return the auction an order is for; empty for one that trades at any time."""
    if request.ord_type is OrdType.LIMIT and request.time_in_force is TimeInForce.DAY:
        return ""  # the common case first
    if request.ord_type in _AUCTION:
        return "close"
    return "open" if request.time_in_force is TimeInForce.AT_OPEN else ""


def rank_of(request: OrderRequest) -> Decimal | None:
    """Return how good an order's price is for the other side (smaller is better); ``None`` where it rests nowhere."""
    if request.ord_type is not OrdType.LIMIT and (request.ord_type.waits or request.ord_type is OrdType.RELATIVE):
        return None
    if request.limit_px is not None:
        return -request.limit_px if request.side is Side.BUY else request.limit_px
    return -_INFINITY if auction_of(request) else None


class WorkingBook:
    """Every strategy's orders at the market; owned and locked like the gate that holds it."""

    def __init__(self) -> None:
        self._sides: dict[_Key, list[_Entry]] = {}
        self._placed: dict[ClientOrderId, tuple[_Key, _Entry]] = {}

    def __len__(self) -> int:
        return len(self._placed)

    def put(self, request: OrderRequest) -> None:
        """Place an order by its price, in place of where it stood."""
        placed = self._placed.get(request.cl_ord_id)
        rank = rank_of(request)
        if placed is not None:
            if placed[1][0] == rank:
                return
            self.remove(request.cl_ord_id)
        if rank is None:
            return
        key = (request.instrument_id, auction_of(request), request.side)
        self._place(key, (rank, request.cl_ord_id, request.strategy))

    def put_nearer(self, request: OrderRequest) -> None:
        """Place an order that is being changed where it reaches further, as it was or as it will be."""
        placed, rank = self._placed.get(request.cl_ord_id), rank_of(request)
        if placed is None or (rank is not None and rank < placed[1][0]):
            self.put(request)

    def hand(self, cl_ord_id: ClientOrderId, strategy: StrategyId) -> None:
        """Let an order be another strategy's from now on, where it stands."""
        placed = self._placed.get(cl_ord_id)
        if placed is not None:
            key, (rank, _, _) = placed
            self.remove(cl_ord_id)
            self._place(key, (rank, cl_ord_id, strategy))

    def remove(self, cl_ord_id: ClientOrderId) -> None:
        """Take an order away; one that is not there is no error."""
        placed = self._placed.pop(cl_ord_id, None)
        if placed is None:
            return
        key, entry = placed
        side = self._sides[key]
        del side[bisect_left(side, entry)]
        if not side:
            del self._sides[key]

    def against(self, request: OrderRequest, touch_px: Decimal | None) -> ClientOrderId | None:
        """Return another strategy's order that this one would trade with; ``None`` where there is none.

        ``touch_px``: the best price of the other side, which an order without a limit takes.
        """
        side = self._sides.get((request.instrument_id, auction_of(request), request.side.opposite))
        if not side:
            return None
        own = rank_of(request)
        if own is None:
            if request.ord_type.waits or request.ord_type is OrdType.RELATIVE:
                return None
            own = -_INFINITY if touch_px is None else -touch_px if request.side is Side.BUY else touch_px
        for rank, cl_ord_id, strategy in side:
            if rank > -own:
                return None
            if strategy != request.strategy:
                return cl_ord_id
        return None

    def _place(self, key: _Key, entry: _Entry) -> None:
        side = self._sides.get(key)
        if side is None:
            side = self._sides[key] = []
        insort(side, entry)
        self._placed[entry[1]] = (key, entry)
