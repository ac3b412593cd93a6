"""A strategy's orders and book. A refusal is an answer, never an exception."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from ibfloor.model.ids import ClientOrderId
from ibfloor.model.instrument import Contract
from ibfloor.model.money import Currency
from ibfloor.model.order import Accepted, Order, OrdStatus, OrdType, Refusal, Refused, Side, TimeInForce
from ibfloor.strategy.quantities import (
    Price,
    Quantity,
    Unfit,
    order_px,
    order_qty,
    order_type,
    time_in_force,
    whole_qty,
)
from ibfloor.strategy.seat import Seat
from ibfloor.strategy.values import Position

OrderRef = Order | Accepted | ClientOrderId
_NOT_SENT = ClientOrderId("")
_WARMING = Refusal(rule="warm-up", text="the bar comes from history: nothing is sent before the first live one")


class Trading(Seat):
    """Orders out, own position and cash at hand."""

    def buy(
        self,
        contract: Contract,
        qty: Quantity,
        *,
        limit: Price | None = None,
        stop: Price | None = None,
        tif: TimeInForce | str = TimeInForce.DAY,
        note: str = "",
    ) -> Accepted | Refused:
        """Buy at the market, at a limit, or once a stop price trades."""
        return self.submit(contract, Side.BUY, qty, limit=limit, stop=stop, tif=tif, note=note)

    def sell(
        self,
        contract: Contract,
        qty: Quantity,
        *,
        limit: Price | None = None,
        stop: Price | None = None,
        tif: TimeInForce | str = TimeInForce.DAY,
        note: str = "",
    ) -> Accepted | Refused:
        """Sell (short, where nothing is held) at the market, at a limit, or once a stop price trades."""
        return self.submit(contract, Side.SELL, qty, limit=limit, stop=stop, tif=tif, note=note)

    def submit(
        self,
        contract: Contract,
        side: Side,
        qty: Quantity,
        *,
        limit: Price | None = None,
        stop: Price | None = None,
        tif: TimeInForce | str = TimeInForce.DAY,
        note: str = "",
    ) -> Accepted | Refused:
        """Send an order; ``note`` comes back with its fills.

        Refused while ``is_warming``: a bar from history is no reason to trade now.
        """
        if self.floor.is_warming:
            return Refused(_NOT_SENT, _WARMING)
        instrument = self.floor.instrument(contract)
        if instrument is None:
            return self._refuse(Refusal(rule="instrument", text=f"the broker has not defined {contract} yet"))
        try:
            return self.floor.submit(
                contract,
                side,
                order_qty(qty),
                order_type(limit, stop),
                limit_px=order_px(limit, instrument, side),
                stop_px=order_px(stop, instrument, side),
                time_in_force=time_in_force(tif),
                note=note,
            )
        except Unfit as unfit:
            return self._refuse(unfit.refusal)

    def target(self, contract: Contract, qty: Quantity, *, note: str = "") -> Accepted | Refused | None:
        """Bring the position to ``qty`` with one market order; ``None`` when it is there or on its way.

        On its way = own market and limit orders that still work. Stops wait for their trigger and do not
        count, nor does an order reported as PENDING_CANCEL: cancel a protective stop, and wait for its end,
        before closing what it protects. Refused while an order of the contract is UNKNOWN: it may have filled.
        """
        try:
            change = whole_qty(qty) - self._expected_position(contract)
        except Unfit as unfit:
            return self._refuse(unfit.refusal)
        if not change:
            return None
        return self.submit(contract, Side.BUY if change > 0 else Side.SELL, abs(change), note=note)

    def cancel(self, order: OrderRef) -> Accepted | Refused:
        """Ask for an order's cancel; it may still fill until ``on_order`` says CANCELED."""
        return self.floor.cancel(_id_of(order))

    def cancel_all(self, contract: Contract | None = None) -> None:
        """Ask for the cancel of all own working orders, or of those of one contract."""
        for order in self.orders if contract is None else self.orders_of(contract):
            if order.status is not OrdStatus.PENDING_CANCEL:
                self.cancel(order)

    def replace(
        self, order: OrderRef, *, qty: Quantity | None = None, limit: Price | None = None, stop: Price | None = None
    ) -> Accepted | Refused:
        """Change a working order; what is not given stays. ``qty`` is the whole order's, fills included.

        What stays is what the broker has confirmed: while a change is under way, give all that shall differ.
        """
        order_id = _id_of(order)
        request = next((each.request for each in self.orders if each.cl_ord_id == order_id), None)
        instrument = self.floor.instrument(request.instrument_id) if request else None
        if request is None or instrument is None:
            return self._refuse(Refusal(rule="order done", text=f"{order_id} is no working order"), order_id)
        try:
            return self.floor.replace(
                order_id,
                qty=request.order_qty if qty is None else order_qty(qty),
                limit_px=request.limit_px if limit is None else order_px(limit, instrument, request.side),
                stop_px=request.stop_px if stop is None else order_px(stop, instrument, request.side),
            )
        except Unfit as unfit:
            return self._refuse(unfit.refusal, order_id)

    @property
    def orders(self) -> Sequence[Order]:
        """Return own orders that may still fill."""
        return self.floor.orders()

    def orders_of(self, contract: Contract) -> list[Order]:
        """Return own orders of a contract that may still fill."""
        instrument = self.floor.instrument(contract)
        return [each for each in self.orders if instrument and each.request.instrument_id == instrument.instrument_id]

    def position(self, contract: Contract) -> Position:
        """Return the own position; flat where nothing was ever held."""
        return self.floor.position(contract)

    @property
    def equity(self) -> Decimal | None:
        """Return own cash and positions in account currency; ``None`` while a mark or rate is missing."""
        return self.floor.equity()

    @property
    def cash(self) -> Mapping[Currency, Decimal]:
        """Return own cash per currency."""
        return self.floor.cash()

    def _expected_position(self, contract: Contract) -> Decimal:
        expected = self.position(contract).qty
        for order in self.orders_of(contract):
            if order.status is OrdStatus.UNKNOWN:
                raise Unfit("unknown order", f"the broker is being asked what became of {order.cl_ord_id}", contract)
            if order.request.ord_type is not OrdType.STOP and order.status is not OrdStatus.PENDING_CANCEL:
                expected += order.leaves_qty * order.request.side.sign
        return expected

    def _refuse(self, refusal: Refusal, order_id: ClientOrderId = _NOT_SENT) -> Refused:
        self.log.warning("order refused", rule=refusal.rule, text=refusal.text, asked=refusal.asked)
        return Refused(order_id, refusal)


def _id_of(order: OrderRef) -> ClientOrderId:
    return order.cl_ord_id if isinstance(order, Order | Accepted) else order
