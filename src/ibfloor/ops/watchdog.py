"""The dead-man watchdog: a process and an IB session of its own that act when the floor has died.

It hears the floor's heartbeat. When the floor falls silent without a goodbye, it latches the kill
switch on disk, so that the floor comes back halted, cancels every working order of the account, and
looks at the broker's list until none works, with alarms. ``python -m ibfloor.ops.watchdog`` is what
``ibfloor run`` starts; its settings are the first line of standard input.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import structlog

from ibfloor.broker.ib.clients import IbClients
from ibfloor.broker.ib.settings import ib_settings
from ibfloor.clock import FloorClock
from ibfloor.config import FloorSettings, OnDeath
from ibfloor.ledger.latch import KillLatches
from ibfloor.ledger.lock import FloorLock
from ibfloor.model.account import ListedOrder
from ibfloor.model.errors import ConfigError, ConnectivityError, FloorError, LedgerError
from ibfloor.model.fact import AnyFact, SessionChanged, SessionState
from ibfloor.model.ids import owner_of
from ibfloor.model.kill import ACCOUNT
from ibfloor.ops.alarm import Alarm
from ibfloor.ops.heartbeat import BEAT_S, FLOOR_FILE, WATCHDOG_FILE, Heartbeat, Life, Listener
from ibfloor.ops.logging import floor_logging

LOCK_FILE, LOG_FILE = "watchdog.lock", "watchdog.jsonl"
LOOK_S = 0.2
AGAIN_S = 1.0
LOOKS_NEEDED = 2
PAGE_S = 10.0
ALARM_AGAIN_S = 60.0
ANSWER_S = 5.0

log = structlog.get_logger("watchdog")


class Watchdog:
    """Watches one floor's home. Owner: its own loop."""

    def __init__(self, settings: FloorSettings, *, stays: bool) -> None:
        section = settings.watchdog
        self._settings = settings
        self._stays = stays
        self._alarm = Alarm(settings.alarm.command)
        self._listener = Listener(
            settings.home / FLOOR_FILE,
            dead_after_s=section.dead_after_s,
            start_within_s=section.start_within_s,
            trusts_first=not stays,
        )
        self._latches = KillLatches(settings.home)
        clients = IbClients(ib_settings(settings), FloorClock(), self._take)
        self._session = clients.watchdog_session(section.client_id)
        self._link = SessionChanged(
            ts_event_ns=0, ts_init_ns=0, session="watchdog", client_id=section.client_id, state=SessionState.CONNECTING
        )
        self._why = ""
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Watch until told to end, or until the floor that started it has gone."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._over.set)
        tasks = [
            asyncio.create_task(work) for work in (self._connect(), self._watch(), self._live(), self._tell_link())
        ]
        over = asyncio.create_task(self._over.wait())
        try:
            ended, _ = await asyncio.wait([*tasks, over], return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in (*tasks, over):
                task.cancel()
            await asyncio.gather(*tasks, over, return_exceptions=True)
            await self._session.close()

    async def _connect(self) -> None:
        while True:
            try:
                await self._session.open()
                break  # it keeps itself connected from here on
            except FloorError as error:  # also 326, and a gateway that is not up yet
                log.warning("no session yet", reason=str(error))
                self._why = str(error)
                await asyncio.sleep(AGAIN_S)
        await asyncio.Event().wait()

    async def _live(self) -> None:
        with Heartbeat(self._settings.home / WATCHDOG_FILE) as heartbeat:
            try:
                while True:
                    heartbeat.beat()
                    await asyncio.sleep(BEAT_S)
            finally:
                heartbeat.goodbye()

    async def _tell_link(self) -> None:
        loop = asyncio.get_running_loop()
        since_s, told_s, told = loop.time(), 0.0, ""
        while True:
            await asyncio.sleep(AGAIN_S)
            now_s = loop.time()
            if self._link.state is SessionState.CONNECTED:
                if told_s:
                    log.warning("the watchdog has its session again")
                since_s, told_s, self._why = now_s, 0.0, ""
                continue
            why = self._link.detail or self._why
            is_due = not told_s or now_s - told_s > ALARM_AGAIN_S or (why and not told)
            if is_due and now_s - since_s > self._settings.watchdog.dead_after_s:
                told_s, told = now_s, why
                self._alarm(f"the watchdog has no session, it could cancel nothing: {why or 'it is still connecting'}")

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        was_watched = False
        while True:
            is_dead = self._listener.look(loop.time())
            beat = self._listener.last
            if self._listener.is_watched and not was_watched:
                log.info("the floor's heart beats", pid=beat.pid if beat else 0)
            was_watched = self._listener.is_watched
            if is_dead:
                await self._act(beat.pid if beat else 0)
                self._listener.forget()
            if not self._stays and beat is not None and (beat.life is Life.GONE or is_dead):
                log.info("the floor is gone: the watchdog that it started goes too", life=beat.life)
                return
            await asyncio.sleep(LOOK_S)

    async def _act(self, pid: int) -> None:
        section = self._settings.watchdog
        silence = f"the floor (process {pid}) gives no sign of life for {section.dead_after_s:g} s"
        if section.on_death is OnDeath.ALARM:
            self._alarm(f"{silence}: its orders work unattended, cancel them in TWS")
            return
        self._alarm(f"{silence}: the watchdog cancels all orders of the account")
        try:
            self._latches.latch(ACCOUNT, "watchdog", silence)
        except LedgerError as error:
            self._alarm(f"the kill switch is NOT on disk, a floor that comes back would trade: {error}")
        await self._cancel_until_clear()

    async def _cancel_until_clear(self) -> None:
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        page_s, first, clear, why = begun_s + PAGE_S, None, 0, ""
        asked_s = -AGAIN_S
        while clear < LOOKS_NEEDED:
            try:
                if first is None or (clear == 0 and loop.time() > asked_s + AGAIN_S):
                    self._session.cancel_everything()
                    asked_s = loop.time()
                async with asyncio.timeout(ANSWER_S):
                    listed = await self._session.open_orders()
            except (ConnectivityError, TimeoutError) as error:
                clear, why = 0, f"the broker cannot be asked: {str(error) or 'no answer'}"
            else:
                if first is None:  # what a person places by hand after this is left alone
                    first = frozenset(order.perm_id for order in listed)
                left = [order for order in listed if order.perm_id in first or owner_of(order.order_ref)]
                clear, why = (0, _told(left)) if left else (clear + 1, "")
            if loop.time() > page_s:
                page_s = loop.time() + ALARM_AGAIN_S
                self._alarm(f"orders may still work though the floor is dead: {why}")
            await asyncio.sleep(LOOK_S)
        self._alarm(f"no order works any more, by the broker's list, after {loop.time() - begun_s:.1f} s")

    def _take(self, fact: AnyFact) -> None:
        if isinstance(fact, SessionChanged):
            self._link = fact
            log.info("session", state=fact.state, detail=fact.detail)


def _told(left: list[ListedOrder]) -> str:
    return f"{len(left)} orders work, such as {left[0].order_ref or left[0].perm_id}"


def run_watchdog(settings: FloorSettings, *, stays: bool) -> None:
    """Watch a floor's home; ``stays`` after that floor has gone, for the next one.

    Raises ``ConfigError`` when another watchdog has the home.
    """
    clock = FloorClock()
    lock = FloorLock(settings.home / LOCK_FILE, "watchdog")
    with lock, floor_logging(settings.home, clock, file_name=LOG_FILE):
        asyncio.run(Watchdog(settings, stays=stays).run())


def main() -> int:
    """Read the settings and watch; 2 for bad ones, or when another watchdog has the home."""
    try:
        run_watchdog(FloorSettings.model_validate_json(_first_line()), stays=False)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _first_line() -> bytes:
    line = bytearray()
    while not line.endswith(b"\n") and (byte := os.read(sys.stdin.fileno(), 1)):
        line += byte
    return bytes(line)


if __name__ == "__main__":
    sys.exit(main())
