"""How much of each limit is used, and how often each rule refused: for the screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from ibfloor.model.ids import StrategyId
from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.bucket import TokenBucket
from ibfloor.risk.context import Desk, RuleContext
from ibfloor.risk.exposure import Exposures
from ibfloor.risk.limits import AccountLimits, RiskLimits
from ibfloor.risk.permission import Permissions
from ibfloor.risk.seats import Seats

_ZERO = Decimal(0)


class RiskUsage(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: its limit, the use nearest to it, and its refusals. ``used_pct`` is ``None`` where none applies."""

    rule: str
    limit: str
    used: str
    used_pct: float | None
    refusals: int


class Tally:
    """Counts refusals and keeps the largest order that passed."""

    def __init__(self) -> None:
        self._refusals: Counter[str] = Counter()
        self._largest_qty = _ZERO
        self._largest_notional = _ZERO

    def refused(self, refusal: Refusal) -> Refusal:
        """Count a refusal and hand it on."""
        self._refusals[refusal.rule] += 1
        return refusal

    def approved(self, request: OrderRequest, context: RuleContext) -> None:
        """Remember an order that passed."""
        if request.order_qty > self._largest_qty:
            self._largest_qty = request.order_qty
        if context.unit_value is not None:
            notional = request.order_qty * context.unit_value
            if notional > self._largest_notional:
                self._largest_notional = notional

    def usage(self, limits: RiskLimits, desk: Desk, seats: Seats, now_ns: int) -> tuple[RiskUsage, ...]:
        """Return one row per rule."""
        common, account, exposures = limits.strategy, limits.account, desk.exposures
        rows = [
            self._row("max_order_qty", common.max_order_qty, self._largest_qty, "largest order"),
            self._row("max_order_notional", common.max_order_notional, self._largest_notional, "largest order"),
            self._position_row(limits, exposures),
            self._row("max_gross_exposure", account.max_gross_exposure, exposures.gross, "worst case"),
            self._row("max_net_exposure", account.max_net_exposure, _magnitude(exposures.net), "worst case"),
            self._leverage_row(account, desk),
            self._margin_row(account, desk),
            self._rate_row(limits, seats.entry_buckets, now_ns),
            self._row("max_open_orders", account.max_open_orders, Decimal(len(desk.reservations)), "account"),
            self._plain("collar", "off" if common.collar_pct is None else f"{common.collar_pct} %", ""),
            self._plain("duplicate", "once", ""),
            self._plain("fat_finger", _times(common.fat_finger_median), ""),
            self._plain("self_trade", "allowed" if common.allow_self_trade else "refused", ""),
            self._plain("repeated_execution", _shown(common.repeat_entries_max), ""),
            self._plain("rejects_in_a_row", _shown(common.max_rejects_in_a_row), ""),
            self._plain("restricted", "", ""),
            self._plain("shape", "", ""),
            self._plain("contract", "", ""),
            self._plain("hours", "", ""),
            self._plain("halted", "", f"{len(desk.permissions.halts)} halted"),
            self._plain("lock", "", f"{len(desk.permissions.locks)} locked"),
            self._plain("reducing", "", _names(desk.permissions.reducing_strategies)),
            self._plain("permission", "", desk.permissions.shut_reason or _disabled(desk.permissions)),
            self._plain(
                "kill",
                "",
                "latched"
                if desk.permissions.kill.is_latched
                else f"{len(desk.permissions.kills)} latched"
                if desk.permissions.kills
                else "open",
            ),
            self._plain("replace", "", ""),
        ]
        return tuple(rows)

    def _leverage_row(self, account: AccountLimits, desk: Desk) -> RiskUsage:
        gross, equity = desk.exposures.gross, desk.margin.figures.equity
        used = None if gross is None or not equity else round(gross / equity, 3)
        return self._row("max_leverage", account.max_leverage, used, "worst case")

    def _margin_row(self, account: AccountLimits, desk: Desk) -> RiskUsage:
        pending, held, equity = desk.exposures.pending_margin, desk.margin.used, desk.margin.figures.equity
        share = account.margin_budget_pct
        limit = None if share is None or equity is None else round(equity * share / 100, 2)
        used = None if pending is None or held is None else round(pending + held, 2)
        row = self._row("margin", limit, used, "with all pending orders")
        return row if share is None or equity is not None else msgspec.structs.replace(row, limit=f"{share:f} %")

    def _position_row(self, limits: RiskLimits, exposures: Exposures) -> RiskUsage:
        nearest, limit, share = _ZERO, limits.strategy.max_position_qty, _ZERO
        for strategy, slot in exposures.all_slots():
            each = limits.of(strategy).max_position_qty
            if each and slot.worst / each > share:
                nearest, limit, share = slot.worst, each, slot.worst / each
        return self._row("max_position", limit, nearest, "worst case")

    def _rate_row(
        self, limits: RiskLimits, buckets: Iterable[tuple[StrategyId, TokenBucket]], now_ns: int
    ) -> RiskUsage:
        shares = [(bucket.used(now_ns) / bucket.burst, bucket.used(now_ns), bucket.burst) for _, bucket in buckets]
        share, used, burst = max(shares, default=(0.0, 0, int(limits.strategy.order_burst)))
        rate = limits.strategy.order_rate_per_s
        limit = "off" if rate is None else f"{rate} per s, {burst} at once"
        return RiskUsage(
            rule="order_rate",
            limit=limit,
            used=f"{used} of {burst}",
            used_pct=None if rate is None else 100 * share,
            refusals=self._refusals["order_rate"],
        )

    def _row(self, rule: str, limit: Decimal | None, used: Decimal | None, what: str) -> RiskUsage:
        pct = float(100 * used / limit) if limit and used is not None else None
        text = "unknown" if used is None else f"{used.normalize():f} ({what})"
        return RiskUsage(
            rule=rule,
            limit="off" if limit is None else f"{limit:f}",
            used=text,
            used_pct=pct,
            refusals=self._refusals[rule],
        )

    def _plain(self, rule: str, limit: str, used: str) -> RiskUsage:
        return RiskUsage(rule=rule, limit=limit, used=used, used_pct=None, refusals=self._refusals[rule])


def _magnitude(value: Decimal | None) -> Decimal | None:
    return None if value is None else abs(value)


def _shown(limit: Decimal | None) -> str:
    return "off" if limit is None else f"{limit:f}"


def _times(limit: Decimal | None) -> str:
    return "off" if limit is None else f"{limit:f} x the usual"


def _names(strategies: Iterable[StrategyId]) -> str:
    return ", ".join(sorted(strategies)) or "none"


def _disabled(permissions: Permissions) -> str:
    return f"disabled: {_names(permissions.disabled)}" if permissions.disabled else "open"
