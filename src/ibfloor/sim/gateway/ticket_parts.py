"""Parts of an order beside its type: what it shows, how far it reaches, its components, its quantity in money."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

import msgspec

from ibfloor.model.instrument import SecurityType
from ibfloor.model.order import OrdType, Side
from ibfloor.sim.exchange.values import BookTop, Rung
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.events import Rules
from ibfloor.sim.gateway.ticket_errors import TicketError, invalid
from ibfloor.sim.gateway.ticket_prices import ZERO, number
from ibfloor.sim.gateway.ticket_rules import Terms
from ibfloor.sim.gateway.values import number_of
from ibfloor.sim.market.securities import Security

RUNGS_MAX = 1000
_BLOCK_LEAST = 50
_NO_MONEY = TicketError(10244, "Cash Quantity cannot be used for this order")


def with_parts(rules: Rules, values: Values, security: Security, side: Side, terms: Terms, qty: Decimal) -> Rules:
    """Return the rules with what an order shows, hides, adds at its discretion and trades by components."""
    is_plain_limit = values.get("order_type") == "LMT"
    discretion, display = number(values, "discretionary_amt") or ZERO, number_of(values, "display_size")
    if values.get("block_order") and qty < _BLOCK_LEAST:
        raise TicketError(117, "The block order size must be at least 50.")
    if values.get("hidden") and not (is_plain_limit and _is_stock(security)):
        raise TicketError(152, "The 'hidden' order attribute may not be specified for this order.")
    if discretion and display:
        raise TicketError(
            157,
            "An order can be EITHER Iceberg or Discretionary. Please remove either the Discretionary amount or the "
            "Display size.",
        )
    if discretion and not (is_plain_limit and _is_stock(security)):
        raise TicketError(
            325, "Discretionary orders are not supported for this combination of exchange and order type."
        )
    if discretion < ZERO or discretion % security.instrument.min_tick:
        raise TicketError(
            168, "Discretionary amount does not conform to the minimum price variation for this contract."
        )
    if display and not 0 < display < qty:
        raise TicketError(10020, "Display size should be smaller than order size.")
    if display and terms.ord_type is not OrdType.LIMIT:
        raise invalid("The display size is valid for limit orders only.")
    rungs = _rungs(values, security, side, terms, qty)
    if rungs and (display or discretion):
        raise invalid("A scale order has neither a display size nor a discretionary amount.")
    return msgspec.structs.replace(
        rules,
        discretion=discretion,
        display_qty=Decimal(display),
        is_hidden=bool(values.get("hidden")),
        rungs=rungs,
    )


def _rungs(values: Values, security: Security, side: Side, terms: Terms, qty: Decimal) -> tuple[Rung, ...]:
    step = number(values, "scale_price_increment") or ZERO
    first, later = number_of(values, "scale_init_level_size"), number_of(values, "scale_subs_level_size")
    if not step:
        if first or later:
            raise TicketError(408, "Invalid scale order increment.")
        return ()
    if values.get("order_type") != "LMT" or terms.limit_px is None:
        raise invalid("A scale order is a limit order.")
    if step < ZERO or step % security.instrument.min_tick:
        raise TicketError(408, "Invalid scale order increment.")
    if not first:
        raise TicketError(419, "Missing initial component size for scale order.")
    if not 0 < first <= qty:
        raise TicketError(417, "Invalid initial component size for scale order.")
    if later < 0:
        raise TicketError(410, "Invalid subsequent component size for scale order.")
    rungs, upto, px = [], Decimal(first), terms.limit_px
    while True:
        rungs.append(Rung(min(upto, qty), px))
        if upto >= qty:
            return tuple(rungs)
        upto, px = upto + (later or first), px - step * side.sign
        if px <= ZERO or len(rungs) >= RUNGS_MAX:
            raise TicketError(408, "Invalid scale order increment.")


def qty_of_money(values: Values, security: Security, top: BookTop | None) -> Decimal | None:
    """Return the quantity that a sum of money buys, in whole steps; ``None`` when the order names none.

    At the limit, or at what the other side asks now; raise ``TicketError`` where IB takes no sum.
    """
    money = number(values, "cash_qty")
    if not money:
        return None
    is_buy = values.get("action") == "BUY"
    px = number(values, "lmt_price") if values.get("order_type") == "LMT" else None
    if px is None and top is not None:
        px = top.ask_px if is_buy else top.bid_px
    is_money_kind = security.instrument.contract.security_type is SecurityType.FOREX or (_is_stock(security) and is_buy)
    is_simple = values.get("order_type") in ("LMT", "MKT") and not values.get("total_qty")
    if not (is_money_kind and is_simple) or money < ZERO or px is None or px <= ZERO:
        raise _NO_MONEY
    step = security.size_increment
    return (money / px / step).quantize(Decimal(1), rounding=ROUND_FLOOR) * step


def _is_stock(security: Security) -> bool:
    return security.instrument.contract.security_type is SecurityType.STOCK and security.instrument_id > 0
