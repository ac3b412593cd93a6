from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from ibfloor.api.passwords import save_password
from ibfloor.api.server import build_app
from ibfloor.api.settings import WebSettings
from ibfloor.control.differ import ViewDiffer
from ibfloor.control.endpoint import endpoint_path
from ibfloor.control.server import ControlServer
from ibfloor.model.command import AnyCommand, CommandResult, Denied, Done, Kill
from ibfloor.model.view import AccountView, RiskView

PORT = 8840
TOKEN = "one-time-token-for-tests"
PASSWORD = "correct horse battery"


class Web:
    """The web application in this loop, over a real control server, with what the floor was asked."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.commands: list[AnyCommand] = []
        self.differ = ViewDiffer()
        self.http: httpx.AsyncClient
        self.app: Any

    async def on_call(self, command: AnyCommand) -> CommandResult:
        self.commands.append(command)
        if isinstance(command, Kill) and command.reason == "refuse":
            return Denied("the floor says no")
        return Done(type(command).__name__)

    async def log_in(self) -> dict[str, str]:
        answer = await self.http.post("/api/v1/login", json={"token": TOKEN})
        assert answer.status_code == 200, answer.text
        return {"X-CSRF-Token": answer.json()["csrf"], "Idempotency-Key": "key-00000001"}

    @asynccontextmanager
    async def running(self, *, password: bool = False, floor: bool = True) -> AsyncIterator[Web]:
        settings = WebSettings(home=str(self.home), login_token=TOKEN, password_file=str(self.home / "web-password"))
        if password:
            save_password(self.home / "web-password", PASSWORD)
        self.differ.update("risk", "r", RiskView(rule="r", limit="9", used="1", used_pct=11.0, refusals=0))
        self.differ.update(
            "account", "DU1", AccountView(account="DU1", base_currency="USD", net_liquidation=Decimal("10.10"))
        )
        self.differ.take()
        server = ControlServer(
            endpoint_path(self.home),
            floor="test",
            version="0",
            on_call=self.on_call,
            on_bars=lambda query: [[query.bar_ns, 1.0, 2.0, 0.5, 1.5, 3.0, True]],
            snapshot=self.differ.snapshot,
        )
        async with server if floor else _nothing():
            self.app = build_app(settings, PORT)
            async with _alive(self.app):
                transport = httpx.ASGITransport(self.app, client=("127.0.0.1", 1))
                async with httpx.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{PORT}") as self.http:
                    yield self


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def _alive(app: Any) -> AsyncIterator[None]:
    said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    running = asyncio.create_task(app({"type": "lifespan"}, heard.get, said.put))
    await heard.put({"type": "lifespan.startup"})
    assert (await said.get())["type"] == "lifespan.startup.complete"
    yield
    await heard.put({"type": "lifespan.shutdown"})
    assert (await said.get())["type"] == "lifespan.shutdown.complete"
    await running


@pytest.fixture
def web(tmp_path: Path) -> Web:
    return Web(tmp_path)
