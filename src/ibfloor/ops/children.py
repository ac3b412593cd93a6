"""The processes beside the floor, web and recorder, and the control socket they reach it by."""

from __future__ import annotations

import asyncio
import secrets
import sys
from contextlib import AsyncExitStack

import msgspec
import structlog

from ibfloor import __version__
from ibfloor.config import FloorSettings
from ibfloor.control.endpoint import endpoint_path
from ibfloor.control.protocol import RecorderReport
from ibfloor.control.server import ControlServer
from ibfloor.data.manager import DataManager
from ibfloor.data.recorder_feed import ColumnSink
from ibfloor.manager.commands import CommandDesk
from ibfloor.manager.equity_feed import EquityFeed
from ibfloor.manager.market_bridge import MarketBridge
from ibfloor.manager.processes import ChildProcess, Ready
from ibfloor.manager.publisher import Publisher
from ibfloor.model.errors import FloorError

log = structlog.get_logger("processes")

NOTHING_STORED = RecorderReport(ticks_stored=0, bars_stored=0, gaps=0)


class Children:
    """Starts, feeds and ends what runs beside the floor. Owner: the main loop."""

    def __init__(
        self,
        settings: FloorSettings,
        publisher: Publisher,
        commands: CommandDesk,
        data: DataManager,
        curves: EquityFeed,
    ) -> None:
        self._settings = settings
        self._publisher = publisher
        self._data = data
        self._curves = curves
        self._login_token = secrets.token_urlsafe(24)
        self._recorded = NOTHING_STORED
        self._stored_before = 0
        self._server = ControlServer(
            endpoint_path(settings.home),
            floor=settings.floor.name,
            version=__version__,
            on_call=commands.carry_out,
            on_bars=publisher.bars,
            snapshot=publisher.snapshot,
            on_recorder_report=self._take_report,
        )
        self._bridge = MarketBridge(self._server.publish_market)
        self._web = ChildProcess(
            "web", lambda: _python("ibfloor.api"), first_input=self._web_settings, on_ready=self._web_ready
        )
        self._recorder = ChildProcess(
            "recorder",
            lambda: _python("ibfloor.data"),
            first_input=self._recorder_settings,
            on_ready=lambda ready: self._feed(self._bridge),
            on_end=self._recorder_ended,
        )
        self.login_url = ""
        """A link that logs in once; empty while no pages are served."""

    @property
    def bars_stored(self) -> int:
        """Return how many bars were stored since the start, by the recorder's last report."""
        return self._stored_before + self._recorded.bars_stored

    async def open(self, stack: AsyncExitStack) -> None:
        """Start the control socket and the processes that are switched on."""
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        try:
            await stack.enter_async_context(self._server)
        except OSError as error:
            raise FloorError(f"the control file of this floor cannot be written: {error}") from error
        stack.push_async_callback(self.close)
        self._publisher.stored_bars = lambda: self.bars_stored
        self._publishing = tasks.create_task(self._publisher.run(self._server.publish_changes))
        wanted = [self._recorder] * self._settings.recorder.enabled + [self._web] * self._settings.web.enabled
        await asyncio.gather(*(self._start(child) for child in wanted))
        for child in wanted:
            tasks.create_task(child.keep())

    async def close(self) -> None:
        """End the processes; the recorder stores what it has first. Doing it twice is once."""
        self._feed(None)
        await asyncio.gather(self._recorder.stop(), self._web.stop())
        self._publishing.cancel()

    async def _start(self, child: ChildProcess) -> None:
        try:
            await child.start()
        except FloorError as error:
            log.error("process did not start; the floor trades on", name=child.name, reason=str(error))

    def _web_ready(self, ready: Ready) -> None:
        self._publisher.web_url = f"http://{self._settings.web.host}:{ready['port']}"
        self.login_url = f"{self._publisher.web_url}/login#{self._login_token}"

    def _feed(self, sink: ColumnSink | None) -> None:
        self._data.record_to(sink)
        self._curves.connect(sink)

    def _take_report(self, report: RecorderReport) -> None:
        self._recorded = report

    def _recorder_ended(self) -> None:
        self._stored_before += self._recorded.bars_stored  # the next one counts from zero
        self._recorded = NOTHING_STORED
        self._feed(None)
        self._bridge.clear()

    def _web_settings(self) -> str:
        web = self._settings.web
        # The link works once, so a web process that is started again must not honour it anew.
        login_token = "" if self.login_url else self._login_token
        fields = {
            "home": str(self._settings.home),
            "host": web.host,
            "port": web.port,
            "login_token": login_token,
            "password_file": str(web.password_file),
            "floor": self._settings.floor.name,
            "lots": self._settings.books.lots,
            "parent_pipe": True,
        }
        return msgspec.json.encode(fields).decode() + "\n"

    def _recorder_settings(self) -> str:
        recorder = self._settings.recorder
        fields = {
            "home": str(self._settings.home),
            "path": str(recorder.path),
            "min_free_gb": recorder.min_free_gb,
            "lots": self._settings.books.lots,
            "parent_pipe": True,
        }
        return msgspec.json.encode(fields).decode() + "\n"


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]
