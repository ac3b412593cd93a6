"""What ties an order to other things: its conditions, and the parent that it hedges."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import SecurityType
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.events import Condition, ConditionKind, Conditions, Ticket
from ibfloor.sim.gateway.ticket_errors import TicketError, invalid
from ibfloor.sim.gateway.ticket_prices import ZERO
from ibfloor.sim.gateway.ticket_times import BAD_TIME, moment_of
from ibfloor.sim.gateway.values import number_of, text_of
from ibfloor.sim.market.securities import Security, SecurityMaster

METHODS = (0, 1, 2, 3, 4, 7, 8)
"""IB's ways to read a price: default, double bid or ask, last, double last, bid or ask, either, middle."""
_OF_CONTRACT = (ConditionKind.PRICE, ConditionKind.VOLUME, ConditionKind.CHANGE)


def conditions_of(values: Values, security: Security, master: SecurityMaster) -> Conditions | None:
    """Return an order's conditions, ``None`` for none; raise ``TicketError`` for what IB would refuse."""
    rows = values.get("conditions")
    if not rows:
        return None
    assert not isinstance(rows, str | int | float | Decimal), "a repeated block is a sequence of rows"
    if security.instrument_id < 0:
        raise TicketError(402, "Conditions are not allowed for this contract.")
    return Conditions(
        all=tuple(_condition(row, security, master) for row in rows),
        cancels=bool(values.get("conditions_cancel_order")),
        ignores_hours=bool(values.get("conditions_ignore_rth")),
    )


def _condition(row: Values, security: Security, master: SecurityMaster) -> Condition:
    try:
        kind = ConditionKind(number_of(row, "kind"))
    except ValueError:
        raise invalid(f"Invalid condition type {row.get('kind')}.") from None
    con_id, method = number_of(row, "con_id"), number_of(row, "trigger_method")
    if kind in _OF_CONTRACT and master.by_id(InstrumentId(con_id)) is None:
        raise TicketError(147, "The conditional contract info is incomplete.")
    if method not in METHODS:
        raise TicketError(146, "Invalid trigger method.")
    value = row.get("value")
    if kind not in (ConditionKind.TIME, ConditionKind.EXECUTION) and not isinstance(value, Decimal | int):
        raise invalid("A condition needs a value.")
    return Condition(
        kind=kind,
        is_and=row.get("conjunction") != "o",
        is_more=bool(row.get("is_more")),
        value=Decimal(value) if isinstance(value, Decimal | int) else ZERO,
        ts_ns=_moment(str(value), security) if kind is ConditionKind.TIME else 0,
        instrument_id=InstrumentId(con_id),
        method=method,
        symbol=text_of(row, "symbol"),
        sec_type=text_of(row, "sec_type"),
        exchange=text_of(row, "exchange"),
    )


def _moment(text: str, security: Security) -> int:
    try:
        return moment_of(text, security.session)
    except ValueError:
        raise BAD_TIME from None


def hedge_qty(values: Values, security: Security, parent: Ticket | None, parent_px: Decimal, px: Decimal) -> Decimal:
    """Return how much hedges the whole of a parent, in whole units; raise ``TicketError`` as IB would.

    A pair by its ratio, a beta hedge by the parent's value times beta over the hedge's price, a
    currency by the parent's value in that currency.
    """
    kind = text_of(values, "hedge_type")
    if kind == "D":
        raise TicketError(10010, "Invalid delta hedge order.")
    if kind not in ("P", "B", "F"):
        raise TicketError(10007, "Invalid hedge type.")
    if parent is None:
        raise TicketError(10006, "Missing parent order.")
    if values.get("total_qty"):
        raise invalid("The size of a hedging order follows from its parent's.")
    value = parent.qty * parent_px * parent.instrument.multiplier
    if kind == "F":
        amount = _currency_amount(security, parent, value, px)
    else:
        amount = _ratio(values, kind) * (parent.qty if kind == "P" else value / (px * security.instrument.multiplier))
    qty = amount.quantize(Decimal(1), rounding=ROUND_FLOOR)
    if qty <= ZERO:
        raise TicketError(10009, "Invalid hedge ratio.")
    return qty


def _ratio(values: Values, kind: str) -> Decimal:
    text = text_of(values, "hedge_param")
    if not (text.replace(".", "", 1).isascii() and text.replace(".", "", 1).isdigit() and Decimal(text) > 0):
        raise TicketError(10008, "Invalid beta value.") if kind == "B" else TicketError(10009, "Invalid hedge ratio.")
    return Decimal(text)


def _currency_amount(security: Security, parent: Ticket, value: Decimal, px: Decimal) -> Decimal:
    contract = security.instrument.contract
    if contract.security_type is SecurityType.FOREX and parent.instrument.currency == contract.symbol:
        return value
    if contract.security_type is SecurityType.FOREX and parent.instrument.currency == contract.currency:
        return value / px
    raise TicketError(406, "The currency is not allowed.")
