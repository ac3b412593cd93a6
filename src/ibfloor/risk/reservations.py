"""Reservations: what of every order may still fill, kept until the broker's end of it is proven."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.model.fact import Fact, ReplaceRequested
from ibfloor.model.ids import ClientOrderId
from ibfloor.model.order import Order, OrderRequest, OrdStatus
from ibfloor.risk.exposure import Exposures

_ZERO = Decimal(0)
_SETTLED = frozenset({OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED})


class Reservation:
    """One order's claim: the larger of what it is and what it was asked to become."""

    __slots__ = ("changed_qty", "cum_qty", "is_change_known", "order_qty", "outstanding", "request")

    def __init__(self, request: OrderRequest) -> None:
        self.request = request
        self.order_qty = request.order_qty
        self.cum_qty = _ZERO
        self.outstanding = _ZERO
        self.changed_qty: Decimal | None = None
        """Quantity of a change that is not answered yet."""
        self.is_change_known = False
        """Whether the fact of that change has come back; an answer before it is to something older."""

    @property
    def wanted(self) -> Decimal:
        """Return what may still fill in the worst case."""
        return max(max(self.order_qty, self.changed_qty or _ZERO) - self.cum_qty, _ZERO)


class Reservations:
    """All claims of orders that are not done."""

    def __init__(self, exposures: Exposures) -> None:
        self._exposures = exposures
        self._open: dict[ClientOrderId, Reservation] = {}

    def __len__(self) -> int:
        return len(self._open)

    def get(self, cl_ord_id: ClientOrderId) -> Reservation | None:
        """Return an order's claim while it is not done."""
        return self._open.get(cl_ord_id)

    def open(self, request: OrderRequest) -> None:
        """Claim a new order's whole quantity."""
        reservation = self._open[request.cl_ord_id] = Reservation(request)
        self._adjust(reservation, request.order_qty)

    def change(self, request: OrderRequest) -> None:
        """Claim the larger of an order's old and new quantity until the change is answered."""
        reservation = self._open[request.cl_ord_id]
        reservation.changed_qty = max(request.order_qty, reservation.changed_qty or _ZERO)
        reservation.is_change_known = False
        self._adjust(reservation, reservation.wanted)

    def drop_change(self, cl_ord_id: ClientOrderId) -> None:
        """Take back the claim of a change that was not sent."""
        reservation = self._open.get(cl_ord_id)
        if reservation is not None:
            reservation.changed_qty = None
            self._adjust(reservation, reservation.wanted)

    def close(self, cl_ord_id: ClientOrderId) -> None:
        """Take back an order's whole claim."""
        reservation = self._open.pop(cl_ord_id, None)
        if reservation is not None:
            self._adjust(reservation, _ZERO)

    def follow(self, order: Order, fact: Fact) -> None:
        """Bring the claim in line with what is known of the order."""
        if order.status.is_done:
            self.close(order.cl_ord_id)
            return
        reservation = self._open.get(order.cl_ord_id)
        if reservation is None:
            reservation = self._open[order.cl_ord_id] = Reservation(order.request)
        reservation.order_qty, reservation.cum_qty = order.request.order_qty, order.cum_qty
        if isinstance(fact, ReplaceRequested):
            reservation.changed_qty = max(fact.request.order_qty, reservation.changed_qty or _ZERO)
            reservation.is_change_known = True
        elif reservation.is_change_known and order.status in _SETTLED:
            reservation.changed_qty = None
        self._adjust(reservation, reservation.wanted)

    def _adjust(self, reservation: Reservation, outstanding: Decimal) -> None:
        change = outstanding - reservation.outstanding
        if change:
            reservation.outstanding = outstanding
            request = reservation.request
            self._exposures.reserve(request.strategy, request.instrument_id, request.side, change)
