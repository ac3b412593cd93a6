"""Ask a port whether an IB gateway is behind it: the handshake alone, by a bare socket.

It does not go through ``broker.ib`` on purpose: a doctor that needs the patient's legs sees little.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import msgspec

from ibfloor.model.errors import ConnectivityError
from ibfloor.model.moment import NS_PER_S

PROBE_CLIENT_ID = 999_999
VERSIONS = b"v157..178"
_START_API, _REQ_CURRENT_TIME = 71, 49
_ERROR, _MANAGED_ACCOUNTS, _CURRENT_TIME = "4", "15", "49"
FRAME_BYTES_MAX = 1_000_000


class NotIb(ConnectivityError):
    """Something answers on the port, but it does not speak the TWS protocol."""


class GatewayReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway said of itself. ``time_ns`` is its clock, in whole seconds."""

    server_version: int
    accounts: tuple[str, ...]
    time_ns: int
    is_simulated_clock: bool


def probe_gateway(host: str, port: int, *, timeout_s: float = 5.0) -> GatewayReport:
    """Connect, shake hands, ask for accounts and time, and leave.

    Raises ``ConnectivityError`` when nothing listens or answers, ``NotIb`` when it is something else.
    """
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as peer:
            return _ask(peer, f"{host}:{port}")
    except TimeoutError:
        raise ConnectivityError(f"{host}:{port} took the connection but said nothing for {timeout_s:g} s") from None
    except OSError as error:
        raise ConnectivityError(f"{host}:{port} cannot be reached: {error.strerror or error}") from None


def _ask(peer: socket.socket, where: str) -> GatewayReport:
    peer.sendall(b"API\0" + struct.pack(">I", len(VERSIONS)) + VERSIONS)
    frames = _frames(peer, where)
    greeting = next(frames)
    if len(greeting) < 2 or not greeting[0].isdigit():
        raise NotIb(f"{where} answers, but not as an IB gateway does")
    peer.sendall(_message(_START_API, 2, PROBE_CLIENT_ID, "") + _message(_REQ_CURRENT_TIME, 1))
    accounts: tuple[str, ...] | None = None
    time_ns, is_simulated = 0, False
    for fields in frames:
        match fields:
            case [kind, _, names, *_] if kind == _MANAGED_ACCOUNTS:
                accounts = tuple(name for name in names.split(",") if name)
            case [kind, _, seconds, *_] if kind == _CURRENT_TIME:
                time_ns = int(seconds) * NS_PER_S
            case [kind, *rest] if kind == _ERROR:
                is_simulated = is_simulated or "2199" in rest
        if accounts is not None and time_ns:
            break
    return GatewayReport(
        server_version=int(greeting[0]), accounts=accounts or (), time_ns=time_ns, is_simulated_clock=is_simulated
    )


def _message(*fields: object) -> bytes:
    body = b"".join(str(field).encode() + b"\0" for field in fields)
    return struct.pack(">I", len(body)) + body


def _frames(peer: socket.socket, where: str) -> Iterator[list[str]]:
    while True:
        (length,) = struct.unpack(">I", _exactly(peer, 4, where))
        if length > FRAME_BYTES_MAX:
            raise NotIb(f"{where} answers, but not as an IB gateway does")
        yield _exactly(peer, length, where).decode(errors="replace").rstrip("\0").split("\0")


def _exactly(peer: socket.socket, count: int, where: str) -> bytes:
    data = b""
    while len(data) < count:
        chunk = peer.recv(count - len(data))
        if not chunk:
            raise NotIb(
                f"{where} closed the connection during the handshake: it is not an IB gateway, or it refuses us"
            )
        data += chunk
    return data
