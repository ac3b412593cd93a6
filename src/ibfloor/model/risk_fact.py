"""Facts of the risk limits: changed limits, restrained strategies, high-water marks."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from ibfloor.model.fact_base import Fact
from ibfloor.model.highs import Highs
from ibfloor.model.ids import StrategyId

ACCOUNT_BOOK = StrategyId("")
"""In ``PeakReached``: the account as a whole."""


class LimitChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One limit's change, its values as floor.toml writes them."""

    scope: str
    """Of what: ``risk``, ``account``, ``strategy``, ``class`` or ``instrument``."""
    name: str = ""
    """Which strategy, class or instrument."""
    limit: str
    before: str
    """What held until now; empty where the scope had none of its own."""
    after: str | None
    """What holds from now on; ``None`` goes back to what floor.toml says."""


class RiskNote(Fact, frozen=True, kw_only=True):
    """Base of the facts below; they change what may be traded, and no book."""


class LimitsChanged(RiskNote, frozen=True, kw_only=True):
    """Limits were changed while the floor runs; they hold until they are reset, over restarts too."""

    version: int
    """Of all limits, after the change; every approval records it."""
    changes: tuple[LimitChange, ...]
    actor: str
    reason: str = ""


class Restraint(StrEnum):
    """What a restrained strategy may still do."""

    REDUCING = "REDUCING"
    """Only what takes off its position."""
    DISABLED = "DISABLED"
    """Nothing."""


class TradingRestricted(RiskNote, frozen=True, kw_only=True):
    """A guard took a strategy's trading away; a person gives it back."""

    strategy: StrategyId
    restraint: Restraint
    rule: str
    reason: str


class RestrictionLifted(RiskNote, frozen=True, kw_only=True):
    """A person let a restrained strategy trade again; its losses are measured from here on."""

    strategy: StrategyId
    actor: str
    reason: str


class PeakReached(RiskNote, frozen=True, kw_only=True):
    """How a book's result stands: its day's beginning and its high-water mark, journaled as they move.

    Results are what was earned, in the base currency: money that came without a trade is in none of them.
    """

    strategy: StrategyId
    """``ACCOUNT_BOOK`` for the account."""
    day: str
    """The trading day of ``anchor``, as ``YYYY-MM-DD``."""
    anchor: Decimal
    """The result the day began with."""
    peak: Decimal
    """The highest result; losses before a person let the book trade again are left out."""
    value: Decimal
    """The result now."""
    highs: Highs | None = None
    """The same, with the bookings that the heights lie between."""
