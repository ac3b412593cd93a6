"""From an author's numbers to an order's exact ones: quantities whole, prices on the tick grid."""

from __future__ import annotations

import math
import operator
from decimal import Decimal
from typing import SupportsIndex

from ibfloor.model.instrument import Instrument
from ibfloor.model.order import Refusal, Side, TimeInForce

Quantity = Decimal | float | SupportsIndex
"""A number of shares or contracts. A float must be whole: ``1e5`` is, ``99.5`` is refused."""

Price = Decimal | float
"""A float is put on the tick grid, never worse for the side; a Decimal must be on it."""


class Unfit(Exception):
    """What an author gave makes no order; ``refusal`` says why."""

    def __init__(self, rule: str, text: str, asked: object) -> None:
        super().__init__(text)
        self.refusal = Refusal(rule=rule, text=text, asked=str(asked))


def whole_qty(qty: Quantity) -> Decimal:
    """Return a signed quantity; raises ``Unfit``."""
    if isinstance(qty, float):
        if not qty.is_integer():
            raise Unfit("order quantity", f"{qty!r} is not a whole number: round it, or give a Decimal", qty)
        return Decimal(int(qty))
    exact = qty if isinstance(qty, Decimal) else Decimal(operator.index(qty))
    if not exact.is_finite():
        raise Unfit("order quantity", f"{qty} is not a quantity", qty)
    return exact


def order_qty(qty: Quantity) -> Decimal:
    """Return an order's quantity, above zero; raises ``Unfit``."""
    exact = whole_qty(qty)
    if exact <= 0:
        raise Unfit("order quantity", "a quantity above zero is needed; the side says buy or sell", qty)
    return exact


def order_px(px: Price | None, instrument: Instrument, side: Side) -> Decimal | None:
    """Return a price on the instrument's grid; raises ``Unfit``."""
    if px is None:
        return None
    if not math.isfinite(px):
        raise Unfit("price", f"{px} is not a price", px)
    if not isinstance(px, Decimal):
        return instrument.round_price(float(px), side)
    if not instrument.is_on_grid(px):
        raise Unfit("tick grid", f"{px} is no multiple of {instrument.tick_at(px)} for {instrument.local_symbol}", px)
    return px


def time_in_force(text: str) -> TimeInForce:
    """Return the time in force a text means; raises ``Unfit``."""
    try:
        return TimeInForce(text)
    except ValueError as error:
        raise Unfit("time in force", "there are " + ", ".join(TimeInForce), text) from error
