"""Orders a person has looked at: one order of a confirmed size may pass what asks for confirmation."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.model.fact import OrderRefused
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.moment import NS_PER_S
from ibfloor.model.order import OrderRequest, Side
from ibfloor.risk.rules import fat_finger

VALID_S = 300
"""How long a confirmation waits for its order, in market seconds."""
_KEPT = 200

_Key = tuple[StrategyId, InstrumentId, Side]


class Confirmations:
    """Refused orders that may be confirmed, and confirmations not used yet. Lost by a restart, on purpose."""

    def __init__(self) -> None:
        self._refused: dict[ClientOrderId, OrderRequest] = {}
        self._open: dict[_Key, tuple[Decimal, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    def note(self, fact: OrderRefused) -> None:
        """Remember an order that only wants a person's word."""
        if fact.reason.rule != fat_finger.RULE:
            return
        self._refused[fact.request.cl_ord_id] = fact.request
        if len(self._refused) > _KEPT:
            del self._refused[next(iter(self._refused))]

    def confirm(self, cl_ord_id: ClientOrderId, now_ns: int) -> OrderRequest | None:
        """Let one order like a refused one pass for a while; ``None`` when there is no such refusal."""
        request = self._refused.pop(cl_ord_id, None)
        if request is not None:
            self._open[_key(request)] = (request.order_qty, now_ns + VALID_S * NS_PER_S)
        return request

    def has(self, request: OrderRequest, now_ns: int) -> bool:
        """Tell whether a person has confirmed an order of this size."""
        found = self._open.get(_key(request))
        return found is not None and request.order_qty == found[0] and now_ns <= found[1]

    def use(self, request: OrderRequest) -> None:
        """Take a confirmation away: its order has passed."""
        self._open.pop(_key(request), None)


def _key(request: OrderRequest) -> _Key:
    return request.strategy, request.instrument_id, request.side
