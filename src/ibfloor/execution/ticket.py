"""What is handed to a TradeManager: an order, or a bracket of orders, before it has an identity."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.ids import ClientOrderId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.order import OrderRequest, OrdType, Side, TimeInForce
from ibfloor.model.terms import OrderTerms


class OrderTicket(msgspec.Struct, frozen=True, kw_only=True):
    """An order before it has an identity."""

    instrument: Instrument
    side: Side
    order_qty: Decimal
    ord_type: OrdType
    limit_px: Decimal | None = None
    stop_px: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    note: str = ""
    terms: OrderTerms | None = None

    def named(self, cl_ord_id: ClientOrderId, strategy: StrategyId, terms: OrderTerms | None) -> OrderRequest:
        """Return the ticket as an intent of a strategy, with terms that name what the ticket could not."""
        return OrderRequest(
            cl_ord_id=cl_ord_id,
            strategy=strategy,
            instrument_id=self.instrument.instrument_id,
            side=self.side,
            order_qty=self.order_qty,
            ord_type=self.ord_type,
            limit_px=self.limit_px,
            stop_px=self.stop_px,
            time_in_force=self.time_in_force,
            note=self.note,
            terms=terms,
        )


class BracketTicket(msgspec.Struct, frozen=True, kw_only=True):
    """An entry and the orders that get out of it, sent as one."""

    entry: OrderTicket
    exits: tuple[OrderTicket, ...]
    """On the other side, of the entry's quantity."""
