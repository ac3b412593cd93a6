"""One client's connection: handshake, version, client id; bytes in, frames out, no socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ibfloor.sim.gateway.clock import wire_time
from ibfloor.sim.gateway.codec import responses as tell
from ibfloor.sim.gateway.codec.kinds import Scalar, Values
from ibfloor.sim.gateway.codec.requests import REQUESTS, START_API
from ibfloor.sim.gateway.codec.table import DecodeError, Table
from ibfloor.sim.gateway.wire import FrameReader, WireError, frame, negotiate, split_fields

NO_REQUEST = -1
_ID_IN_USE = (326, "Unable to connect as the client id is already in use. Retry with a unique client id.")


class FrontDesk(Protocol):
    """What a session needs of the gateway it belongs to."""

    def now_ns(self) -> int:
        """Return market time now."""

    def join(self, session: Session, client_id: int) -> bool:
        """Take a session in under a client id; ``False`` when the id is in use."""

    def serve(self, session: Session, request: Table, values: Values) -> None:
        """Answer a request."""

    def is_dirty(self, session: Session) -> None:
        """Learn that a session has something to write."""

    def outgoing(self, session: Session, message: Table, values: Values) -> None:
        """Deliver a message to a session, unless a fault says otherwise."""

    def sent(self, session: Session, message: Table, values: Values) -> None:
        """Learn what a session was told."""


class Session:
    """The server's end of one connection. Owner: the gateway's one thread.

    ``write``, ``close`` and ``abort`` reach the socket; the first two are called from ``flush`` alone.
    """

    def __init__(
        self,
        front: FrontDesk,
        write: Callable[[bytes], None],
        close: Callable[[], None],
        abort: Callable[[], None] | None = None,
    ) -> None:
        self.client_id: int | None = None
        self.version = 0
        self.is_closing = False
        self._front = front
        self._write = write
        self._close = close
        self._abort = close if abort is None else abort
        self._frames = FrameReader()
        self._outbox: list[bytes] = []
        self._stalled: list[bytes] | None = None
        self._unheard: list[bytes] | None = None
        self.bytes_left: int | None = None
        """Reset the connection when so many more bytes were written."""

    def receive(self, data: bytes) -> None:
        """Take bytes from the socket and answer every complete message in them."""
        if self.is_closing:
            return
        if self._unheard is not None:
            self._unheard.append(data)
            return
        try:
            for payload in self._frames.feed(data):
                if self.version:
                    self._take(split_fields(payload))
                else:
                    self._greet(payload)
        except WireError as error:
            if self.version:
                self.fail(NO_REQUEST, 507, f"Bad Message Length ({error})")
            self.close()

    def send(self, message: Table, **values: Scalar | list[Values]) -> None:
        """Queue a message; it leaves with the next ``flush``."""
        self.send_values(message, values)

    def send_values(self, message: Table, values: Values) -> None:
        """Queue a message given as a mapping."""
        if not self.is_closing:
            self._front.outgoing(self, message, values)

    def deliver(self, message: Table, values: Values) -> None:
        """Queue a message past all faults."""
        self.queue(message.layout(self.version).encode(values))
        self._front.sent(self, message, values)

    def fail(self, req_id: int, code: int, text: str, reject_json: str = "") -> None:
        """Queue an error or a notice."""
        time_ms = self._front.now_ns() // 1_000_000
        self.send(tell.ERROR, req_id=req_id, code=code, text=text, reject_json=reject_json, time_ms=time_ms)

    def flush(self) -> None:
        """Write what is queued, in one piece; close when that was the last."""
        if self._outbox:
            data, self._outbox = b"".join(self._outbox), []
            if self.bytes_left is not None:
                whole, data = len(data), data[: self.bytes_left]
                self.bytes_left -= len(data)
            self._write(data)
            if self.bytes_left is not None and len(data) < whole:
                self.reset()
                return
        if self.is_closing:
            self._close()

    def close(self) -> None:
        """End the connection after what is queued."""
        self.is_closing = True
        self._front.is_dirty(self)

    def reset(self) -> None:
        """End the connection on the spot, whatever is queued."""
        self.is_closing = True
        self._outbox.clear()
        self._abort()

    def queue(self, data: bytes) -> None:
        """Queue bytes as they are."""
        if self._stalled is not None:
            self._stalled.append(data)
            return
        if not self._outbox:
            self._front.is_dirty(self)
        self._outbox.append(data)

    def stall(self) -> None:
        """Keep back everything queued from now on."""
        self._stalled = [] if self._stalled is None else self._stalled

    def resume(self) -> None:
        """Queue what was kept back."""
        kept, self._stalled = self._stalled or [], None
        for data in kept:
            self.queue(data)

    def plug(self) -> None:
        """Listen to nothing from now on; what comes is kept."""
        self._unheard = [] if self._unheard is None else self._unheard

    def unplug(self) -> None:
        """Take what came meanwhile, and listen again."""
        kept, self._unheard = self._unheard or [], None
        for data in kept:
            self.receive(data)

    def _greet(self, payload: bytes) -> None:
        self.version = negotiate(payload)
        self.queue(frame([str(self.version), wire_time(self._front.now_ns())]))

    def _take(self, fields: list[str]) -> None:
        head = fields[0] if fields else ""
        message_id = int(head) if head.isascii() and head.isdigit() and len(head) < 6 else -1
        table = REQUESTS.get(message_id)
        if table is None:
            self.fail(NO_REQUEST, 320, f"Error reading request. Message {head[:20]!r} is not known.")
            return
        try:
            values, _ = table.layout(self.version).decode(fields)
        except DecodeError as error:
            req_id = error.values.get("req_id") or error.values.get("order_id")
            self.fail(req_id if isinstance(req_id, int) else NO_REQUEST, 320, f"Error reading request. {error}")
            return
        if table is START_API:
            self._start(values)
        elif self.client_id is None:
            self.fail(NO_REQUEST, 320, "Error reading request. The first message must be startApi")
        else:
            self._front.serve(self, table, values)

    def _start(self, values: Values) -> None:
        client_id = values.get("client_id")
        if self.client_id is not None:
            self.fail(NO_REQUEST, 321, "Error validating request.-'bT' : cause - The API is started already.")
        elif not isinstance(client_id, int) or client_id < 0:
            self.fail(NO_REQUEST, 321, "Error validating request.-'bT' : cause - The client id is invalid.")
            self.close()
        elif not self._front.join(self, client_id):
            self.fail(
                NO_REQUEST, 326, "Unable to connect as the client id is already in use. Retry with a unique client id."
            )
            self.close()
