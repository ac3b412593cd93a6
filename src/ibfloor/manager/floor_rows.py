"""The rows about the floor itself: counts, the gate, limits, the log's tail. Owner: the main loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from ibfloor import __version__
from ibfloor.data.manager import DataManager
from ibfloor.manager.desk import DeskNow
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.lag import percentile
from ibfloor.manager.screen import Rows
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.model.kill import ACCOUNT
from ibfloor.model.moment import Clock
from ibfloor.model.view import FloorView, LimitView, LogView, RiskView


class FloorCounts:
    """Counts read on the queue's thread in one go."""

    def __init__(self, state: FloorState) -> None:
        records = state.strategies.values()
        self.orders_working = len(state.orders.working())
        self.orders_total = len(state.orders)
        self.orders_unknown = len(state.orders.unknown())
        self.rejected = sum(record.rejected for record in records)
        self.fills = len(state.fills)
        self.breaks = len(state.breaks)
        killed = state.kills.get(ACCOUNT)
        self.kill_reason = killed.reason if killed else ""
        self.is_killed = killed is not None


class LinkNow(NamedTuple):
    """The link to the broker at this moment."""

    messages_per_s: int
    round_trip_ms: float


def floor_row(
    counts: FloorCounts,
    desks: tuple[DeskNow, ...],
    *,
    name: str,
    mode: str,
    clock: Clock,
    gate: SharedGate,
    data: DataManager,
    bars_stored: int,
    queue_depth: int,
    lags_ms: list[float],
    link: LinkNow,
    web_url: str,
    has_risk_officer: bool,
    watchdog: str,
) -> FloorView:
    """Return the floor's own row."""
    shut = gate.shut_reason
    return FloorView(
        name=name,
        mode=mode,
        version=__version__,
        ts_ns=clock.now_ns(),
        speed=clock.speed,
        kill_latched=counts.is_killed,
        kill_reason=counts.kill_reason,
        has_risk_officer=has_risk_officer,
        watchdog=watchdog,
        gate_open=shut is None,
        gate_reason=shut or "",
        strategies_running=sum(desk.state == "RUNNING" for desk in desks),
        strategies_total=len(desks),
        orders_working=counts.orders_working,
        orders_total=counts.orders_total,
        orders_unknown=counts.orders_unknown,
        rejected=counts.rejected,
        fills=counts.fills,
        breaks=counts.breaks,
        ticks=data.stats.ticks,
        bars_stored=bars_stored,
        loop_lag_p99_ms=round(percentile(lags_ms, 0.99), 2),
        queue_depth=queue_depth,
        messages_per_s=link.messages_per_s,
        gateway_round_trip_ms=round(link.round_trip_ms, 2),
        web_url=web_url,
    )


def risk_rows(gate: SharedGate) -> Rows:
    """Return one row per rule."""
    return [
        (
            "risk",
            usage.rule,
            RiskView(
                rule=usage.rule,
                limit=usage.limit,
                used=usage.used,
                used_pct=None if usage.used_pct is None else round(usage.used_pct, 1),
                refusals=usage.refusals,
            ),
        )
        for usage in gate.usage()
    ]


class LimitRows:
    """The limits that changed since the last look."""

    def __init__(self, gate: SharedGate) -> None:
        self._gate = gate
        self._version = 0
        self._shown: set[str] = set()

    def take(self) -> Rows:
        """Return all limits when their version is a new one, and say which have gone."""
        version = self._gate.limits.in_force.version
        if version == self._version:
            return []
        self._version = version
        rows: Rows = [
            ("limits", f"{each.scope}/{each.limit}", LimitView(**msgspec.structs.asdict(each)))
            for each in self._gate.limits.rows()
        ]
        gone = self._shown - {key for _, key, _ in rows}
        self._shown = {key for _, key, _ in rows}
        return [*rows, *(("limits", key, None) for key in sorted(gone))]


class LogRows:
    """The log lines that came since the last look."""

    def __init__(self, lines: Callable[[], tuple[LogView, ...]]) -> None:
        self._lines = lines
        self._shown = 0

    def take(self) -> Rows:
        """Return the new lines."""
        fresh = [line for line in self._lines() if line.number > self._shown]
        if fresh:
            self._shown = fresh[-1].number
        return [("log", str(line.number), line) for line in fresh]
