"""The recorder: a process of its own that stores what the floor sees (``python -m ibfloor.data``).

The only writer of ArcticDB: a full disk can crash ArcticDB, and its big writes would stall the floor.
A crash loses at most one flush interval of ticks; bars are told again by the floor and skipped where
they are stored already. Points of equity curves that are missing are read from the journal at start.
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
from ibfloor.data.equity_points import BOOK_NAMES, missing_points
from ibfloor.data.record_buffer import RecordBuffer, bar_table, equity_table, tick_table
from ibfloor.data.store import CurveStore, MarketStore, StoreBroken, StoreError, Table
from ibfloor.data.symbol_names import SymbolNames
from ibfloor.model.errors import ConnectivityError, FloorError
from ibfloor.model.lots import LotMethod

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
    lots: LotMethod = LotMethod.FIFO
    """By which lots of a position close: equity curves read from the journal need it."""
    parent_pipe: bool = False
    """End when standard input ends: the parent is gone, or wants it so."""


class Recorder:
    """Buffers columns and writes them when they are due. Owner: the recorder's loop."""

    def __init__(self, settings: RecorderSettings, store: MarketStore, curves: CurveStore) -> None:
        self._settings = settings
        self._store = store
        self._curves = curves
        self._ticks = RecordBuffer(flush_s=settings.tick_flush_s, rows_max=settings.tick_rows_max)
        self._bars = RecordBuffer(flush_s=settings.bar_flush_s, rows_max=settings.tick_rows_max)
        self._points = RecordBuffer(flush_s=settings.bar_flush_s, rows_max=settings.tick_rows_max)
        self._is_caught_up = False
        self._names = SymbolNames(Path(settings.path))
        self._book_names = SymbolNames(Path(settings.path), BOOK_NAMES)
        self._stored_ticks = self._stored_bars = self._stored_points = self._gaps = 0
        self._detail = ""
        self.changed = asyncio.Event()
        """Set when something was buffered: the next flush may be due earlier."""

    @property
    def due_s(self) -> float:
        """Return the monotonic time of the next flush; infinity while nothing is buffered."""
        return min(self._ticks.due_s, self._bars.due_s, self._points.due_s if self._is_caught_up else math.inf)

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
            if message.table == "equity":
                self._points.add(equity_table(message), now_s)
                self._book_names.learn(message.symbols)
                self.changed.set()
                return
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
            if self._is_caught_up and self._points.due_s <= now_s and (points := self._points.take()) is not None:
                self._stored_points += self._curves.append(points)
        except StoreBroken:
            raise
        except StoreError as error:
            self._detail = str(error)
        self._names.save()
        self._book_names.save()
        detail, self._detail = self._detail, ""
        return self.report(detail)

    def take_missing(self, points: Table, names: dict[int, str], now_s: float) -> None:
        """Take what the journal tells of equity curves and the store has not: it goes before all newer points."""
        newer = self._points.take()
        for table in (points, newer):
            if table is not None:
                self._points.add(table, now_s)
        self._book_names.learn(names)
        self._is_caught_up = True
        self.changed.set()

    def report(self, detail: str = "") -> RecorderReport:
        """Return how far the recorder is."""
        return RecorderReport(
            ticks_stored=self._stored_ticks,
            bars_stored=self._stored_bars,
            points_stored=self._stored_points,
            gaps=self._gaps,
            detail=detail,
        )


Missing = Callable[[], tuple[Table, dict[int, str]]]
"""Returns the points of equity curves that the store lacks, and the books' names; runs on a thread of its own."""


async def record(
    settings: RecorderSettings, store: MarketStore, curves: CurveStore, missing: Missing, on_ready: Callable[[], None]
) -> None:
    """Record until the floor goes away or the process is asked to end; what is buffered is written first.

    Raises ``ConnectivityError`` when there is no floor, ``NoRoom`` and ``StoreBroken`` as ``flush`` does.
    """
    recorder = Recorder(settings, store, curves)
    asked_to_end = _asked_to_end(settings.parent_pipe)
    async with ControlClient.connect(Path(settings.home), name="recorder") as client:
        on_ready()
        recorder.require_room()
        reading = asyncio.create_task(_read(recorder, client))
        catching_up = asyncio.create_task(_catch_up(recorder, missing))
        flushing = asyncio.create_task(_flush_when_due(recorder, client))
        ending = asyncio.create_task(asked_to_end.wait())
        await asyncio.wait({reading, flushing, ending}, return_when=asyncio.FIRST_COMPLETED)
        if ending.done():
            await asyncio.wait({reading}, timeout=_LAST_WORDS_S)
        for task in (reading, flushing, ending, catching_up):
            task.cancel()
        _, failure, _ = await asyncio.gather(reading, flushing, ending, return_exceptions=True)
        if isinstance(failure, FloorError) and not isinstance(failure, ConnectivityError):
            await _report(client, recorder.report(str(failure)))
            raise failure
        await _report(client, recorder.flush(math.inf))


async def _catch_up(recorder: Recorder, missing: Missing) -> None:
    points, names = await asyncio.to_thread(missing)
    recorder.take_missing(points, names, asyncio.get_running_loop().time())


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
        from ibfloor.data.equity_table import EquityTable

        store = open_store(Path(settings.path), map_size=settings.map_size)
        curves = EquityTable(store, Path(settings.path))
        last_ns, home = curves.last_ns(), Path(settings.home)
        asyncio.run(record(settings, store, curves, lambda: missing_points(home, settings.lots, last_ns), on_ready))
    except FloorError as error:
        sys.stderr.write(f"recorder: {error}\n")
        return EXIT_NO_ROOM if isinstance(error, NoRoom) else EXIT_FAILED
    return EXIT_OK
