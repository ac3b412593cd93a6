"""The limits an order is checked against. ``None`` means written down as off, never forgotten.

One table of limits holds for everything; a strategy, an instrument class and an instrument may each
replace some of them. The most specific wins: instrument, then class, then strategy, then the common one.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum

import msgspec

from ibfloor.model.ids import StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.money import Currency

LimitValue = Decimal | bool | None


class StrategyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one strategy may do at most. Amounts in the base currency, seconds of market time."""

    max_order_qty: Decimal | None
    max_order_notional: Decimal | None
    max_position_qty: Decimal | None
    """Per instrument, all working orders on the worse side counted as filled."""
    max_position_notional: Decimal | None
    collar_pct: Decimal | None
    """How far through the market an order's price may be."""
    quote_age_max_s: Decimal = Decimal(2)
    """Oldest price an entry may rest on."""
    max_account_position_qty: Decimal | None = None
    """As ``max_position_qty``, of all strategies together."""
    collar_atr: Decimal | None = None
    fat_finger_median: Decimal | None = None
    fat_finger_adv_pct: Decimal | None = None
    duplicate_window_s: Decimal | None = None
    margin_pct: Decimal = Decimal(100)
    """Initial margin of an order nobody previewed, in percent of its value."""
    preview_above: Decimal | None = None
    preview_age_max_s: Decimal = Decimal(60)
    allow_short: bool = True
    allow_self_trade: bool = False
    entries_when_closed: bool = True
    restricted: bool = False
    order_rate_per_s: Decimal | None = None
    order_burst: Decimal = Decimal(1)
    repeat_entries_max: Decimal | None = None
    repeat_window_s: Decimal = Decimal(60)
    max_open_orders: Decimal | None = None
    max_rejects_in_a_row: Decimal | None = None
    day_loss_max: Decimal | None = None
    drawdown_max: Decimal | None = None
    loop_lag_max_s: Decimal | None = None
    paper_only: bool = False


class AccountLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What all books together may do at most."""

    max_gross_exposure: Decimal | None
    max_net_exposure: Decimal | None = None
    max_leverage: Decimal | None = None
    margin_budget_pct: Decimal | None = None
    """Initial margin that positions and pending orders may take, in percent of equity."""
    order_rate_per_s: Decimal | None = None
    order_burst: Decimal = Decimal(1)
    session_rate_per_s: Decimal | None = None
    """Per session to the broker, ways out included."""
    max_open_orders: Decimal | None = None
    day_loss_max: Decimal | None = None
    drawdown_max: Decimal | None = None
    drawdown_max_pct: Decimal | None = None


class ScopeKind(StrEnum):
    """Of what a table of limits is."""

    COMMON = "risk"
    ACCOUNT = "account"
    STRATEGY = "strategy"
    CLASS = "class"
    INSTRUMENT = "instrument"


class Scope(msgspec.Struct, frozen=True, order=True):
    """What a limit is of: everything, the account, or one strategy, class or instrument by its name."""

    kind: ScopeKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}.{self.name}" if self.name else str(self.kind)


COMMON = Scope(ScopeKind.COMMON)
ACCOUNT = Scope(ScopeKind.ACCOUNT)
Patches = dict[Scope, dict[str, LimitValue]]
"""What each scope replaces of the common limits."""


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True):
    """All limits; every approval records the version it was given under."""

    version: int
    base_currency: Currency
    account: AccountLimits
    strategy: StrategyLimits
    patches: Patches = {}

    def of(self, strategy: StrategyId, instrument: Instrument | None = None) -> StrategyLimits:
        """Return the limits that hold for a strategy, in an instrument or apart from any."""
        merged: dict[str, LimitValue] = {}
        for scope in scopes_of(strategy, instrument):
            merged.update(self.patches.get(scope, {}))
        return msgspec.structs.replace(self.strategy, **merged) if merged else self.strategy


def scopes_of(strategy: StrategyId, instrument: Instrument | None) -> Iterator[Scope]:
    """Yield the scopes that hold for an order, the most specific one last."""
    yield Scope(ScopeKind.STRATEGY, strategy)
    if instrument is not None:
        yield Scope(ScopeKind.CLASS, instrument.contract.security_type.value)
        yield Scope(ScopeKind.INSTRUMENT, instrument.local_symbol)
        yield Scope(ScopeKind.INSTRUMENT, str(instrument.instrument_id))
