"""From a placeOrder message to a ticket, or to IB's refusal of it."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.instrument import SecurityType
from ibfloor.model.order import Side
from ibfloor.sim.gateway.algos import with_algo
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.events import Leg, Ticket
from ibfloor.sim.gateway.marks import mark_of
from ibfloor.sim.gateway.ticket_errors import TicketError, invalid, rejected
from ibfloor.sim.gateway.ticket_fields import refuse_unknown_fields
from ibfloor.sim.gateway.ticket_links import conditions_of, hedge_qty
from ibfloor.sim.gateway.ticket_parts import qty_of_money, with_parts
from ibfloor.sim.gateway.ticket_prices import grid_of
from ibfloor.sim.gateway.ticket_rules import UNSUPPORTED, is_known_type, lasting, terms_of
from ibfloor.sim.gateway.values import number_of, text_of
from ibfloor.sim.market.securities import Security
from ibfloor.sim.market.source import Market

__all__ = ["Around", "TicketError", "flaw_of_change", "read_ticket"]

_OCA_TYPES = (0, 1, 2, 3)


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What an order is read against: the time, the market, and the order it hangs on."""

    now_ns: int
    market: Market
    parent: Ticket | None = None


def read_ticket(values: Values, security: Security, account: str, around: Around, legs: tuple[Leg, ...] = ()) -> Ticket:
    """Return the ticket of a placeOrder message; raise ``TicketError`` when IB would refuse it."""
    instrument = security.instrument
    if instrument.contract.security_type is SecurityType.INDEX:
        raise rejected("The contract is not available for trading.")
    side = _side(values)
    if values.get("account") not in ("", account):
        raise invalid(f"Invalid account code '{values['account']}'.")
    if not is_known_type(values):
        raise UNSUPPORTED
    refuse_unknown_fields(values)
    if legs and values.get("order_type") not in ("MKT", "LMT"):
        raise UNSUPPORTED
    qty = _qty(values, security, around)
    terms = terms_of(values, security, side)
    time_in_force, rules = lasting(values, terms, security, qty, around.now_ns)
    conditions = conditions_of(values, security, around.market.master)
    rules = msgspec.structs.replace(
        with_parts(with_algo(rules, values, security, qty, around.now_ns), values, security, side, terms, qty),
        min_qty=rules.min_qty or _min_qty(values, qty),
        is_all_or_none=bool(values.get("all_or_none")),
        grid=grid_of(instrument),
        is_conditional=conditions is not None and not conditions.cancels,
    )
    is_hedge = bool(values.get("hedge_type"))
    if is_hedge and around.parent is not None:
        rules = msgspec.structs.replace(rules, per_parent=qty / around.parent.qty)
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
        conditions=conditions,
        is_hedge=is_hedge,
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
    if old.qty != new.qty and any(ticket.attributes.get("cash_qty") for ticket in (old, new)):
        return TicketError(
            10241,
            "Order Quantity is expressed in monetary terms. Modification is not supported via API. "
            "Please use desktop version to revise this order.",
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


def _qty(values: Values, security: Security, around: Around) -> Decimal:
    if values.get("hedge_type"):
        qty: object = _hedge_qty(values, security, around)
    else:
        qty = qty_of_money(values, security, around.market.top(security.instrument_id))
        qty = values.get("total_qty") if qty is None else qty
    if not isinstance(qty, Decimal) or not qty.is_finite() or qty < 0:
        raise invalid("The order quantity is invalid.")
    if qty == 0:
        raise TicketError(434, "The order size cannot be zero.")
    if qty % 1 and security.instrument.contract.security_type is not SecurityType.FOREX:
        raise TicketError(
            10243,
            "Fractional-sized order cannot be placed via API. Please use desktop version to place this order.",
        )
    if qty < security.min_size:
        raise TicketError(388, "Order size is smaller than the minimum requirement.")
    if qty % security.size_increment:
        raise TicketError(355, "Order size does not conform to market rule.")
    return qty


def _hedge_qty(values: Values, security: Security, around: Around) -> Decimal:
    parent, market = around.parent, around.market
    px = mark_of(market, security.instrument_id)
    parent_px = None
    if parent is not None:
        parent_px = parent.limit_px or mark_of(market, parent.instrument.instrument_id)
    if px is None or (parent is not None and parent_px is None):
        raise rejected("There is no price to size the hedge by.")
    return hedge_qty(values, security, parent, parent_px or Decimal(0), px)


def _min_qty(values: Values, qty: Decimal) -> Decimal:
    least = number_of(values, "min_qty")
    if not 0 <= least <= qty:
        raise invalid(f"The minimum quantity {least} is not within the order's quantity.")
    return Decimal(least)
