"""What a rule may look at: one check's context, made by the gate."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.instrument import Instrument
from ibfloor.model.margin import MarginImpact
from ibfloor.model.moment import NS_PER_S
from ibfloor.model.money import ZERO
from ibfloor.model.order import OrderRequest
from ibfloor.risk.activity import Habits, StrategyActivity
from ibfloor.risk.bucket import TokenBucket
from ibfloor.risk.exposure import Exposures, Slot
from ibfloor.risk.figures import MarketFigures
from ibfloor.risk.limits import AccountLimits, StrategyLimits
from ibfloor.risk.margin import MarginBook
from ibfloor.risk.permission import Permissions
from ibfloor.risk.previews import Previews
from ibfloor.risk.reservations import Reservations
from ibfloor.risk.working import WorkingBook


class PriceReference(msgspec.Struct, frozen=True):
    """A price to judge an order by, with its time (market time, ns) and where it came from."""

    px: Decimal
    ts_ns: int
    source: str = "quote"
    doubt: str = ""
    """Why it is not to be traded on, whatever its age."""


class Desk(msgspec.Struct, gc=False):
    """What the gate knows apart from one strategy or instrument; one object for all checks."""

    exposures: Exposures
    permissions: Permissions
    working: WorkingBook
    margin: MarginBook
    previews: Previews
    reservations: Reservations
    is_live: bool = False
    """Whether real money trades."""


class Windows(msgspec.Struct, frozen=True, gc=False):
    """Times of the limits, in nanoseconds of market time."""

    quote_age_ns: int
    duplicate_ns: int
    repeat_ns: int
    preview_age_ns: int

    @classmethod
    def of(cls, limits: StrategyLimits) -> Windows:
        """Return the times of some limits."""
        return cls(
            int(limits.quote_age_max_s * NS_PER_S),
            int((limits.duplicate_window_s or ZERO) * NS_PER_S),
            int(limits.repeat_window_s * NS_PER_S),
            int(limits.preview_age_max_s * NS_PER_S),
        )


Buckets = tuple[TokenBucket | None, TokenBucket | None, TokenBucket | None]
"""Of the strategy, the account, the session."""


class RuleContext(msgspec.Struct, gc=False):
    """One check's context. Rules read it and change nothing.

    The first part holds as long as the limits do; the gate fills in the rest anew for every check.
    """

    limits: StrategyLimits
    account: AccountLimits
    windows: Windows
    slot: Slot
    account_slot: Slot
    desk: Desk
    activity: StrategyActivity
    habits: Habits
    instrument: Instrument
    reference: PriceReference | None = None
    now_ns: int = 0
    worst_px: Decimal | None = None
    """Highest price the order could be valued at: its own or the market's; ``None`` when neither is known."""
    rate: Decimal | None = None
    """What one unit of the instrument's currency is worth in the base currency."""
    unit_px: Decimal | None = None
    """What one of the instrument is worth at ``worst_px``, in its own currency."""
    unit_value: Decimal | None = None
    """The same in the base currency; never negative."""
    unit_margin: Decimal | None = None
    """Initial margin of one more of it, where a margin budget asks for it."""
    added_qty: Decimal = ZERO
    """How much more than now may fill once this passes."""
    worst_on: Decimal = ZERO
    """The strategy's signed quantity if all on the order's side fills, this order included."""
    account_worst_on: Decimal = ZERO
    account_worst: Decimal = ZERO
    """The account's largest quantity, either side, that may come to be held with this order."""
    gross: Decimal | None = None
    """The account's worst gross exposure with this order, where a limit asks for it; ``None`` = not known."""
    preview: MarginImpact | None = None
    """The newest preview of such an order, where it is fresh and a limit asks for it."""
    figures: MarketFigures | None = None
    buckets: Buckets = (None, None, None)
    is_reduction: bool = False
    is_change: bool = False
    """A working order is changed, and not a new one sent."""
    is_repeated: bool = False
    """The intent id was used before (a change of a working order is no repeat)."""
    is_confirmed: bool = False
    """A person has confirmed an order of this size."""

    @property
    def exposures(self) -> Exposures:
        """Return all worst cases."""
        return self.desk.exposures

    @property
    def permissions(self) -> Permissions:
        """Return who may trade what now."""
        return self.desk.permissions

    def is_reducing(self, request: OrderRequest) -> bool:
        """Tell whether the order, with all working on its side, only takes off what the strategy holds."""
        return self.is_reduction
