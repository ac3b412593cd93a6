"""The fault console: one call per connection on a loopback port, opened by a token from a 0600 file.

So a person can break a running gateway, or read its book, from another process.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import socket
import struct
import tempfile
from pathlib import Path
from typing import Literal

import msgspec

from ibfloor.control.endpoint import Endpoint, new_token, read_endpoint, remove_endpoint, write_endpoint
from ibfloor.control.framing import FrameError, FrameSplitter
from ibfloor.model.errors import ConfigError, ConnectivityError, FloorError
from ibfloor.sim.faults import Fault, FaultRow
from ibfloor.sim.gateway.gateway import Gateway
from ibfloor.sim.gateway.happenings import AccountEvent

_CALL_BYTES_MAX = 1024 * 1024
_ANSWER_BYTES_MAX = 1024 * 1024 * 1024
_PATIENCE_S = 10.0
_LENGTH = struct.Struct(">I")


class ConsoleCall(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a gateway."""

    token: str
    call: Literal["list", "inject", "clear", "book", "happen"]
    faults: tuple[Fault, ...] = ()
    events: tuple[AccountEvent, ...] = ()
    name: str = ""


class ConsoleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What it says; ``error`` is empty when all is well."""

    error: str = ""
    rows: list[FaultRow] = []
    book: msgspec.Raw = msgspec.Raw(b"null")


class Console:
    """An ``async with`` around the console of a gateway. Owner: the gateway's loop."""

    def __init__(self, gateway: Gateway, path: Path) -> None:
        self.path = path
        self._gateway = gateway
        self._server: asyncio.Server | None = None
        self._endpoint: Endpoint | None = None

    async def __aenter__(self) -> Console:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self._endpoint = Endpoint(host="127.0.0.1", port=port, token=new_token(), pid=os.getpid())
        write_endpoint(self.path, self._endpoint)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        assert self._endpoint is not None
        self._server.close()
        await self._server.wait_closed()
        remove_endpoint(self.path, self._endpoint)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        splitter = FrameSplitter(_CALL_BYTES_MAX)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                bodies: list[bytes] = []
                while not bodies:
                    data = await reader.read(65536)
                    if not data:
                        return
                    bodies = splitter.feed(data)
                answer = msgspec.json.encode(self._answer(bodies[0]))
                writer.write(_LENGTH.pack(len(answer)) + answer)
                await writer.drain()
        except (FrameError, TimeoutError, ConnectionError):
            pass  # whoever that was has no business here
        finally:
            writer.close()

    def _answer(self, body: bytes) -> ConsoleAnswer:
        assert self._endpoint is not None
        try:
            call = msgspec.json.decode(body, type=ConsoleCall)
        except msgspec.DecodeError as error:
            return ConsoleAnswer(error=f"the call cannot be read: {error}")
        if not hmac.compare_digest(call.token.encode(), self._endpoint.token.encode()):
            return ConsoleAnswer(error="the token is not this gateway's")
        if call.call == "book":
            return ConsoleAnswer(book=msgspec.Raw(self._gateway.dump_book()))
        try:
            self._change(call)
        except ConfigError as error:
            return ConsoleAnswer(error=str(error))
        return ConsoleAnswer(rows=self._gateway.faults.rows())

    def _change(self, call: ConsoleCall) -> None:
        try:
            for fault in call.faults if call.call == "inject" else ():
                self._gateway.faults.inject(fault)
            due = call.events if call.call == "happen" else ()
            for event in due:
                self._gateway.lifecycle.check(event)
            for event in due:
                self._gateway.lifecycle.carry_out(event, self._gateway.now_ns())
            if call.call == "clear":
                self._gateway.faults.clear(call.name)
        finally:
            self._gateway.flush()


def console_path(gateway_port: int) -> Path:
    """Return where the console of the gateway on a port is described: in a folder of this user's own."""
    return _folder() / f"gateway-{gateway_port}.json"


def running_consoles() -> list[Path]:
    """Return the descriptions of gateways that run; those of crashed ones are taken away."""
    paths = sorted(_folder().glob("gateway-*.json"))
    for path in paths:
        if not _is_alive(read_endpoint(path).pid):
            path.unlink(missing_ok=True)
    return [path for path in paths if path.exists()]


def ask_console(
    path: Path, call: Literal["list", "inject", "clear", "book", "happen"], **more: object
) -> ConsoleAnswer:
    """Ask a running gateway; raise ``ConnectivityError`` when none answers, ``ConfigError`` for its refusal."""
    if not path.exists():
        raise ConnectivityError(f"no gateway is running here ({path}): start it with `ibfloor gateway`, or give --port")
    endpoint = read_endpoint(path)
    body = msgspec.json.encode({"token": endpoint.token, "call": call, **more})
    splitter = FrameSplitter(_ANSWER_BYTES_MAX)
    try:
        with socket.create_connection((endpoint.host, endpoint.port), _PATIENCE_S) as link:
            link.sendall(_LENGTH.pack(len(body)) + body)
            bodies: list[bytes] = []
            while not bodies:
                data = link.recv(1024 * 1024)
                if not data:
                    raise ConnectivityError("the gateway hung up without an answer")
                bodies = splitter.feed(data)
    except OSError as error:
        raise ConnectivityError(f"the gateway of {path} does not answer: {error}") from error
    answer = msgspec.json.decode(bodies[0], type=ConsoleAnswer)
    if answer.error:
        raise ConfigError(answer.error)
    return answer


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _folder() -> Path:
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    folder = Path(base) / f"ibfloor-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.is_symlink():
        raise FloorError(f"{folder} belongs to somebody else: remove it, or set XDG_RUNTIME_DIR")
    return folder
