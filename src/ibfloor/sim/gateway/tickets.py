"""From a placeOrder message to a ticket, or to IB's refusal of it."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.instrument import Instrument, SecurityType
from ibfloor.model.order import OrdType, Side, TimeInForce
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.events import ZERO, Ticket

_SERVED_FLAGS = {
    "parent_id": "Attached orders are not supported",
    "oca_group": "One-cancels-all groups are not supported",
    "conditions": "Conditional orders are not supported",
    "algo_strategy": "Algorithms are not supported",
    "good_after_time": "Good-after-time is not supported",
    "hedge_type": "Hedging orders are not supported",
    "all_or_none": "All-or-none is not supported",
    "scale_price_increment": "Scale orders are not supported",
    "cash_qty": "Cash quantity orders are not supported",
}


class TicketError(Exception):
    """IB's refusal of an order, with its code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    @property
    def reject_json(self) -> str:
        """Return the refusal as IB's advanced reject, for clients that read it; only 201 has one."""
        if self.code != 201:
            return ""
        return msgspec.json.encode({"rejects": [{"code": str(self.code), "message": self.text}]}).decode()


def read_ticket(values: Values, instrument: Instrument, account: str) -> Ticket:
    """Return the ticket of a placeOrder message; raise ``TicketError`` when IB would refuse it."""
    if instrument.contract.security_type is SecurityType.INDEX:
        raise TicketError(201, "Order rejected - reason:The contract is not available for trading.")
    ord_type = _ord_type(values)
    if values.get("account") not in ("", account):
        raise TicketError(321, f"Error validating request.-'bH' : cause - Invalid account code '{values['account']}'.")
    for name, text in _SERVED_FLAGS.items():
        if values.get(name):
            raise TicketError(201, f"Order rejected - reason:{text} by this gateway.")
    return Ticket(
        instrument=instrument,
        exchange=str(values.get("exchange") or instrument.exchange),
        side=_side(values),
        qty=_qty(values, instrument),
        ord_type=ord_type,
        limit_px=_price(values, "lmt_price", instrument) if ord_type is OrdType.LIMIT else None,
        stop_px=_price(values, "aux_price", instrument) if ord_type is OrdType.STOP else None,
        time_in_force=_time_in_force(values),
        outside_hours=bool(values.get("outside_rth")),
        transmit=bool(values.get("transmit", True)),
        what_if=bool(values.get("what_if")),
        account=account,
        order_ref=str(values.get("order_ref", "")),
        attributes=values,
    )


def flaw_of_change(old: Ticket, new: Ticket) -> TicketError | None:
    """Return why a working order cannot become another; ``None`` when it can."""
    same = (
        old.instrument.instrument_id == new.instrument.instrument_id,
        old.side is new.side,
        old.ord_type is new.ord_type,
        old.time_in_force is new.time_in_force,
    )
    return None if all(same) else TicketError(105, "Order being modified does not match original order.")


def _ord_type(values: Values) -> OrdType:
    try:
        return OrdType(str(values.get("order_type")))
    except ValueError:
        raise TicketError(387, "Unsupported order type for this exchange and security type.") from None


def _side(values: Values) -> Side:
    try:
        return Side(str(values.get("action")))
    except ValueError:
        raise TicketError(321, "Error validating request.-'bH' : cause - Invalid side.") from None


def _time_in_force(values: Values) -> TimeInForce:
    try:
        return TimeInForce(str(values.get("tif") or "DAY"))
    except ValueError:
        raise TicketError(10052, f"Invalid time in force:{values.get('tif')}.") from None


def _qty(values: Values, instrument: Instrument) -> Decimal:
    qty = values.get("total_qty")
    if not isinstance(qty, Decimal) or not qty.is_finite() or qty < 0:
        raise TicketError(321, "Error validating request.-'bH' : cause - The order quantity is invalid.")
    if qty == 0:
        raise TicketError(434, "The order size cannot be zero.")
    if qty % 1 and instrument.contract.security_type is not SecurityType.FOREX:
        raise TicketError(10243, "Fractional-sized order cannot be placed via API.")
    return qty


def _price(values: Values, name: str, instrument: Instrument) -> Decimal:
    px = values.get(name)
    if not isinstance(px, Decimal) or not px.is_finite() or px <= ZERO:
        what = "limit" if name == "lmt_price" else "stop"
        raise TicketError(321, f"Error validating request.-'bH' : cause - The {what} price is missing or invalid.")
    if not instrument.is_on_grid(px):
        raise TicketError(110, "The price does not conform to the minimum price variation for this contract.")
    return px
