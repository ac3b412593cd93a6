"""Prices of an order: what its type needs, on the security's grid."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.model.instrument import Instrument
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.ticket_errors import TicketError, invalid
from ibfloor.sim.market.securities import Security

ZERO = Decimal(0)


def number(values: Values, name: str) -> Decimal | None:
    """Return a finite number; ``None`` where it was left out."""
    value = values.get(name)
    return value if isinstance(value, Decimal) and value.is_finite() else None


def above_zero(values: Values, name: str, what: str) -> Decimal:
    """Return a number above zero; raise ``TicketError`` for none."""
    value = number(values, name)
    if value is None or value <= ZERO:
        raise invalid(f"The {what} is missing or invalid.")
    return value


def price(values: Values, name: str, what: str, security: Security) -> Decimal:
    """Return a price on the grid; raise ``TicketError`` for none or one between the ticks."""
    px = _price_of_combo(values, name, what) if security.instrument_id < 0 else above_zero(values, name, what)
    if not is_on_grid(security, px):
        raise TicketError(110, "The price does not conform to the minimum price variation for this contract.")
    return px


def _price_of_combo(values: Values, name: str, what: str) -> Decimal:
    # a combination may pay money: its price may be zero or below
    px = number(values, name)
    if px is None:
        raise invalid(f"The {what} is missing or invalid.")
    return px


def is_on_grid(security: Security, px: Decimal) -> bool:
    """Tell whether a security's market rule takes a price."""
    return security.instrument.is_on_grid(px) if security.rule is None else security.rule.is_on_grid(px)


def grid_of(instrument: Instrument) -> Decimal:
    """Return the step of prices that the exchange makes itself."""
    return instrument.min_tick
