"""What a rule may look at: one check's context, made by the gate."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.instrument import Instrument
from ibfloor.model.order import OrderRequest
from ibfloor.risk.bucket import TokenBucket
from ibfloor.risk.exposure import Exposures, Slot
from ibfloor.risk.limits import AccountLimits, StrategyLimits
from ibfloor.risk.permission import Permissions


class PriceReference(msgspec.Struct, frozen=True):
    """A price to judge an order by, with its time (market time, ns) and where it came from."""

    px: Decimal
    ts_ns: int
    source: str = "quote"
    doubt: str = ""
    """Why it is not to be traded on, whatever its age."""


class RuleContext(msgspec.Struct, gc=False):
    """One check's context. Rules read it and change nothing."""

    limits: StrategyLimits
    account: AccountLimits
    instrument: Instrument
    reference: PriceReference | None
    now_ns: int
    worst_px: Decimal | None
    """Highest price the order could be valued at: its own or the market's; ``None`` when neither is known."""
    rate: Decimal | None
    """What one unit of the instrument's currency is worth in the base currency."""
    added_qty: Decimal
    """How much more than now may fill once this passes."""
    slot: Slot
    account_slot: Slot
    exposures: Exposures
    permissions: Permissions
    bucket: TokenBucket | None
    account_bucket: TokenBucket | None
    is_repeated: bool
    """The intent id was used before (a change of a working order is no repeat)."""

    def is_reducing(self, request: OrderRequest) -> bool:
        """Tell whether the order, with all working on its side, only takes off what the strategy holds."""
        slot = self.slot
        if slot.qty > 0:
            return request.side.sign < 0 and slot.qty - slot.sells - self.added_qty >= 0
        return request.side.sign > 0 and slot.qty < 0 and slot.qty + slot.buys + self.added_qty <= 0
