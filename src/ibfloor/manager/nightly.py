"""NightlyComparison: once a day, by market time, books and account are compared and the outcome is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import structlog

from ibfloor.config.books import BooksSection
from ibfloor.model.moment import Clock, from_datetime, to_datetime

LOOK_S = 0.5

log = structlog.get_logger("reconciler")


class NightlyComparison:
    """Asks for a comparison at ``[books] nightly_at``. Owner: the main loop."""

    def __init__(self, settings: BooksSection, clock: Clock, *, settle: Callable[[], Future[bool]]) -> None:
        self._at = time.fromisoformat(settings.nightly_at) if settings.nightly_at else None
        self._zone = ZoneInfo(settings.nightly_zone)
        self._clock = clock
        self._settle = settle

    async def watch(self) -> None:
        """Compare every night until cancelled; at once when nights were slept through."""
        if self._at is None:
            return
        due_ns = self.next_ns(self._at)
        while True:
            await asyncio.sleep(LOOK_S)
            if self._clock.now_ns() < due_ns:
                continue
            is_equal = await asyncio.wrap_future(self._settle())
            if is_equal:
                log.info("the nightly comparison found books and account equal")
            else:
                log.critical("the nightly comparison found breaks between books and account")
            due_ns = self.next_ns(self._at)

    def next_ns(self, at: time) -> int:
        """Return when it is due next, in market time."""
        now_ns = self._clock.now_ns()
        today = to_datetime(now_ns, self._zone).date()
        due_ns = from_datetime(datetime.combine(today, at, self._zone))
        if due_ns <= now_ns:
            due_ns = from_datetime(datetime.combine(today + timedelta(days=1), at, self._zone))
        return due_ns
