"""The statements of a day that is over: written by a process beside the floor, at start and at every midnight.

Owner: the main loop. A process that fails is told in the log, and tried again when the next day begins.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from zoneinfo import ZoneInfo

import msgspec
import structlog

from ibfloor.config import FloorSettings
from ibfloor.model.moment import Clock, to_datetime
from ibfloor.reports.__main__ import DaysWanted

LOOK_S = 1.0
_LAST_LINES = 3

log = structlog.get_logger("statements")


class DayEnd(AbstractAsyncContextManager["DayEnd"]):
    """Watches the market's date: ``async with DayEnd(...)``."""

    def __init__(self, settings: FloorSettings, clock: Clock, *, tz: ZoneInfo, last_day: str) -> None:
        self._settings = settings
        self._clock = clock
        self._tz = tz
        self._day = last_day
        """The last day the journal knows of; empty for a new one, of which there is nothing to state."""
        self.looked = asyncio.Event()
        """Set when what was missing at the day's begin is written, or could not be."""

    async def __aenter__(self) -> DayEnd:
        self._task = asyncio.create_task(self._watch(), name="day-end")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            today = to_datetime(self._clock.now_ns(), self._tz).date().isoformat()
            if today != self._day:
                last, self._day = self._day, today
                self.looked.clear()
                if last:
                    await self._write(today)
                self.looked.set()
            await asyncio.sleep(LOOK_S)

    async def _write(self, today: str) -> None:
        wanted = DaysWanted(
            home=str(self._settings.home),
            today=today,
            zone=self._tz.key,
            lots=self._settings.books.lots,
            floor=self._settings.floor.name,
        )
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "ibfloor.reports"), stdin=pipe, stdout=pipe, stderr=pipe
            )
        except OSError as error:
            log.error("statements not written", reason=str(error))
            return
        try:
            told, words = await process.communicate(msgspec.json.encode(wanted))
        except asyncio.CancelledError:
            process.kill()  # what is half written has another name: the next floor writes it again
            await process.wait()
            raise
        if process.returncode:
            log.error("statements not written", reason="; ".join(words.decode().splitlines()[-_LAST_LINES:]))
        elif files := told.decode().splitlines():
            log.info("statements written", files=len(files), folder=files[0].rpartition("/")[0])
