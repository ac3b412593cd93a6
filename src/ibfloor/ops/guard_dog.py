"""The floor's side of the watchdog: beats for it, starts it, and notices its death. Owner: the main loop."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import structlog

from ibfloor.config import FloorSettings
from ibfloor.ops.alarm import Alarm
from ibfloor.ops.heartbeat import BEAT_S, FLOOR_FILE, WATCHDOG_FILE, Heartbeat, Listener

ON, STARTING, LOST = "on", "starting", "LOST: no watchdog answers"
TOLD = {"floor", "gateway", "risk", "watchdog", "alarm"}
AGAIN_S = 10.0
WAIT_S = 15.0
"""How long a watchdog that was just started may take to its first beat."""

log = structlog.get_logger("watchdog")


class GuardDog:
    """Keeps a heartbeat going while the floor lives, and a watchdog that hears it where one is wanted."""

    def __init__(self, settings: FloorSettings, alarm: Alarm) -> None:
        self._settings = settings
        self._alarm = alarm
        self._heartbeat = Heartbeat(settings.home / FLOOR_FILE)
        self._listener = Listener(settings.home / WATCHDOG_FILE, dead_after_s=settings.watchdog.dead_after_s)
        self._child: subprocess.Popen[bytes] | None = None
        self._has_failed_beat = self._is_over = False
        self.state = ""
        """For the screen; empty where no watchdog is wanted."""

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Begin to beat; who leaves by an error before the first beat has not begun."""
        with self._heartbeat:
            self._heartbeat.begin()
            try:
                yield
            finally:
                with contextlib.suppress(OSError):
                    self._heartbeat.give_up()

    async def keep(self, ask: Callable[[], Future[None]]) -> None:
        """Beat as long as the main loop runs and the queue's thread answers ``ask``."""
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        if self._settings.watchdog.enabled:
            self.state = STARTING
            self._start()
        while True:
            await asyncio.wrap_future(ask())
            self._beat()
            is_wanted = self._settings.watchdog.enabled and not self._is_over  # it goes as the floor says goodbye
            if is_wanted and self._look(loop.time(), started_s):
                started_s = loop.time()
            await asyncio.sleep(BEAT_S)

    def goodbye(self) -> None:
        """Say that the floor ends in good order, so that its silence alarms nobody."""
        self._is_over = True
        try:
            self._heartbeat.goodbye()
        except OSError as error:
            log.critical("no goodbye could be written: the watchdog will take the floor for dead", reason=str(error))

    def _beat(self) -> None:
        if self._is_over:
            return
        try:
            self._heartbeat.beat()
        except OSError as error:
            if not self._has_failed_beat:
                self._alarm(f"the heartbeat cannot be written, the watchdog will take the floor for dead: {error}")
            self._has_failed_beat = True
        else:
            self._has_failed_beat = False

    def _look(self, now_s: float, started_s: float) -> bool:
        is_dead = self._listener.look(now_s)
        if self._listener.is_watched and not is_dead:
            if self.state != ON:
                log.info("a watchdog watches")
            self.state = ON
            return False
        if self.state == STARTING and now_s - started_s < WAIT_S:
            return False
        if self.state in (ON, STARTING):
            self.state = LOST
            self._alarm("the watchdog has died: nobody would cancel the orders of a floor that dies")
        has_ended = self._child is None or self._child.poll() is not None
        if not has_ended or now_s - started_s < AGAIN_S:
            return False
        self._listener.forget()
        self._start()
        return True

    def _start(self) -> None:
        # In a session of its own: what ends the floor, Ctrl-C for one, must not end it before.
        try:
            child = subprocess.Popen(
                [sys.executable, "-m", "ibfloor.ops.watchdog"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            self._alarm(f"the watchdog cannot be started: {error}")
            return
        assert child.stdin is not None
        with contextlib.suppress(OSError):
            child.stdin.write(self._settings.model_dump_json(include=TOLD).encode() + b"\n")
            child.stdin.close()
        self._child = child
