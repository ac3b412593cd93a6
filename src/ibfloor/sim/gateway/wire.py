"""Frames of the TWS wire, without sockets: bytes in, messages out.

A frame is a big-endian ``u32`` length and that many bytes: text fields, each ended by NUL. Only
the four bytes that a client speaks first, ``API`` and NUL, stand outside a frame.
"""

from __future__ import annotations

import re
import struct

PREAMBLE = b"API\0"
MAX_FRAME_BYTES = 1024 * 1024
SERVER_VERSION_MAX = 200
"""The newest version whose messages are all text; from 201 on protobuf begins."""
SERVER_VERSION_MIN = 157

_VERSIONS = re.compile(rb"v(\d+)(?:\.\.(\d+))?(?: .*)?", re.DOTALL)


class WireError(Exception):
    """The peer does not speak this protocol: the connection is of no use any more."""


class FrameReader:
    """Cut a byte stream into frames; ``API`` and NUL must come before the first.

    Owner: one connection. ``feed`` raises ``WireError`` for a stream that is not the TWS wire.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._has_preamble = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take received bytes; return the payloads that are complete now."""
        self._buffer += data
        if not self._has_preamble and not self._take_preamble():
            return []
        frames = []
        offset = 0
        while len(self._buffer) - offset >= 4:
            (length,) = struct.unpack_from(">I", self._buffer, offset)
            if length > MAX_FRAME_BYTES:
                raise WireError(f"a frame of {length} bytes is longer than {MAX_FRAME_BYTES}")
            if len(self._buffer) - offset - 4 < length:
                break
            frames.append(bytes(self._buffer[offset + 4 : offset + 4 + length]))
            offset += 4 + length
        del self._buffer[:offset]
        return frames

    def _take_preamble(self) -> bool:
        head = bytes(self._buffer[:4])
        if head != PREAMBLE[: len(head)]:
            raise WireError(f"the first bytes are {head!r}, not {PREAMBLE!r}")
        if len(head) < len(PREAMBLE):
            return False
        del self._buffer[:4]
        self._has_preamble = True
        return True


def negotiate(payload: bytes) -> int:
    """Return the version both sides speak, from a client's ``v157..178 options``.

    Raises ``WireError`` when the text is none or the client is older than the server.
    """
    match = _VERSIONS.fullmatch(payload.rstrip(b"\0"))
    if match is None:
        raise WireError(f"{payload[:40]!r} is not a version range")
    version = min(int(match[2] or match[1]), SERVER_VERSION_MAX)
    if version < SERVER_VERSION_MIN:
        raise WireError(f"the client speaks up to {version}, this gateway from {SERVER_VERSION_MIN}")
    return version


def split_fields(payload: bytes) -> list[str]:
    """Return a payload's fields; bytes that are not UTF-8 are kept, escaped."""
    fields = payload.decode(errors="backslashreplace").split("\0")
    if fields[-1] == "":
        fields.pop()
    return fields


def frame(fields: list[str]) -> bytes:
    """Return the frame of a message's fields."""
    payload = ("\0".join(fields) + "\0").encode(errors="backslashreplace")
    return struct.pack(">I", len(payload)) + payload
