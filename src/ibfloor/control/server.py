"""The floor's side of the control socket: views and market data out, commands in."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType

import structlog

from ibfloor.control.endpoint import Endpoint, new_token, remove_endpoint, write_endpoint
from ibfloor.control.framing import FrameError, FrameSplitter, decode_to_floor, encode_frame
from ibfloor.control.outcomes import Outcomes
from ibfloor.control.peer import Peer
from ibfloor.control.protocol import (
    MAX_FRAME_BYTES,
    Answer,
    BarsAnswer,
    BarsQuery,
    Call,
    Hello,
    MarketColumns,
    RecorderReport,
    SubscribeMarket,
    SubscribeViews,
    ToFloor,
    ViewChanges,
    ViewSnapshot,
    Welcome,
)
from ibfloor.model.command import AnyCommand, CommandResult, Denied

HELLO_TIMEOUT_S = 5.0
HELLO_BYTES_MAX = 4096
READ_BYTES = 256 * 1024
PEERS_MAX = 64
CALLS_MAX_PER_PEER = 64

log = structlog.get_logger("control")


class ControlServer:
    """Serve other processes of this machine. Owner: the floor's main loop, which makes every call.

    ``on_call`` carries out commands; a repeated ``command_id`` gets the first outcome again without
    another call. ``on_bars`` returns rows of ``BarView`` as lists. ``snapshot`` is called whenever a
    client needs all rows. Inside ``async with`` the endpoint file exists and ``port`` is set.
    """

    def __init__(
        self,
        endpoint_path: Path,
        *,
        floor: str,
        version: str,
        on_call: Callable[[AnyCommand], Awaitable[CommandResult]],
        on_bars: Callable[[BarsQuery], list[list[float | int | bool]]],
        snapshot: Callable[[], ViewSnapshot],
        on_recorder_report: Callable[[RecorderReport], None] = lambda report: None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._path = endpoint_path
        self._welcome = encode_frame(Welcome(floor=floor, version=version, pid=os.getpid()))
        self._outcomes = Outcomes(on_call)
        self._on_bars = on_bars
        self._snapshot = snapshot
        self._on_recorder_report = on_recorder_report
        self._host = host
        self._port = port
        self._token = new_token()
        self._peers: set[Peer] = set()
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port clients connect to; known once entered."""
        return self._port

    @property
    def clients(self) -> tuple[str, ...]:
        """The names of the clients that are connected and let in."""
        return tuple(sorted(peer.name for peer in self._peers))

    async def __aenter__(self) -> ControlServer:
        self._group = await asyncio.TaskGroup().__aenter__()
        self._listener = await asyncio.start_server(self._greet, self._host, self._port)
        self._port = self._listener.sockets[0].getsockname()[1]
        self._endpoint = Endpoint(host=self._host, port=self._port, token=self._token, pid=os.getpid())
        write_endpoint(self._path, self._endpoint)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        remove_endpoint(self._path, self._endpoint)
        self._listener.close()
        for connection in self._connections:
            connection.cancel()
        # The group is told of a cancellation alone, so that the caller's own error leaves here unwrapped.
        is_cancel = isinstance(error, asyncio.CancelledError)
        await self._group.__aexit__(*((kind, error, trace) if is_cancel else (None, None, None)))

    def publish_changes(self, changes: ViewChanges) -> None:
        """Send changes to every client that follows views; encoded once, never waits."""
        followers = [peer for peer in self._peers if peer.follows_views]
        if followers:
            frame = encode_frame(changes)
            for peer in followers:
                peer.offer_changes(frame)

    def publish_market(self, columns: MarketColumns) -> bool:
        """Send market data to the recorder; ``False`` when it is absent or too slow and lost this."""
        recorders = [peer for peer in self._peers if peer.follows_market]
        if not recorders:
            return False
        frame = encode_frame(columns)
        taken = [peer.offer_market(frame) for peer in recorders]
        return all(taken)

    def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= PEERS_MAX:
            writer.transport.abort()
            return
        task = self._group.create_task(self._serve(reader, writer), name="control-peer")
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        splitter = FrameSplitter(HELLO_BYTES_MAX)
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                peer, rest = await self._let_in(reader, writer, splitter)
            await self._converse(peer, rest, reader, splitter)
        except FrameError as error:
            log.warning("control client dropped", reason=str(error))
        except (OSError, TimeoutError):
            pass  # a client may leave at any moment
        finally:
            writer.transport.abort()

    async def _let_in(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, splitter: FrameSplitter
    ) -> tuple[Peer, list[bytes]]:
        bodies: list[bytes] = []
        while not bodies:
            bodies = splitter.feed(await _read(reader))
        hello = decode_to_floor(bodies[0])
        if not isinstance(hello, Hello) or not hmac.compare_digest(hello.token.encode(), self._token.encode()):
            raise FrameError("no valid token in the first frame")
        splitter.limit_bytes = MAX_FRAME_BYTES
        peer = Peer(hello.name[:64], writer, self._snapshot_frame)
        peer.answer(self._welcome)
        return peer, bodies[1:]

    async def _converse(
        self, peer: Peer, bodies: list[bytes], reader: asyncio.StreamReader, splitter: FrameSplitter
    ) -> None:
        self._peers.add(peer)
        writing = self._group.create_task(_write(peer), name=f"control-write-{peer.name}")
        try:
            while True:
                for body in bodies:
                    self._take(peer, decode_to_floor(body))
                bodies = splitter.feed(await _read(reader))
        finally:
            self._peers.discard(peer)
            writing.cancel()

    def _take(self, peer: Peer, message: ToFloor) -> None:
        match message:
            case SubscribeViews():
                peer.follows_views = message.follow
                peer.ask_snapshot()
            case SubscribeMarket():
                peer.follows_market = True
            case RecorderReport():
                self._on_recorder_report(message)
            case BarsQuery():
                peer.answer(encode_frame(BarsAnswer(call_id=message.call_id, bars=self._on_bars(message))))
            case Call():
                self._start_call(peer, message)
            case Hello():
                raise FrameError("a second Hello")

    def _start_call(self, peer: Peer, call: Call) -> None:
        if peer.calls_running >= CALLS_MAX_PER_PEER:
            busy = Denied(f"{CALLS_MAX_PER_PEER} commands of this client are still running: wait for one to end")
            peer.answer(encode_frame(Answer(call_id=call.call_id, result=busy)))
            return
        peer.calls_running += 1
        self._group.create_task(self._answer(peer, call), name=f"control-call-{call.call_id}")

    async def _answer(self, peer: Peer, call: Call) -> None:
        # A task of its own: a command goes on to its end when its client leaves.
        result = await self._outcomes.of(call.command)
        peer.calls_running -= 1
        peer.answer(encode_frame(Answer(call_id=call.call_id, result=result)))

    def _snapshot_frame(self) -> bytes:
        return encode_frame(self._snapshot())


async def _read(reader: asyncio.StreamReader) -> bytes:
    data = await reader.read(READ_BYTES)
    if not data:
        raise ConnectionResetError
    return data


async def _write(peer: Peer) -> None:
    with contextlib.suppress(OSError):
        await peer.write_forever()
    peer.cut()
