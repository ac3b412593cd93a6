"""The web process's line to the floor: a replica of its views, and its commands, through every restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from ibfloor.control.client import ControlClient
from ibfloor.control.protocol import ViewChanges, ViewSnapshot
from ibfloor.control.replica import Replica, Rows, SequenceGap
from ibfloor.model.command import AnyCommand, CommandResult
from ibfloor.model.errors import ConnectivityError

RETRY_S = 0.5
STALE_S = 3.0

log = structlog.get_logger("web")


class FloorLink:
    """Follow one floor. Owner: the web process's loop.

    ``on_message`` gets every snapshot and change after it is in ``rows``.
    """

    def __init__(self, home: Path, on_message: Callable[[ViewSnapshot | ViewChanges], None]) -> None:
        self._home = home
        self._on_message = on_message
        self._replica = Replica()
        self._client: ControlClient | None = None
        self._heard_s = float("-inf")
        self._reason = "the floor has not answered yet"

    @property
    def rows(self) -> Rows:
        """The floor's rows as last heard."""
        return self._replica.rows

    @property
    def stale_reason(self) -> str:
        """Why the rows must not be trusted now; empty when they are live."""
        if self._client is None:
            return self._reason
        silence_s = asyncio.get_running_loop().time() - self._heard_s
        return f"the floor has been silent for {silence_s:.0f} s" if silence_s > STALE_S else ""

    async def follow_forever(self) -> None:
        """Keep connected: log once when the floor is lost and once when it is back."""
        was_live = True
        while True:
            try:
                async with ControlClient.connect(self._home, name="web") as client:
                    log.info("floor connected", floor=client.welcome.floor)
                    was_live = True
                    await self._follow(client)
            except (ConnectivityError, SequenceGap) as error:
                self._reason = str(error)
                if was_live:
                    log.warning("floor lost", reason=str(error))
                was_live = False
            finally:
                self._client = None
            await asyncio.sleep(RETRY_S)

    async def call(self, command: AnyCommand) -> CommandResult:
        """Give the floor a command; raise ``ConnectivityError`` when it is away."""
        return await self._live().call(command)

    async def bars(self, instrument_id: int, bar_ns: int, limit: int) -> list[list[float | int | bool]]:
        """Ask the floor for recent bars; raise ``ConnectivityError`` when it is away."""
        return await self._live().bars(instrument_id, bar_ns, limit=limit)

    async def _follow(self, client: ControlClient) -> None:
        async for message in client.views():
            self._replica.apply(message)
            self._heard_s = asyncio.get_running_loop().time()
            self._client = client
            self._on_message(message)

    def _live(self) -> ControlClient:
        if self._client is None:
            raise ConnectivityError(f"the floor is away: {self._reason}")
        return self._client
