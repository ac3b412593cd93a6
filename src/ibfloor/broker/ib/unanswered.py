"""What was asked of an order and is not answered yet, and what counts as the answer."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.broker.ib.codes import Context
from ibfloor.model.order import OrderRequest, OrdStatus


class Unanswered:
    """The last request for an order that the broker has not answered yet."""

    __slots__ = ("context", "is_doubted", "is_second", "request", "sent_s")

    def __init__(self, context: Context, sent_s: float, request: OrderRequest | None, *, is_second: bool) -> None:
        self.context = context
        self.is_second = is_second
        """Whether another request for the order was unanswered when this one was made."""
        self.sent_s = sent_s
        self.request = request
        self.is_doubted = False

    def is_answer(self, status: OrdStatus, order_qty: Decimal | None) -> bool:
        """Tell whether a state of a living order, told with its whole quantity where known, answers the request."""
        match self.context:
            case Context.CANCEL:
                return status is OrdStatus.PENDING_CANCEL
            case Context.MODIFY:
                return order_qty is not None and (self.request is None or order_qty == self.request.order_qty)
            case _:
                return True
