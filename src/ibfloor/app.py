"""The whole life of a floor process, as ``run_floor``.

Lock the home, replay the ledger, connect, reconcile, start the strategies, serve the screen, and end
in good order. The parts themselves are built in ``floor.py``.
"""

from __future__ import annotations

import asyncio
import os
import sys
import webbrowser
from collections.abc import Callable
from contextlib import AsyncExitStack

import msgspec
import structlog

from ibfloor.clock import FloorClock
from ibfloor.config import FloorSettings
from ibfloor.floor import DAY_ZONE, Floor
from ibfloor.ledger.lock import FloorLock
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.manager.signals import hearing_signals
from ibfloor.manager.summary import FloorSummary
from ibfloor.ops.alarm import Alarm
from ibfloor.ops.children import Children
from ibfloor.ops.day_end import DayEnd
from ibfloor.ops.guard_dog import GuardDog
from ibfloor.ops.ibc import gateway_kept_up
from ibfloor.ops.log_tail import LogTail
from ibfloor.ops.logging import floor_logging
from ibfloor.ops.preflight import preflight

__all__ = ["FloorReady", "FloorSummary", "run_floor"]

SWITCH_INTERVAL_S = 0.0005  # measured: a strategy that hogs the interpreter costs the others half as much

log = structlog.get_logger("floor")


class FloorReady(msgspec.Struct, frozen=True, kw_only=True):
    """What the person who started the floor wants to know when it is up."""

    login_url: str
    """A link that logs in once; empty when no pages are served."""
    pid: int


def run_floor(
    settings: FloorSettings,
    *,
    for_s: float | None = None,
    open_browser: bool = False,
    on_ready: Callable[[FloorReady], None] | None = None,
) -> FloorSummary:
    """Run a floor until it is told to end (Ctrl-C, SIGTERM, a command) or ``for_s`` wall seconds are over.

    Raises ``ConfigError`` (also for a gateway that is absent at the start) or ``LedgerError`` when it
    cannot start; nothing is left half-started then.
    """
    if settings.floor.pin_core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {settings.floor.pin_core})
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    paths, clock, tail = LedgerPaths(settings.home), FloorClock(), LogTail()
    with FloorLock(paths.lock), floor_logging(settings.home, clock, tail=tail):
        preflight(settings)
        return asyncio.run(_live(settings, paths, clock, tail, for_s, open_browser, on_ready))


async def _live(
    settings: FloorSettings,
    paths: LedgerPaths,
    clock: FloorClock,
    tail: LogTail,
    for_s: float | None,
    open_browser: bool,
    on_ready: Callable[[FloorReady], None] | None,
) -> FloorSummary:
    async with gateway_kept_up(settings), AsyncExitStack() as stack:
        dog = GuardDog(settings, Alarm(settings.alarm.command))
        stack.enter_context(dog.watched())
        floor = Floor(settings, paths, clock)
        day_end = DayEnd(settings, clock, tz=DAY_ZONE, last_day=floor.last_day)
        loop = asyncio.get_running_loop()
        stack.enter_context(hearing_signals(loop, end=floor.end, kill=floor.kill_by_signal))
        await floor.open(stack)
        floor.beat_for(dog, stack)
        publisher = floor.publisher(tail, dog)
        await publisher.refresh()  # the gate knows marks and rates before the first order
        children = Children(settings, publisher, floor.commands, floor.data, floor.curves)
        try:
            floor.start_strategies()  # trading waits for no process beside it
            await children.open(stack)
            await stack.enter_async_context(day_end)
            if on_ready is not None:
                on_ready(FloorReady(login_url=children.login_url, pid=os.getpid()))
            if open_browser and children.login_url:
                webbrowser.open(children.login_url)
            await floor.until_over(for_s)
        except BaseException:
            if await floor.ending.stop_anyway():  # no order stays behind because something else has failed
                dog.goodbye()
            raise
        summary = await floor.wind_up()
        dog.goodbye()
        await children.close()
        return msgspec.structs.replace(summary, bars_stored=children.bars_stored)
