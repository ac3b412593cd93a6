"""The other processes' side of the control socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Generic, TypeVar

from ibfloor.control.endpoint import endpoint_path, is_alive, no_floor, read_endpoint
from ibfloor.control.framing import FrameError, FrameSplitter, decode_from_floor, encode_frame
from ibfloor.control.protocol import (
    Answer,
    BarsAnswer,
    BarsQuery,
    Call,
    FromFloor,
    Hello,
    MarketColumns,
    Message,
    RecorderReport,
    SubscribeMarket,
    SubscribeViews,
    ViewChanges,
    ViewSnapshot,
    Welcome,
)
from ibfloor.model.command import AnyCommand, CommandResult, ConfirmBooking, PreviewBooking
from ibfloor.model.errors import ConnectivityError

READ_BYTES = 256 * 1024
QUEUE_FRAMES_MAX = 256
LOST = "the floor closed the control connection: it has stopped, or was restarted"
UNCLEAR = "; what was asked may have happened, or not"
UNCLEAR_BOOKING = "; look at `ibfloor book entries` whether it was booked"

T = TypeVar("T")
ViewMessage = ViewSnapshot | ViewChanges


class _Inbox(Generic[T]):
    def __init__(self) -> None:
        self._queue: asyncio.Queue[T | None] = asyncio.Queue(QUEUE_FRAMES_MAX)
        self._is_closed = False

    async def put(self, message: T) -> None:
        await self._queue.put(message)

    def close(self) -> None:
        self._is_closed = True
        with contextlib.suppress(asyncio.QueueFull):  # who drains a full queue sees _is_closed at its end
            self._queue.put_nowait(None)

    async def drain(self) -> AsyncIterator[T]:
        while not (self._is_closed and self._queue.empty()):
            message = await self._queue.get()
            if message is None:
                break
            yield message
        raise ConnectivityError(LOST)


class ControlClient:
    """A connection to a running floor. Owner: the loop that entered ``connect``.

    Who subscribes must keep iterating: a full queue stops the reading of answers too.
    """

    def __init__(self, welcome: Welcome, writer: asyncio.StreamWriter) -> None:
        self.welcome = welcome
        self._writer = writer
        self._next_id = 1
        self._waiting: dict[int, asyncio.Future[Answer | BarsAnswer]] = {}
        self._views = _Inbox[ViewMessage]()
        self._market = _Inbox[MarketColumns]()
        self._is_lost = False

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, home: Path, *, name: str, timeout_s: float = 5.0) -> AsyncIterator[ControlClient]:
        """Connect to the floor of a home folder; raise ``ConnectivityError`` when none answers."""
        reader, writer, splitter, welcome, rest = await _open(endpoint_path(home), name, timeout_s)
        client = cls(welcome, writer)
        # No TaskGroup: it would wrap the caller's own errors in groups.
        reading = asyncio.create_task(client._read(reader, splitter, rest), name="control-client-read")
        try:
            yield client
        finally:
            reading.cancel()
            await asyncio.wait([reading])
            writer.transport.abort()

    async def call(self, command: AnyCommand, *, timeout_s: float = 30.0) -> CommandResult:
        """Give a command and return its outcome; raise ``ConnectivityError`` when no answer comes in time."""
        call_id = self._take_id()
        answer = await self._ask(call_id, Call(call_id=call_id, command=command), timeout_s, _unclear(command))
        if not isinstance(answer, Answer):
            raise ConnectivityError("the floor answered a command with bars: the versions differ")
        return answer.result

    async def bars(
        self, instrument_id: int, bar_ns: int, *, limit: int = 500, timeout_s: float = 10.0
    ) -> list[list[float | int | bool]]:
        """Return recent bars, oldest first, each the fields of ``BarView``."""
        call_id = self._take_id()
        query = BarsQuery(call_id=call_id, instrument_id=instrument_id, bar_ns=bar_ns, limit=limit)
        answer = await self._ask(call_id, query, timeout_s)
        if not isinstance(answer, BarsAnswer):
            raise ConnectivityError("the floor answered a question for bars with a command's outcome")
        return answer.bars

    async def views(self, *, follow: bool = True) -> AsyncIterator[ViewMessage]:
        """Yield a snapshot, then changes for ever; raise ``ConnectivityError`` when the floor is gone."""
        self._send(SubscribeViews(follow=follow))
        async for message in self._views.drain():
            yield message

    async def market(self) -> AsyncIterator[MarketColumns]:
        """Yield every tick and closed bar; raise ``ConnectivityError`` when the floor is gone."""
        self._send(SubscribeMarket())
        async for message in self._market.drain():
            yield message

    async def report(self, report: RecorderReport) -> None:
        """Tell the floor how far the recorder is."""
        self._send(report)
        with contextlib.suppress(OSError):
            await self._writer.drain()

    async def _ask(self, call_id: int, message: Message, timeout_s: float, unclear: str = "") -> Answer | BarsAnswer:
        waiting: asyncio.Future[Answer | BarsAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[call_id] = waiting
        try:
            self._send(message)
            try:
                async with asyncio.timeout(timeout_s):
                    return await waiting
            except TimeoutError:
                raise ConnectivityError(f"the floor did not answer within {timeout_s:g} s{unclear}") from None
            except ConnectivityError as error:
                raise ConnectivityError(f"{error}{unclear}") from None
        finally:
            self._waiting.pop(call_id, None)

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _send(self, message: Message) -> None:
        if self._is_lost:
            raise ConnectivityError(LOST)
        self._writer.write(encode_frame(message))

    async def _read(self, reader: asyncio.StreamReader, splitter: FrameSplitter, bodies: list[bytes]) -> None:
        try:
            while True:
                for body in bodies:
                    await self._take(decode_from_floor(body))
                data = await reader.read(READ_BYTES)
                if not data:
                    break
                bodies = splitter.feed(data)
        except (OSError, FrameError):
            pass
        finally:
            self._lose()

    async def _take(self, message: FromFloor) -> None:
        match message:
            case Answer() | BarsAnswer():
                waiting = self._waiting.pop(message.call_id, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
            case ViewSnapshot() | ViewChanges():
                await self._views.put(message)
            case MarketColumns():
                await self._market.put(message)
            case Welcome():
                raise FrameError("a second Welcome")

    def _lose(self) -> None:
        self._is_lost = True
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectivityError(LOST))
        self._views.close()
        self._market.close()


def _unclear(command: AnyCommand) -> str:
    match command:
        case ConfirmBooking():
            return UNCLEAR_BOOKING
        case PreviewBooking():
            return ""  # it changes nothing
        case _:
            return UNCLEAR


Opened = tuple[asyncio.StreamReader, asyncio.StreamWriter, FrameSplitter, Welcome, list[bytes]]


async def _open(path: Path, name: str, timeout_s: float) -> Opened:
    endpoint = read_endpoint(path)
    where = f"{endpoint.host}:{endpoint.port}"
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
            try:
                writer.write(encode_frame(Hello(token=endpoint.token, name=name)))
                return reader, writer, *await _welcomed(reader, path)
            except BaseException:
                writer.transport.abort()
                raise
    except TimeoutError:
        if is_alive(endpoint.pid):
            raise ConnectivityError(
                f"the floor (process {endpoint.pid}) runs but does not answer within {timeout_s:g} s ({where})"
            ) from None
        raise ConnectivityError(no_floor(path, f"{where} did not answer within {timeout_s:g} s")) from None
    except OSError as error:
        reason = f"nothing listens on {where}" if isinstance(error, ConnectionRefusedError) else str(error)
        raise ConnectivityError(no_floor(path, f"{reason}, the control file is a leftover")) from error
    except FrameError as error:
        raise ConnectivityError(no_floor(path, f"something else listens on {where} ({error})")) from error


async def _welcomed(reader: asyncio.StreamReader, path: Path) -> tuple[FrameSplitter, Welcome, list[bytes]]:
    splitter = FrameSplitter()
    bodies: list[bytes] = []
    while not bodies:
        data = await reader.read(READ_BYTES)
        if not data:
            raise ConnectivityError(f"the floor refused the token in {path}: it was replaced, try again")
        bodies = splitter.feed(data)
    welcome = decode_from_floor(bodies[0])
    if not isinstance(welcome, Welcome):
        raise FrameError("the first frame is no Welcome")
    return splitter, welcome, bodies[1:]
