from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ibfloor.control.differ import ViewDiffer
from ibfloor.control.endpoint import endpoint_path
from ibfloor.control.protocol import BarsQuery, RecorderReport
from ibfloor.control.server import ControlServer
from ibfloor.model.command import AnyCommand, CommandResult, Done


class Floor:
    """The floor's end of the socket: a real server over a real differ, recording what it was asked."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.differ = ViewDiffer()
        self.commands: list[AnyCommand] = []
        self.reports: list[RecorderReport] = []
        self.carry_out: Callable[[AnyCommand], Awaitable[CommandResult]] = self._done
        self.server: ControlServer

    async def _done(self, command: AnyCommand) -> CommandResult:
        return Done(text=type(command).__name__)

    async def on_call(self, command: AnyCommand) -> CommandResult:
        self.commands.append(command)
        return await self.carry_out(command)

    def on_bars(self, query: BarsQuery) -> list[list[float | int | bool]]:
        return [[query.bar_ns, 1.0, 2.0, 0.5, 1.5, float(query.limit), True]]

    def publish(self) -> None:
        changes = self.differ.take()
        if changes is not None:
            self.server.publish_changes(changes)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Floor]:
        async with ControlServer(
            endpoint_path(self.home),
            floor="test",
            version="0",
            on_call=self.on_call,
            on_bars=self.on_bars,
            snapshot=self.differ.snapshot,
            on_recorder_report=self.reports.append,
        ) as self.server:
            yield self


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)
