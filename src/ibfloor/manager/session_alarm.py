"""Raises the alarm when a connection has not been well for minutes, whatever should have told of it itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

log = structlog.get_logger("floor")

LOOK_S = 1.0


class SessionAlarm:
    """Looks at all sessions from outside their threads. Owner: the main loop.

    ``unwell`` tells for each session that should stand for how many wall seconds it has not been proven
    to: no answer to a heartbeat, no connection, no way from the gateway to IB, or a thread that hangs.
    """

    def __init__(self, unwell: Callable[[], Mapping[str, float]], after_s: float) -> None:
        self._unwell = unwell
        self._after_s = after_s
        self._due_s: dict[str, float] = {}

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Tell of sessions that have been unwell for too long, each time it has doubled, and of their return."""
        unwell = self._unwell()
        for name, for_s in unwell.items():
            due_s = self._due_s.get(name, self._after_s)
            if for_s >= due_s:
                self._due_s[name] = for_s * 2
                log.critical("no session", session=name, for_minutes=round(for_s / 60, 1))
        for name in [name for name in self._due_s if unwell.get(name, 0.0) < self._after_s]:
            del self._due_s[name]
            log.warning("a session is back" if name in unwell else "a session is not wanted any more", session=name)
