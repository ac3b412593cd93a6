"""From the data thread to the control socket: a few frames, each kept until the recorder took it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

import msgspec

from ibfloor.control.protocol import MarketColumns, RecorderReport
from ibfloor.data.manager import DataManager
from ibfloor.data.recorder_feed import STARTED
from ibfloor.model.errors import ConnectivityError

_NOTHING = RecorderReport(ticks_stored=0, bars_stored=0, gaps=0)
_FRAMES_WAITING_MAX = 16


class RecorderLink:
    """Joins a DataManager's recorder feed to ``publish`` (the control server's ``publish_market``).

    Owner: the loop that calls ``start``. ``on_report`` takes what the control server hears from the
    recorder. While there is no recorder, ticks wait in the feed up to its bound.
    """

    def __init__(self, data: DataManager, publish: Callable[[MarketColumns], bool]) -> None:
        self._data = data
        self._publish = publish
        self._loop: asyncio.AbstractEventLoop | None = None
        self._frames: deque[MarketColumns] = deque()
        self._before = _NOTHING
        self._now = _NOTHING

    @property
    def totals(self) -> RecorderReport:
        """Return what was stored since the floor started, by all recorders; ``detail`` is the newest."""
        return RecorderReport(
            ticks_stored=self._before.ticks_stored + self._now.ticks_stored,
            bars_stored=self._before.bars_stored + self._now.bars_stored,
            gaps=self._before.gaps + self._now.gaps,
            detail=self._now.detail,
        )

    def start(self) -> None:
        """Begin to feed; call it on the loop that owns ``publish``."""
        self._loop = asyncio.get_running_loop()
        self._data.record_to(self._offer)

    def stop(self) -> None:
        """Stop feeding."""
        with contextlib.suppress(ConnectivityError):  # the data thread has ended already
            self._data.record_to(None)

    def on_report(self, report: RecorderReport) -> None:
        """Take a recorder's report; a recorder that says it started is told the bars in memory."""
        if report.detail == STARTED:
            self._before = msgspec.structs.replace(self.totals, detail="")
            self._data.record_to(self._offer)
        self._now = report

    def _offer(self, columns: MarketColumns) -> bool:
        # On the data thread. A refused offer, too, gives the owner's loop another try at what waits.
        assert self._loop is not None
        is_taken = len(self._frames) < _FRAMES_WAITING_MAX
        if is_taken:
            self._frames.append(columns)
        with contextlib.suppress(RuntimeError):  # the loop is closed: the floor is ending
            self._loop.call_soon_threadsafe(self._send)
        return is_taken

    def _send(self) -> None:
        while self._frames and self._publish(self._frames[0]):
            self._frames.popleft()
