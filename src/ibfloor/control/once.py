"""One question to a running floor, for programs without a loop (the command line)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ibfloor.control.client import ControlClient
from ibfloor.control.protocol import ViewSnapshot
from ibfloor.model.command import AnyCommand, CommandResult
from ibfloor.model.errors import ConnectivityError


def fetch_snapshot(home: Path, *, name: str = "cli", timeout_s: float = 5.0) -> ViewSnapshot:
    """Return all rows as they are now; raise ``ConnectivityError`` when no floor runs in ``home``."""
    return asyncio.run(_fetch(home, name, timeout_s))


def send_command(home: Path, command: AnyCommand, *, name: str = "cli", timeout_s: float = 30.0) -> CommandResult:
    """Give a command and return its outcome; raise ``ConnectivityError`` when no floor runs in ``home``."""
    return asyncio.run(_send(home, command, name, timeout_s))


async def _fetch(home: Path, name: str, timeout_s: float) -> ViewSnapshot:
    async with ControlClient.connect(home, name=name, timeout_s=timeout_s) as client:
        try:
            async with asyncio.timeout(timeout_s):
                async for message in client.views(follow=False):
                    if isinstance(message, ViewSnapshot):
                        return message
        except TimeoutError:
            raise ConnectivityError(f"the floor sent no snapshot within {timeout_s:g} s") from None
    raise ConnectivityError("the floor sent no snapshot")


async def _send(home: Path, command: AnyCommand, name: str, timeout_s: float) -> CommandResult:
    async with ControlClient.connect(home, name=name) as client:
        return await client.call(command, timeout_s=timeout_s)
