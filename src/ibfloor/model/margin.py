"""What an order would do to the account's margin, as the broker computes it without placing the order."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.ids import InstrumentId
from ibfloor.model.money import Currency
from ibfloor.model.order import Side


class MarginFigure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of the account: as it is, as it would be, and the difference."""

    before: Decimal
    change: Decimal
    after: Decimal


class MarginImpact(msgspec.Struct, frozen=True, kw_only=True):
    """The broker's answer to a preview: the whole account before and after the order, and its cost."""

    instrument_id: InstrumentId
    side: Side
    order_qty: Decimal
    initial: MarginFigure
    """Initial margin: what must be there for the order to be taken."""
    maintenance: MarginFigure
    """Maintenance margin: below it the broker liquidates."""
    equity: MarginFigure
    """Equity with loan value: what the margins are held against."""
    currency: Currency
    """Of the three figures above: the account's base currency."""
    commission: Decimal | None = None
    """``None`` where the broker gives only a range, or nothing."""
    commission_min: Decimal | None = None
    commission_max: Decimal | None = None
    commission_currency: Currency = Currency("")
    warning: str = ""
    """What the broker said besides; empty for nothing."""
    ts_ns: int
    """When the answer came, market time."""
