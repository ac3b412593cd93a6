"""Seats: what holds for one strategy in one instrument, worked out once and kept until limits change."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.risk.activity import Habits, StrategyActivity
from ibfloor.risk.bucket import TokenBucket
from ibfloor.risk.context import Buckets, Desk, RuleContext, Windows
from ibfloor.risk.limits import AccountLimits, RiskLimits, StrategyLimits
from ibfloor.risk.rules import compiled

SESSION_BURST = 50
"""What a session may send at once, whatever its rate: IB counts by the second."""


class Wants(NamedTuple):
    """What the limits of a seat ask to be worked out before the rules are."""

    gross: bool
    margin: bool
    preview: bool

    @classmethod
    def of(cls, limits: StrategyLimits, account: AccountLimits) -> Wants:
        """Return what some limits ask for."""
        has_budget = account.margin_budget_pct is not None
        return cls(
            gross=account.max_gross_exposure is not None or account.max_leverage is not None,
            margin=has_budget,
            preview=has_budget or limits.preview_above is not None,
        )


class Seat:
    """One strategy in one instrument: its limits, its checks, and the context that is filled in for each order."""

    __slots__ = ("activity", "checks", "context", "entering", "habits", "leaving", "limits", "margin_share", "wants")

    def __init__(self, strategy: StrategyId, instrument: Instrument, limits: RiskLimits, desk: Desk, seats: Seats):
        self.limits = limits.of(strategy, instrument)
        self.checks = compiled(self.limits, limits.account)
        self.activity = seats.activity(strategy)
        self.habits = seats.habits(strategy, instrument.instrument_id)
        self.entering = seats.buckets(strategy, is_leaving=False)
        self.leaving = seats.buckets(strategy, is_leaving=True)
        self.margin_share = self.limits.margin_pct / 100
        self.wants = Wants.of(self.limits, limits.account)
        self.context = RuleContext(
            limits=self.limits,
            account=limits.account,
            windows=Windows.of(self.limits),
            slot=desk.exposures.slot(strategy, instrument.instrument_id),
            account_slot=desk.exposures.account_slot(instrument.instrument_id),
            desk=desk,
            activity=self.activity,
            habits=self.habits,
            instrument=instrument,
        )


class Seats:
    """All seats, and what outlives their limits: buckets, counters, habits. Owned and locked like the gate."""

    def __init__(self, limits: RiskLimits, desk: Desk) -> None:
        self._limits = limits
        self._desk = desk
        self._seats: dict[tuple[StrategyId, InstrumentId], Seat] = {}
        self._activities: dict[StrategyId, StrategyActivity] = {}
        self._habits: dict[tuple[StrategyId, InstrumentId], Habits] = {}
        self._entries: dict[StrategyId, TokenBucket | None] = {}
        self._exits: dict[StrategyId, TokenBucket | None] = {}
        self._sessions: dict[StrategyId, TokenBucket | None] = {}
        account = limits.account
        self._account = _bucket(account.order_rate_per_s, account.order_burst)
        self._buckets: dict[tuple[StrategyId, bool], Buckets] = {}

    def seat(self, strategy: StrategyId, instrument: Instrument) -> Seat:
        """Return a strategy's seat in an instrument, made at first sight."""
        key = (strategy, instrument.instrument_id)
        seat = self._seats.get(key)
        if seat is None:
            seat = self._seats[key] = Seat(strategy, instrument, self._limits, self._desk, self)
        return seat

    def activity(self, strategy: StrategyId) -> StrategyActivity:
        """Return a strategy's counters, made at first sight."""
        found = self._activities.get(strategy)
        if found is None:
            found = self._activities[strategy] = StrategyActivity()
        return found

    def habits(self, strategy: StrategyId, instrument_id: InstrumentId) -> Habits:
        """Return what is usual for a strategy in an instrument, made at first sight."""
        key = (strategy, instrument_id)
        found = self._habits.get(key)
        if found is None:
            found = self._habits[key] = Habits()
        return found

    def buckets(self, strategy: StrategyId, *, is_leaving: bool) -> Buckets:
        """Return the buckets an order takes from: the strategy's, the account's, the session's.

        On its way out a strategy has a bucket of its own: what it used up before must not keep it in.
        """
        key = (strategy, is_leaving)
        found = self._buckets.get(key)
        if found is None:
            found = self._buckets[key] = self._made(strategy, is_leaving=is_leaving)
        return found

    @property
    def entry_buckets(self) -> list[tuple[StrategyId, TokenBucket]]:
        """Return the buckets of the strategies that have sent something."""
        return [(name, bucket) for name, bucket in self._entries.items() if bucket is not None]

    def change(self, limits: RiskLimits) -> None:
        """Work everything out anew; tokens that are used stay used."""
        self._limits = limits
        self._seats.clear()
        self._buckets.clear()
        account = limits.account
        self._account = _bucket(account.order_rate_per_s, account.order_burst, self._account)
        for buckets in (self._entries, self._exits):
            for strategy, old in buckets.items():
                own = limits.of(strategy)
                buckets[strategy] = _bucket(own.order_rate_per_s, own.order_burst, old)
        for strategy, old in self._sessions.items():
            self._sessions[strategy] = _bucket(account.session_rate_per_s, Decimal(SESSION_BURST), old)

    def _made(self, strategy: StrategyId, *, is_leaving: bool) -> Buckets:
        own, account = self._limits.of(strategy), self._limits.account
        buckets = self._exits if is_leaving else self._entries
        if strategy not in buckets:
            buckets[strategy] = _bucket(own.order_rate_per_s, own.order_burst)
        if strategy not in self._sessions:
            self._sessions[strategy] = _bucket(account.session_rate_per_s, Decimal(SESSION_BURST))
        return buckets[strategy], None if is_leaving else self._account, self._sessions[strategy]


def _bucket(rate_per_s: Decimal | None, burst: Decimal, old: TokenBucket | None = None) -> TokenBucket | None:
    return None if rate_per_s is None else TokenBucket(rate_per_s, int(burst), old)
