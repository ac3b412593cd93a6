"""Restart windows: when the gateway is known to restart, entries wait, and stops are proven to rest at IB.

A window is wall-clock time in the zone of floor.toml. Owner: the main loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec
import structlog

from ibfloor.config import GatewaySection
from ibfloor.config.sections import RESTART_WINDOW
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.model.moment import NS_PER_S, Clock
from ibfloor.model.order import OrdStatus, OrdType

HOLD = "restart window"
LOOK_S = 0.25
SETTLE_TIMEOUT_S = 20.0
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_STOPS = frozenset({OrdType.STOP, OrdType.STOP_LIMIT, OrdType.TRAIL, OrdType.TRAIL_LIMIT})
_AT_IB = frozenset({OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED})

log = structlog.get_logger("floor")


class Window(msgspec.Struct, frozen=True):
    """A time of the day, every day or on one day of the week (0 is Monday); its end may be past midnight."""

    start: time
    end: time
    weekday: int | None = None

    def ends_at(self, now: datetime, lead: timedelta) -> datetime | None:
        """Return when the window that holds now ends, its lead included; ``None`` outside."""
        for days_back in (-1, 0, 1):
            day = (now - timedelta(days=days_back)).date()
            if self.weekday is not None and day.weekday() != self.weekday:
                continue
            start = datetime.combine(day, self.start, now.tzinfo)
            end = datetime.combine(day, self.end, now.tzinfo)
            if end <= start:
                end = datetime.combine(day + timedelta(days=1), self.end, now.tzinfo)
            if min(_readings(start)) - lead <= now.astimezone(UTC) < max(_readings(end)):
                return end
        return None


def _readings(local: datetime) -> tuple[datetime, datetime]:
    # When the clocks change an hour is doubled, or missing: the wider reading of a window counts.
    return local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def parse_window(text: str) -> Window:
    """Return the window a person wrote, as floor.toml has checked it."""
    found = RESTART_WINDOW.fullmatch(text)
    assert found is not None, text
    day = found["day"]
    return Window(
        time.fromisoformat(found["start"]), time.fromisoformat(found["end"]), None if day is None else _DAYS.index(day)
    )


class RestartWindows:
    """Holds entries before and through every window; what reduces a position still passes."""

    def __init__(
        self,
        settings: GatewaySection,
        gate: SharedGate,
        queue: MessageQueue,
        clock: Clock,
        *,
        settle: Callable[[], Future[bool]],
    ) -> None:
        self._windows = tuple(parse_window(text) for text in settings.restart_windows)
        self._zone = ZoneInfo(settings.restart_zone)
        self._lead = timedelta(seconds=settings.restart_lead_s)
        self._gate = gate
        self._queue = queue
        self._clock = clock
        self._settle = settle
        self._is_in = False

    async def watch(self) -> None:
        """Look at the clock until cancelled; returns at once when there is no window."""
        while self._windows:
            end = self._end()
            if end is not None and not self._is_in:
                await self._enter(end)
            elif end is None and self._is_in:
                self._leave()
            await asyncio.sleep(LOOK_S)

    def _end(self) -> datetime | None:
        now = datetime.fromtimestamp(self._clock.now_ns() / NS_PER_S, self._zone)
        return max((end for each in self._windows if (end := each.ends_at(now, self._lead))), default=None)

    async def _enter(self, end: datetime) -> None:
        self._is_in = True
        until = f"{end:%H:%M} {self._zone.key}"
        self._gate.hold(HOLD, f"the gateway restarts until {until}: entries wait", is_for_entries=True)
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT_S):
                await asyncio.wrap_future(self._settle())  # by the broker's own list of open orders
        except TimeoutError:
            log.critical("restart window: IB did not list its orders, whether stops rest there is not known")
            return
        proven, doubtful = await asyncio.wrap_future(self._queue.ask(_stops))
        if doubtful:
            log.critical("restart window: stops that are not proven to rest at IB", orders=doubtful)
        log.info("ready for the restart", until=until, stops_at_ib=len(proven), not_proven=len(doubtful))

    def _leave(self) -> None:
        self._is_in = False
        self._gate.lift(HOLD)
        log.info("the restart window is over: entries wait only for what else holds them", gate=self._gate.shut_reason)


def _stops(state: FloorState) -> tuple[list[str], list[str]]:
    stops = [order for order in state.orders.working() if order.request.ord_type in _STOPS]
    proven: list[str] = [order.cl_ord_id for order in stops if order.status in _AT_IB]
    return proven, [order.cl_ord_id for order in stops if order.status not in _AT_IB]
