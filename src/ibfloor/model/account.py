"""The account as the broker tells it: lists and figures, not facts. Facts are made from them."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.fact import FeeReported, OrderFilled
from ibfloor.model.ids import AccountId, InstrumentId
from ibfloor.model.instrument import Instrument
from ibfloor.model.money import Currency, Money
from ibfloor.model.order import OrdStatus, OrdType, Side
from ibfloor.model.terms import Combo


class ListedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the broker lists it, working or completed."""

    order_ref: str
    perm_id: int
    client_id: int
    order_id: int
    instrument_id: InstrumentId
    side: Side
    ord_type: OrdType | str
    order_qty: Decimal
    status: OrdStatus
    limit_px: Decimal | None = None
    stop_px: Decimal | None = None
    cum_qty: Decimal = Decimal(0)
    text: str = ""
    symbols: tuple[str, ...] = ()
    combo: Combo | None = None
    """Of an order for a combination; its instrument id is then the broker's one for all of them."""

    @property
    def contracts(self) -> tuple[InstrumentId, ...]:
        """Return what it trades: its contract, or those of its combination's legs."""
        return (self.instrument_id,) if self.combo is None else tuple(leg.instrument_id for leg in self.combo.legs)


class AccountPosition(msgspec.Struct, frozen=True, kw_only=True):
    """A position as the broker's account shows it."""

    instrument: Instrument
    qty: Decimal
    avg_px: Decimal


class BrokerSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker says of the whole account at one time. Not journaled: facts made from it are."""

    ts_event_ns: int
    account: AccountId
    base_currency: Currency
    open_orders: tuple[ListedOrder, ...]
    completed_orders: tuple[ListedOrder, ...]
    fills: tuple[OrderFilled, ...]
    fees: tuple[FeeReported, ...]
    positions: tuple[AccountPosition, ...]
    cash: tuple[Money, ...]
    net_liquidation: Money


class AccountReported(msgspec.Struct, frozen=True, kw_only=True):
    """Account values as the broker pushes them; shown, not journaled."""

    ts_event_ns: int
    account: AccountId
    values: tuple[tuple[str, str, str], ...]
    """(key, value, currency) as IB names them."""
    is_asked: bool = False
    """Whether it answers a question; else the broker tells of it by itself."""
