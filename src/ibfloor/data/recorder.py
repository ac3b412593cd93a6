"""The recorder: a process of its own that stores what the floor sees (``python -m ibfloor.data``).

The only writer of ArcticDB: a full disk can crash ArcticDB, and its big writes would stall the floor.
A crash loses at most one flush interval of ticks; bars are told again by the floor and skipped where
they are stored already.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from ibfloor.control.client import ControlClient
from ibfloor.control.protocol import MarketColumns, RecorderReport
from ibfloor.data.disk_guard import disk_problem
from ibfloor.data.record_buffer import RecordBuffer, bar_table, tick_table
from ibfloor.data.store import MarketStore, StoreBroken, StoreError
from ibfloor.data.symbol_names import SymbolNames
from ibfloor.model.errors import ConnectivityError, FloorError

EXIT_OK, EXIT_NO_ROOM, EXIT_FAILED = 0, 3, 1
_LAST_WORDS_S = 0.25  # what the floor sent before it asked the recorder to end is still on its way


class NoRoom(FloorError):
    """The disk is nearly full."""


class RecorderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the recorder process; ``_s`` are wall seconds."""

    home: str
    """The floor's home: its control file is here."""
    path: str
    """The folder of the market store."""
    min_free_gb: float = 5.0
    min_free_pct: float = 5.0
    tick_flush_s: float = 5.0
    tick_rows_max: int = 250_000
    bar_flush_s: float = 2.0
    map_size: str = "64GB"
    parent_pipe: bool = False
    """End when standard input ends: the parent is gone, or wants it so."""


class Recorder:
    """Buffers columns and writes them when they are due. Owner: the recorder's loop."""

    def __init__(self, settings: RecorderSettings, store: MarketStore) -> None:
        self._settings = settings
        self._store = store
        self._ticks = RecordBuffer(flush_s=settings.tick_flush_s, rows_max=settings.tick_rows_max)
        self._bars = RecordBuffer(flush_s=settings.bar_flush_s, rows_max=settings.tick_rows_max)
        self._names = SymbolNames(Path(settings.path))
        self._stored_ticks = self._stored_bars = self._gaps = 0
        self._detail = ""
        self.changed = asyncio.Event()
        """Set when something was buffered: the next flush may be due earlier."""

    @property
    def due_s(self) -> float:
        """Return the monotonic time of the next flush; infinity while nothing is buffered."""
        return min(self._ticks.due_s, self._bars.due_s)

    def require_room(self) -> None:
        """Raise ``NoRoom`` when the disk is nearly full."""
        settings = self._settings
        problem = disk_problem(
            Path(settings.path), min_free_gb=settings.min_free_gb, min_free_pct=settings.min_free_pct
        )
        if problem:
            raise NoRoom(problem)

    def take(self, message: MarketColumns, now_s: float) -> None:
        """Buffer a message; what is no market table is refused, and told in the next report."""
        try:
            if message.table == "bars":
                self._bars.add(bar_table(message), now_s)
            else:
                self._ticks.add(tick_table(message), now_s)
        except StoreError as error:
            self._detail = str(error)
            return
        self._gaps += message.dropped > 0
        self._names.learn(message.symbols)
        self.changed.set()

    def flush(self, now_s: float) -> RecorderReport:
        """Write what is due; raise ``NoRoom`` or ``StoreBroken`` when nothing can be written any more."""
        self.require_room()
        try:
            if self._bars.due_s <= now_s and (bars := self._bars.take()) is not None:
                self._stored_bars += self._store.append_bars(bars)
            if self._ticks.due_s <= now_s and (ticks := self._ticks.take()) is not None:
                self._stored_ticks += self._store.append_ticks(ticks)
        except StoreBroken:
            raise
        except StoreError as error:
            self._detail = str(error)
        self._names.save()
        detail, self._detail = self._detail, ""
        return self.report(detail)

    def report(self, detail: str = "") -> RecorderReport:
        """Return how far the recorder is."""
        return RecorderReport(
            ticks_stored=self._stored_ticks, bars_stored=self._stored_bars, gaps=self._gaps, detail=detail
        )


async def record(settings: RecorderSettings, store: MarketStore, on_ready: Callable[[], None]) -> None:
    """Record until the floor goes away or the process is asked to end; what is buffered is written first.

    Raises ``ConnectivityError`` when there is no floor, ``NoRoom`` and ``StoreBroken`` as ``flush`` does.
    """
    recorder = Recorder(settings, store)
    asked_to_end = _asked_to_end(settings.parent_pipe)
    async with ControlClient.connect(Path(settings.home), name="recorder") as client:
        on_ready()
        recorder.require_room()
        reading = asyncio.create_task(_read(recorder, client))
        flushing = asyncio.create_task(_flush_when_due(recorder, client))
        ending = asyncio.create_task(asked_to_end.wait())
        await asyncio.wait({reading, flushing, ending}, return_when=asyncio.FIRST_COMPLETED)
        if ending.done():
            await asyncio.wait({reading}, timeout=_LAST_WORDS_S)
        for task in (reading, flushing, ending):
            task.cancel()
        _, failure, _ = await asyncio.gather(reading, flushing, ending, return_exceptions=True)
        if isinstance(failure, FloorError) and not isinstance(failure, ConnectivityError):
            await _report(client, recorder.report(str(failure)))
            raise failure
        await _report(client, recorder.flush(math.inf))


def _asked_to_end(is_parent_watched: bool) -> asyncio.Event:
    asked, loop, stdin = asyncio.Event(), asyncio.get_running_loop(), sys.stdin.fileno()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)

    def read() -> None:
        if not os.read(stdin, 4096):
            loop.remove_reader(stdin)
            asked.set()

    if is_parent_watched:
        loop.add_reader(stdin, read)
    return asked


async def _report(client: ControlClient, report: RecorderReport) -> None:
    with contextlib.suppress(ConnectivityError):  # the floor is gone: there is nobody to tell
        await client.report(report)


async def _read(recorder: Recorder, client: ControlClient) -> None:
    async for message in client.market():
        recorder.take(message, asyncio.get_running_loop().time())


async def _flush_when_due(recorder: Recorder, client: ControlClient) -> None:
    loop = asyncio.get_running_loop()
    while True:
        if recorder.due_s <= loop.time():
            await _report(client, recorder.flush(loop.time()))
        recorder.changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(recorder.due_s):
                await recorder.changed.wait()


def run_recorder(settings: RecorderSettings, on_ready: Callable[[], None] = lambda: None) -> int:
    """Run the recorder in this process; return its exit code, the reason on standard error.

    ``on_ready`` is called when the store is open and the floor has let the recorder in.
    """
    try:
        # Only here: importing ArcticDB takes a second and 100 MB.
        from ibfloor.data.arctic_store import open_store

        asyncio.run(record(settings, open_store(Path(settings.path), map_size=settings.map_size), on_ready))
    except FloorError as error:
        sys.stderr.write(f"recorder: {error}\n")
        return EXIT_NO_ROOM if isinstance(error, NoRoom) else EXIT_FAILED
    return EXIT_OK
