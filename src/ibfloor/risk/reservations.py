"""Reservations: what of every order may still fill, kept until the broker's end of it is proven.

Orders of a group that protects against overfills claim together what the largest of them may. A bracket's
exits claim no more than its entry has filled: the broker holds them until then.
"""

from __future__ import annotations

from decimal import Decimal

from ibfloor.model.combo import leg_side
from ibfloor.model.fact import Fact, ReplaceRequested
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.order import Order, OrderRequest, OrdStatus, Side
from ibfloor.model.terms import OcaKind
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


UnitKey = tuple[str, StrategyId, InstrumentId, Side]


class _Unit:
    """Orders that claim as one: the members of a group on one side, or the exits of a bracket."""

    __slots__ = ("entry_qty", "filled", "outstanding", "wanted")

    def __init__(self) -> None:
        self.wanted: dict[ClientOrderId, Decimal] = {}
        """What each member that is not done may still fill."""
        self.filled: dict[ClientOrderId, Decimal] = {}
        self.entry_qty: Decimal | None = None
        """What the entry has filled; ``None`` for no entry, or one not known."""
        self.outstanding = _ZERO

    def claim(self, also: Decimal = _ZERO) -> Decimal:
        """Return what the members may still fill together, with one more order of a quantity."""
        most = max(self.wanted.values(), default=_ZERO)
        if self.entry_qty is not None:
            room = max(self.entry_qty - sum(self.filled.values(), _ZERO), _ZERO)
            return min(max(most, also), room)
        return max(most, also)


class Reservations:
    """All claims of orders that are not done."""

    def __init__(self, exposures: Exposures) -> None:
        self._exposures = exposures
        self._open: dict[ClientOrderId, Reservation] = {}
        self._units: dict[UnitKey, _Unit] = {}

    def __len__(self) -> int:
        return len(self._open)

    def get(self, cl_ord_id: ClientOrderId) -> Reservation | None:
        """Return an order's claim while it is not done."""
        return self._open.get(cl_ord_id)

    def added_by(self, request: OrderRequest) -> Decimal:
        """Return how much more may fill once a new order works."""
        key = _unit_key(request)
        if key is None:
            return request.order_qty
        unit = self._units.get(key)
        if unit is None:
            filled = self._entry_qty(request)
            return request.order_qty if filled is None else min(request.order_qty, filled)
        return max(unit.claim(request.order_qty) - unit.outstanding, _ZERO)

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
        if order.request.terms is not None or self._units:
            self._follow_units(order)
        if order.status.is_done:
            self.close(order.cl_ord_id)
            return
        reservation = self._open.get(order.cl_ord_id)
        if reservation is not None and reservation.request.strategy != order.request.strategy:
            self.close(order.cl_ord_id)  # handed over: another strategy's claim from now on
            known, reservation = reservation, Reservation(order.request)
            reservation.changed_qty, reservation.is_change_known = known.changed_qty, known.is_change_known
            self._open[order.cl_ord_id] = reservation
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
        request = reservation.request
        if request.terms is not None and (key := _unit_key(request)) is not None:
            reservation.outstanding = outstanding
            self._adjust_unit(key, request, outstanding)
            return
        change = outstanding - reservation.outstanding
        if change:
            reservation.outstanding = outstanding
            for instrument_id, side, ratio in parts_of(request):
                self._exposures.reserve(request.strategy, instrument_id, side, change * ratio)

    def _adjust_unit(self, key: UnitKey, request: OrderRequest, outstanding: Decimal) -> None:
        unit = self._units.get(key)
        if unit is None:
            unit = self._units[key] = _Unit()
            unit.entry_qty = self._entry_qty(request)
        unit.wanted[request.cl_ord_id] = outstanding
        if request.cl_ord_id not in self._open:
            del unit.wanted[request.cl_ord_id]
        self._settle(key, unit)

    def _settle(self, key: UnitKey, unit: _Unit) -> None:
        _, strategy, instrument_id, side = key
        claim = unit.claim()
        if claim != unit.outstanding:
            self._exposures.reserve(strategy, instrument_id, side, claim - unit.outstanding)
            unit.outstanding = claim
        if not unit.wanted:
            del self._units[key]

    def _follow_units(self, order: Order) -> None:
        request = order.request
        if (key := _unit_key(request)) is not None and (unit := self._units.get(key)) is not None:
            unit.filled[request.cl_ord_id] = order.cum_qty
        of_exits = (request.cl_ord_id, request.strategy, request.instrument_id, request.side.opposite)
        if (exits := self._units.get(of_exits)) is not None:
            exits.entry_qty = order.cum_qty
            self._settle(of_exits, exits)

    def _entry_qty(self, request: OrderRequest) -> Decimal | None:
        entry = self._open.get(request.asks.bracket)
        return None if entry is None else entry.cum_qty


def parts_of(request: OrderRequest) -> tuple[tuple[InstrumentId, Side, int], ...]:
    """Return what an order trades: its contract, or every leg of its combination, with side and ratio."""
    combo = None if request.terms is None else request.terms.combo
    if combo is None:
        return ((request.instrument_id, request.side, 1),)
    return tuple((leg.instrument_id, leg_side(request.side, leg.ratio), abs(leg.ratio)) for leg in combo.legs)


def _unit_key(request: OrderRequest) -> UnitKey | None:
    terms = request.terms
    if terms is None:
        return None
    name: str = terms.bracket
    if not name and terms.oca is not None and terms.oca.kind is not OcaKind.REDUCE_UNBLOCKED:
        name = terms.oca.group
    return (name, request.strategy, request.instrument_id, request.side) if name else None
