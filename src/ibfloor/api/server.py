"""The web process: builds its parts, serves them, and ends with the floor."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from ibfloor.api.account_routes import account_routes
from ibfloor.api.booking_routes import booking_routes
from ibfloor.api.capital_routes import capital_routes
from ibfloor.api.command_routes import command_routes
from ibfloor.api.floor_link import FloorLink
from ibfloor.api.guard import Gatehouse, Guard
from ibfloor.api.hub import Hub
from ibfloor.api.limit_routes import limit_routes
from ibfloor.api.login import LoginDesk
from ibfloor.api.passwords import PasswordFile
from ibfloor.api.problem import add_problem_handlers
from ibfloor.api.read_routes import read_routes
from ibfloor.api.report_routes import report_routes
from ibfloor.api.sessions import Sessions
from ibfloor.api.settings import WebSettings
from ibfloor.api.socket_route import socket_route
from ibfloor.api.statics import load_statics, static_routes
from ibfloor.model.errors import ConfigError

SHUTDOWN_S = 2


async def run_web(settings: WebSettings) -> None:
    """Serve until SIGTERM, SIGINT or the end of standard input; raises ``ConfigError`` for bad settings.

    Prints one JSON line ``{"event": "ready", "port": ...}`` when it takes connections.
    """
    settings.check()
    listener = _listen(settings)
    port = listener.getsockname()[1]
    server = _Server(_uvicorn_config(build_app(settings, port), settings), port)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    if settings.parent_pipe:
        loop.add_reader(sys.stdin.fileno(), lambda: _watch_parent(loop, server))
    await server.serve(sockets=[listener])


def build_app(settings: WebSettings, port: int) -> ASGIApp:
    """Return the web application for the address it will be served on."""
    loop = asyncio.get_running_loop()
    sessions = Sessions(loop.time)
    password = PasswordFile(Path(settings.password_file) if settings.password_file else None)
    desk = LoginDesk(
        settings.home_path,
        password,
        loop.time,
        token=settings.login_token,
        token_ttl_s=settings.login_token_ttl_s,
    )
    # Cookies know no ports: the name carries it, so that two floors on one machine do not log each other out.
    guard = Guard(sessions, cookie_name=f"ibfloor_{port}", scheme=settings.scheme)
    link = FloorLink(settings.home_path, lambda message: hub.on_message(message))
    hub = Hub(lambda: link.rows, lambda: link.stale_reason, sessions.is_live)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in (link.follow_forever(), hub.beat_forever(), _watch_link(desk))]
            yield
            for task in tasks:
                task.cancel()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    add_problem_handlers(app)
    app.include_router(socket_route(guard, hub))
    app.include_router(account_routes(guard, sessions, desk, is_secure=settings.is_tls))
    app.include_router(report_routes(guard, settings))
    app.include_router(capital_routes(guard, link))
    app.include_router(read_routes(guard, link))
    app.include_router(limit_routes(guard, link))
    app.include_router(command_routes(guard, link, desk))
    app.include_router(booking_routes(guard, link))
    app.include_router(static_routes(load_statics()))
    return Gatehouse(app, _own_hosts(settings.host, port))


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, port: int) -> None:
        super().__init__(config)
        self._port = port

    def stop(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(msgspec.json.encode({"event": "ready", "port": self._port}).decode() + "\n")
        sys.stdout.flush()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # run_web listens for them: uvicorn would raise them again, and the exit code would be -15


def _uvicorn_config(app: ASGIApp, settings: WebSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        ws_per_message_deflate=False,  # frames are made once for all pages; packing would be per page
        ws_max_size=4096,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=SHUTDOWN_S,
        limit_concurrency=256,
        h11_max_incomplete_event_size=16 * 1024,
        ssl_certfile=settings.tls_certificate or None,
        ssl_keyfile=settings.tls_key or None,
    )


def _listen(settings: WebSettings) -> socket.socket:
    try:
        return socket.create_server((settings.host, settings.port))
    except OSError as error:
        raise ConfigError(
            f"[web] port = {settings.port}: {error.strerror} on {settings.host}: choose another port, or 0 for any"
        ) from error


def _own_hosts(host: str, port: int) -> set[str]:
    names = {host.lower(), "127.0.0.1", "localhost"}
    return {f"{name}:{port}" for name in names} | ({host.lower()} if port in (80, 443) else set())


async def _watch_link(desk: LoginDesk) -> None:
    while True:  # the clock of a fresh login link starts when its file appears
        desk.look_for_link()
        await asyncio.sleep(1)


def _watch_parent(loop: asyncio.AbstractEventLoop, server: _Server) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        server.stop()
