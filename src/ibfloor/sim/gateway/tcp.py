"""The gateway on TCP: one asyncio server, one task that lets the market run."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import struct

from ibfloor.model.errors import ConnectivityError
from ibfloor.sim.gateway.gateway import Gateway
from ibfloor.sim.gateway.session import Session

STEP_MAX_S = 0.05
STEP_MIN_S = 0.002
_LINGER_NOT = struct.pack("ii", 1, 0)
"""A close with this lingering is a reset."""


class GatewayServer:
    """Serves one gateway on TCP, and lets its market run. Owner: the running loop."""

    def __init__(self, gateway: Gateway, host: str, port: int) -> None:
        self.gateway = gateway
        self.port = port
        self._host = host
        self._server: asyncio.Server | None = None
        self._runner: asyncio.Task[None] | None = None
        self._links: dict[_Link, None] = {}
        self._moving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> GatewayServer:
        try:
            self._server = await asyncio.get_running_loop().create_server(self._link, self._host, self.port)
        except OSError as error:
            raise _cannot_listen(self._host, self.port, error) from error
        self.port = self._server.sockets[0].getsockname()[1]
        self.gateway.links = self
        if not self.gateway.clock.is_stepped:
            self._runner = asyncio.create_task(self._run_market())
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*self._moving)
        assert self._server is not None
        self._server.close()
        self.gateway.links = None
        for link in list(self._links):
            link.abort()
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
        await self._server.wait_closed()

    async def wait(self) -> None:
        """Return when the market's task ends, which it only does by failing: raises what it raised."""
        if self._runner is not None:
            await self._runner

    def drop_connections(self) -> None:
        """Cut every client off, as a restart of the gateway would."""
        for link in list(self._links):
            link.abort()

    def move(self, port: int) -> int:
        """Listen on another port (0: any free one) instead; return it."""
        listener = self._listen(port)
        if self._server is not None:
            self._server.close()
        task = asyncio.get_running_loop().create_task(self._serve_on(listener))
        self._moving.add(task)
        task.add_done_callback(self._moving.discard)
        return self.port

    def kill_process(self) -> None:
        """End the process on the spot, as a crash does."""
        os.kill(os.getpid(), signal.SIGKILL)

    def _listen(self, port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, port))
        except OSError as error:
            listener.close()
            raise _cannot_listen(self._host, port, error) from error
        self.port = listener.getsockname()[1]
        return listener

    async def _serve_on(self, listener: socket.socket) -> None:
        self._server = await asyncio.get_running_loop().create_server(self._link, sock=listener)

    def _link(self) -> _Link:
        return _Link(self.gateway, self._links)

    async def _run_market(self) -> None:
        gateway = self.gateway
        while True:
            gateway.step()
            if self._pause_s() >= STEP_MIN_S and gateway.clock.is_running:
                gateway.market.make_ahead()
            await asyncio.sleep(self._pause_s())

    def _pause_s(self) -> float:
        clock, next_ns = self.gateway.clock, self.gateway.market.next_tick_ns
        if not clock.is_running or next_ns is None:
            return STEP_MAX_S
        return min(STEP_MAX_S, max(STEP_MIN_S, clock.wall_delay_s(next_ns)))


class _Link(asyncio.Protocol):
    def __init__(self, gateway: Gateway, links: dict[_Link, None]) -> None:
        self._gateway = gateway
        self._links = links
        self._transport: asyncio.Transport | None = None
        self._session = Session(gateway, self._write, self._close, self.reset)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._links[self] = None
        if not self._gateway.faults.on_connect(self._session):
            self.abort()

    def data_received(self, data: bytes) -> None:
        self._session.receive(data)
        self._gateway.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._links.pop(self, None)
        self._gateway.leave(self._session)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def reset(self) -> None:
        """Cut the connection with a TCP reset, as a crash does."""
        assert self._transport is not None
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self._transport.abort()

    def _write(self, data: bytes) -> None:
        transport = self._transport
        assert transport is not None
        transport.write(data)
        if transport.get_write_buffer_size() > self._gateway.faults.unread_max(self._session):
            transport.abort()

    def _close(self) -> None:
        assert self._transport is not None
        self._transport.close()


def _cannot_listen(host: str, port: int, error: OSError) -> ConnectivityError:
    if error.errno == errno.EADDRINUSE:
        why = "another program has this port, perhaps an earlier gateway: end it, or take another; 0 takes a free one"
    else:
        why = error.strerror or str(error)
    return ConnectivityError(f"cannot listen on {host}:{port}: {why}")
