"""Values that only strategies see: a fill, a position and the way to the market, in a trader's words."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.ids import ClientOrderId, ExecId
from ibfloor.model.instrument import Contract, Instrument
from ibfloor.model.order import Accepted, Side


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of an own order. Its fee comes later and goes straight to the books."""

    exec_id: ExecId
    """The broker's id of it: the same however often it is told; a correction has another ending."""
    cl_ord_id: ClientOrderId
    instrument: Instrument
    side: Side
    qty: Decimal
    px: Decimal
    ts_event_ns: int
    note: str = ""
    """The note the order was submitted with."""
    may_be_repeat: bool = False
    """Whether an earlier life may have handled it, and ended before that was noted: at most the first of a life."""

    @property
    def contract(self) -> Contract:
        """Return the contract as the strategy asked for it."""
        return self.instrument.contract

    @property
    def signed_qty(self) -> Decimal:
        """Return the change of the position: negative for a sale."""
        return self.qty * self.side.sign


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """What the strategy's own book holds of a contract: short below zero, flat at zero."""

    contract: Contract
    qty: Decimal = Decimal(0)
    avg_px: Decimal = Decimal(0)

    @property
    def is_flat(self) -> bool:
        """Tell whether nothing is held."""
        return self.qty == 0


class Bracket(msgspec.Struct, frozen=True, kw_only=True):
    """A bracket that is on its way: its orders, to be changed or canceled one by one."""

    entry: Accepted
    take_profit: Accepted | None = None
    stop: Accepted | None = None
    trail: Accepted | None = None
    at_close: Accepted | None = None


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """An offer to the floor's other strategies: no order, and forgotten when its strategy or the floor ends."""

    offer_id: ClientOrderId
    contract: Contract
    side: Side
    qty: Decimal
    limit: Decimal | None = None
    crossed_qty: Decimal = Decimal(0)
    last_px: Decimal | None = None
    """What the last part of it crossed at."""
    is_over: bool = False
    text: str = ""
    """Why it is over."""

    @property
    def left(self) -> Decimal:
        """Return what has not crossed."""
        return self.qty - self.crossed_qty


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """Whether orders can go out now; ``detail`` says why not."""

    can_trade: bool
    detail: str = ""


class WantedBars(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Closed bars of a contract, after the last ``warmup`` ones from history."""

    contract: Contract
    bar: str
    """The size by IB's name: ``"1 min"``, ``"5 mins"``, ``"1 day"``."""
    warmup: int = 0


class WantedQuotes(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Every change of a contract's best bid and ask."""

    contract: Contract


class WantedTrades(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Every print of a contract's tape."""

    contract: Contract


Wanted = WantedBars | WantedQuotes | WantedTrades
