"""The command line as a person runs it, against a real control server."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ibfloor.cli import main
from ibfloor.control.endpoint import endpoint_path
from ibfloor.control.protocol import ViewSnapshot
from ibfloor.control.server import ControlServer
from ibfloor.model.command import AnyCommand, CommandResult, Done


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Ibfloor = Callable[..., Outcome]


class Desk:
    """What the floor's end of the socket shows, and what it was told."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, object]] = {}
        self.commands: list[AnyCommand] = []
        self.answer: CommandResult = Done("as you wish")

    async def on_call(self, command: AnyCommand) -> CommandResult:
        self.commands.append(command)
        return self.answer


@pytest.fixture
def ibfloor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("IBFLOOR_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr("sys.argv", ["ibfloor", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        code = end.value.code
        return Outcome(code if isinstance(code, int) else 0, printed.out, printed.err)

    return run


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "floor-home"
    folder.mkdir(mode=0o700)
    (tmp_path / "floor.toml").write_text('[floor]\nhome = "floor-home"\n')
    return folder


@pytest.fixture
def desk(home: Path) -> Iterator[Desk]:
    """A floor's control server in a thread of its own, as another process would be."""
    desk, ready, loop = Desk(), threading.Event(), asyncio.new_event_loop()
    end = asyncio.Event()

    async def serve() -> None:
        async with ControlServer(
            endpoint_path(home),
            floor="test",
            version="0",
            on_call=desk.on_call,
            on_bars=lambda query: [],
            snapshot=lambda: ViewSnapshot(seq=1, rows=desk.rows),
        ):
            ready.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    yield desk
    loop.call_soon_threadsafe(end.set)
    thread.join(10)
    assert not thread.is_alive()
    loop.close()
