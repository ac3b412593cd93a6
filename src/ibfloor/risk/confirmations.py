"""Orders a person has looked at: one order of a confirmed size may pass what asks for confirmation."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.moment import NS_PER_S
from ibfloor.model.order import OrderRequest, Side

VALID_S = 300
"""How long a refused order waits for its confirmation, and that for its order, in market seconds."""
_KEPT = 200

_Key = tuple[StrategyId, InstrumentId, Side]


class Confirmations:
    """Refused orders that may be confirmed, and confirmations not used yet. Lost by a restart, on purpose.

    A refusal is noted where it is made: one that the journal tells again is nobody's question any more.
    """

    def __init__(self) -> None:
        self._refused: dict[ClientOrderId, tuple[OrderRequest, int]] = {}
        self._open: dict[_Key, tuple[Decimal, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    def note(self, request: OrderRequest, now_ns: int) -> None:
        """Remember an order that was refused just now and only wants a person's word."""
        self._refused[request.cl_ord_id] = (request, now_ns)
        if len(self._refused) > _KEPT:
            del self._refused[next(iter(self._refused))]

    def confirm(self, cl_ord_id: ClientOrderId, now_ns: int) -> OrderRequest | None:
        """Let one order like a refused one pass for a while; ``None`` when there is no such refusal, or no more."""
        request, refused_ns = self._refused.pop(cl_ord_id, (None, 0))
        if request is None or now_ns - refused_ns > VALID_S * NS_PER_S:
            return None
        self._open[_key(request)] = (request.order_qty, now_ns + VALID_S * NS_PER_S)
        return request

    def has(self, request: OrderRequest, now_ns: int) -> bool:
        """Tell whether a person has confirmed an order of this size."""
        found = self._open.get(_key(request))
        return found is not None and request.order_qty == found[0] and now_ns <= found[1]

    def use(self, request: OrderRequest) -> None:
        """Take a confirmation away: its order has passed."""
        self._open.pop(_key(request), None)

    def undo(self) -> Callable[[], None]:
        """Return what gives back the confirmations used from now on."""
        unused = dict(self._open)

        def back() -> None:
            self._open = unused

        return back


def _key(request: OrderRequest) -> _Key:
    return request.strategy, request.instrument_id, request.side
