"""ib_async's client with our own socket loop: frequent messages are split in place, the rest is decoded.

The library does the handshake and encodes requests. From ``_apiReady`` on, frames are walked by
offset; ids in ``lean`` go to the session's handlers as byte fields, all others to the decoder.
The private names used here are held by ``tests/contract/broker/test_private_names.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, MutableMapping
from socket import SHUT_RDWR
from struct import Struct
from typing import Any, Protocol

from ib_async.client import Client
from ib_async.connection import Connection

from ibfloor.broker.ib.decoder import LoudDecoder
from ibfloor.broker.ib.pacing import MessageBudget, Outbox, Urgency
from ibfloor.broker.ib.wrapper import IbWrapper
from ibfloor.model.errors import ConfigError, ConnectivityError, FloorError

LeanHandler = Callable[[list[bytes]], None]
MAX_FRAME_BYTES = 16 * 1024 * 1024
MAX_HANDSHAKE_FRAME_BYTES = 1 * 1024 * 1024
_LENGTH = Struct(">I")
# The heartbeat (49) must not wait behind orders: it would mistake our own pacing for a mute peer.
_URGENCIES = {"3": Urgency.ORDER, "4": Urgency.CANCEL, "58": Urgency.CANCEL, "49": Urgency.CANCEL}


class NotIbGateway(ConfigError):
    """Something listens, but it does not speak IB's API."""


class ClientIdTaken(ConfigError):
    """Another connection uses our client id (326)."""


class HandshakeClosed(ConnectivityError):
    """The peer closed before the API was ready."""


def _framed(body: bytes) -> bytes:
    return _LENGTH.pack(len(body)) + body


class ClientHooks(Protocol):
    """What a client tells its session, on the session's thread."""

    lean: Mapping[bytes, LeanHandler]

    def packet_started(self) -> None:
        """Take note that a packet came, before its first message."""

    def packet_done(self) -> None:
        """Take note that all messages of a packet were handled."""

    def message_failed(self, error: Exception, message: str) -> None:
        """Take note that a message could not be handled: a fact may be lost."""

    def frames_unsent(self, unsent: list[tuple[Urgency, int]]) -> None:
        """Take back frames that waited for the budget when the connection went."""

    def bars_order(self, order_id: int) -> str:
        """Say why an order that waited for the budget must not leave any more; empty when it may."""

    def order_barred(self, order_id: int, why: str) -> None:
        """Take back an order that waited for the budget and was barred."""


class _Connection(Connection):
    """The library's connection, without an event object between socket and client."""

    def __init__(self, client: LeanClient) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._client = client

    def data_received(self, data: bytes) -> None:
        self._client._onSocketHasData(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._client._onSocketDisconnected(str(exc) if exc else "the peer closed the connection")


class _NamedLog(logging.LoggerAdapter[logging.Logger]):
    """The library's log, with the name of the session that each line is about."""

    def __init__(self, logger: logging.Logger, name: str) -> None:
        super().__init__(logger)
        self._name = name

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        return f"{self._name}: {msg}", kwargs


class LeanClient(Client):
    """One connection, from connect to loss; a reconnect makes a new one. Owner: the session's thread."""

    MaxRequests = 0  # the library's own throttle sends cancels last and forgets its queue on a drop

    def __init__(self, wrapper: IbWrapper, hooks: ClientHooks, budget: MessageBudget, name: str = "") -> None:
        super().__init__(wrapper)  # type: ignore[no-untyped-call]
        if name:
            self._logger: Any = _NamedLog(self._logger, name)
        self.conn: Any = _Connection(self)
        self.decoder: LoudDecoder = LoudDecoder(wrapper, hooks.message_failed)
        self.packets = 0
        self.messages_in = 0
        """How often whole messages came; bytes that end none are no sign of life."""
        self._hooks = hooks
        self._lean = hooks.lean
        self._budget = budget
        self._who = name
        self._outbox = Outbox()
        self._flush_timer: asyncio.TimerHandle | None = None
        self._refusal: FloorError | None = None
        self._is_severed = False
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[str] = loop.create_future()
        """Done, with the reason, when the connection has gone."""

    async def start(self, host: str, port: int, client_id: int, timeout_s: float) -> None:
        """Connect and shake hands.

        Raises ``ConnectivityError`` where nothing listens, ``HandshakeClosed``, ``NotIbGateway``
        or ``ClientIdTaken`` where something else than our API session comes of it.
        """
        self.host, self.port, self.clientId = host, port, client_id
        self.connState = Client.CONNECTING
        try:
            async with asyncio.timeout(timeout_s):
                await self.conn.connectAsync(host, port)
        except (OSError, TimeoutError) as error:
            raise ConnectivityError(
                f"nothing answers at {host}:{port} ({error or 'timeout'}): start TWS or IB Gateway, "
                "enable its API socket, or correct host and port"
            ) from error
        self.conn.sendMsg(b"API\0" + _framed(b"v%d..%d" % (self.MinClientVersion, self.MaxClientVersion)))
        ends: set[asyncio.Future[Any]] = {self._ready, self.lost}
        await asyncio.wait(ends, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if self._ready.done():
            return
        failure = self._refusal or self._handshake_error(timeout_s)
        await self.hang_up()
        raise failure

    async def hang_up(self) -> None:
        """Close and wait until the socket is gone."""
        if self.conn.transport is None:
            return
        self.conn.disconnect()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await asyncio.shield(self.lost)
        self.abort("closed")

    def abort(self, reason: str) -> None:
        """Drop the connection at once, with what is still in its buffers."""
        if (transport := self.conn.transport) is not None:
            self.conn.transport = None
            transport.abort()
        self._onSocketDisconnected(reason)

    def sever(self) -> None:
        """Cut the socket from another thread: nothing leaves any more, and the peer lets go of the client id."""
        self._is_severed = True
        transport = self.conn.transport
        if transport is not None and (sock := transport.get_extra_info("socket")) is not None:
            with contextlib.suppress(OSError):  # closed already
                sock.shutdown(SHUT_RDWR)

    def refuse(self, error: FloorError) -> None:
        """Give up this connection for a reason the peer told."""
        self._refusal = error
        self.abort(str(error))

    @property
    def refusal(self) -> FloorError | None:
        """Return why the peer would not have us, if it said so."""
        return self._refusal

    @property
    def is_live(self) -> bool:
        """Tell whether bytes can be written."""
        transport = self.conn.transport
        return self._apiReady and transport is not None and not transport.is_closing() and not self._is_severed

    def write(self, frame: bytes, urgency: Urgency, order_id: int = 0) -> None:
        """Write a frame, now or when the budget allows, cancels first.

        Raises ``ConnectivityError`` when nothing was written and nothing will be.
        """
        transport = self.conn.transport
        if transport is None or transport.is_closing() or self._is_severed:
            raise ConnectivityError("nothing was sent: the connection to the broker is down")
        if self._flush_timer is not None and self._outbox and self._outbox.head() <= urgency:
            self._outbox.push(urgency, frame, order_id)
        elif wait_s := self._budget.take(urgency, self._who):
            self._outbox.push(urgency, frame, order_id)
            self._flush_in(wait_s)
        else:
            transport.write(frame)

    def withdraw_order(self, order_id: int) -> bool:
        """Take back an order or a change that still waits for the budget; ``False`` when none does."""
        return self._outbox.withdraw(Urgency.ORDER, order_id)

    def withdraw_orders(self) -> list[int]:
        """Take back every order and change that still waits for the budget; cancels stay."""
        return self._outbox.withdraw_all(Urgency.ORDER)

    def sendMsg(self, msg: str) -> None:  # noqa: N802
        """Send what the library encoded, under our own pacing."""
        self.write(_framed(msg.encode()), _URGENCIES.get(msg.partition("\0")[0], Urgency.REQUEST))

    def _flush_in(self, wait_s: float) -> None:
        loop = asyncio.get_running_loop()
        if self._flush_timer is not None:
            if self._flush_timer.when() <= loop.time() + wait_s:
                return
            self._flush_timer.cancel()  # what came now may go sooner than what waited
        self._flush_timer = loop.call_later(wait_s, self._flush)

    def _flush(self) -> None:
        self._flush_timer = None
        transport = self.conn.transport
        if transport is None or transport.is_closing() or self._is_severed:
            return  # the loss is on its way, and tells what was not sent
        while self._outbox:
            urgency, order_id = self._outbox.head(), self._outbox.head_order_id()
            if urgency is Urgency.ORDER and (why := self._hooks.bars_order(order_id)):
                self._outbox.pop()
                self._hooks.order_barred(order_id, why)
                continue
            if wait_s := self._budget.take(urgency, self._who):
                self._flush_in(wait_s)
                return
            transport.write(self._outbox.pop())

    def _onSocketHasData(self, data: bytes) -> None:  # noqa: N802
        self.packets += 1
        if not self._apiReady:
            self._shake_hands(data)
            return
        if self._data:
            data, self._data = self._data + data, b""
        hooks, lean, unpack = self._hooks, self._lean, _LENGTH.unpack_from
        hooks.packet_started()
        start, size = 0, len(data)
        while size - start >= 4:
            end = start + 4 + unpack(data, start)[0]
            if end > size:
                if end - start > MAX_FRAME_BYTES:
                    self.abort(f"a frame of {end - start} bytes was announced: the stream is out of step")
                    return
                break
            fields = data[start + 4 : end].split(b"\0")
            handler = lean.get(fields[0])
            if handler is None:
                self._decode(data[start + 4 : end])
            else:
                try:
                    handler(fields)
                except Exception as error:  # noqa: BLE001 - a lost message is reported, as in LoudDecoder
                    hooks.message_failed(error, b",".join(fields)[:300].decode(errors="backslashreplace"))
            start = end
        self.messages_in += start > 0
        if start < size:
            self._data = data[start:]
        hooks.packet_done()

    def _decode(self, payload: bytes) -> None:
        fields = payload.decode(errors="backslashreplace").split("\0")
        fields.pop()
        self.decoder.interpret(fields)

    def _shake_hands(self, data: bytes) -> None:
        head = (self._data + data)[:4]
        if len(head) == 4 and _LENGTH.unpack(head)[0] > MAX_HANDSHAKE_FRAME_BYTES:
            self._fail_handshake((self._data + data)[:40])
            return
        self._hooks.packet_started()
        try:
            super()._onSocketHasData(data)  # type: ignore[no-untyped-call]
        except (ValueError, IndexError):
            self._fail_handshake(data[:40])
            return
        self._hooks.packet_done()
        if self._apiReady and not self._ready.done():
            self._ready.set_result(None)

    def _fail_handshake(self, seen: bytes) -> None:
        self.refuse(
            NotIbGateway(
                f"what listens at {self.host}:{self.port} is not TWS or IB Gateway (it said {seen!r}): "
                "correct host and port (TWS 7496/7497, IB Gateway 4001/4002)"
            )
        )

    def _handshake_error(self, timeout_s: float) -> FloorError:
        place = f"{self.host}:{self.port}"
        if self.lost.done():
            return HandshakeClosed(
                f"{place} closed the connection before the API was ready: is it TWS or IB Gateway with its API "
                "enabled, and is this machine among its trusted addresses?"
            )
        if self.packets:
            return HandshakeClosed(f"{place} did not finish the API handshake within {timeout_s:g} s")
        return NotIbGateway(
            f"{place} takes connections but said nothing for {timeout_s:g} s: it is not TWS or IB Gateway, or it "
            "waits for a login or for 'accept incoming connection'; look at it, or correct the port"
        )

    def _onSocketDisconnected(self, msg: str) -> None:  # noqa: N802
        if self.lost.done():
            return
        self.reset()  # type: ignore[no-untyped-call]
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        self._budget.leave(self._who)
        self.lost.set_result(msg)
        if unsent := self._outbox.drain():
            self._hooks.frames_unsent(unsent)
