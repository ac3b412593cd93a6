"""From a placeOrder message to a ticket, or to IB's refusal of it."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.instrument import SecurityType
from ibfloor.model.order import Side
from ibfloor.sim.gateway.algos import with_algo
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.events import Leg, Ticket
from ibfloor.sim.gateway.ticket_errors import TicketError, invalid, rejected
from ibfloor.sim.gateway.ticket_prices import grid_of
from ibfloor.sim.gateway.ticket_rules import UNSUPPORTED, lasting, terms_of
from ibfloor.sim.gateway.values import number_of, text_of
from ibfloor.sim.market.securities import Security

__all__ = ["TicketError", "flaw_of_change", "read_ticket"]

_ABSENT = {
    "conditions": "Conditional orders are not supported",
    "hedge_type": "Hedging orders are not supported",
    "scale_price_increment": "Scale orders are not supported",
    "cash_qty": "Cash quantity orders are not supported",
}
_OCA_TYPES = (0, 1, 2, 3)


def read_ticket(values: Values, security: Security, account: str, now_ns: int, legs: tuple[Leg, ...] = ()) -> Ticket:
    """Return the ticket of a placeOrder message; raise ``TicketError`` when IB would refuse it."""
    instrument = security.instrument
    if instrument.contract.security_type is SecurityType.INDEX:
        raise rejected("The contract is not available for trading.")
    side = _side(values)
    if values.get("account") not in ("", account):
        raise invalid(f"Invalid account code '{values['account']}'.")
    for name, text in _ABSENT.items():
        if values.get(name):
            raise rejected(f"{text} by this gateway.")
    if legs and values.get("order_type") not in ("MKT", "LMT"):
        raise UNSUPPORTED
    qty = _qty(values, security)
    terms = terms_of(values, security, side)
    time_in_force, rules = lasting(values, terms, security, qty, now_ns)
    rules = msgspec.structs.replace(
        with_algo(rules, values, security, qty, now_ns),
        min_qty=rules.min_qty or _min_qty(values, qty),
        is_all_or_none=bool(values.get("all_or_none")),
        grid=grid_of(instrument),
    )
    return Ticket(
        instrument=instrument,
        exchange=text_of(values, "exchange") or instrument.exchange,
        side=side,
        qty=qty,
        ord_type=terms.ord_type,
        limit_px=terms.limit_px,
        stop_px=terms.stop_px,
        time_in_force=time_in_force,
        outside_hours=bool(values.get("outside_rth")),
        transmit=bool(values.get("transmit", True)),
        what_if=bool(values.get("what_if")),
        account=account,
        order_ref=text_of(values, "order_ref"),
        attributes=values,
        ib_type=text_of(values, "order_type"),
        ib_tif=text_of(values, "tif") or "DAY",
        rules=rules,
        parent_id=number_of(values, "parent_id"),
        oca_group=text_of(values, "oca_group"),
        oca_type=_oca_type(values),
        legs=legs,
    )


def flaw_of_change(old: Ticket, new: Ticket) -> TicketError | None:
    """Return why a working order cannot become another; ``None`` when it can."""
    same = (
        old.instrument.instrument_id == new.instrument.instrument_id,
        old.side is new.side,
        old.type_text == new.type_text,
        old.tif_text == new.tif_text,
        old.parent_id == new.parent_id,
    )
    return None if all(same) else TicketError(105, "Order being modified does not match original order.")


def _side(values: Values) -> Side:
    try:
        return Side(text_of(values, "action"))
    except ValueError:
        raise invalid("Invalid side.") from None


def _oca_type(values: Values) -> int:
    kind = number_of(values, "oca_type")
    if kind not in _OCA_TYPES:
        raise invalid(f"Invalid OCA type {kind}.")
    return kind if values.get("oca_group") else 0


def _qty(values: Values, security: Security) -> Decimal:
    qty = values.get("total_qty")
    if not isinstance(qty, Decimal) or not qty.is_finite() or qty < 0:
        raise invalid("The order quantity is invalid.")
    if qty == 0:
        raise TicketError(434, "The order size cannot be zero.")
    if qty % 1 and security.instrument.contract.security_type is not SecurityType.FOREX:
        raise TicketError(10243, "Fractional-sized order cannot be placed via API.")
    if qty < security.min_size:
        raise TicketError(388, "Order size is smaller than the minimum requirement.")
    if qty % security.size_increment:
        raise TicketError(481, "Order size does not conform to market rule.")
    return qty


def _min_qty(values: Values, qty: Decimal) -> Decimal:
    least = number_of(values, "min_qty")
    if not 0 <= least <= qty:
        raise invalid(f"The minimum quantity {least} is not within the order's quantity.")
    return Decimal(least)
