"""Frames of the control socket: a ``u32`` length and a msgpack body. No sockets here."""

from __future__ import annotations

import struct

import msgspec

from ibfloor.control.protocol import MAX_FRAME_BYTES, FromFloor, Message, ToFloor

_LENGTH = struct.Struct(">I")
_encoder = msgspec.msgpack.Encoder()
_to_floor: msgspec.msgpack.Decoder[ToFloor] = msgspec.msgpack.Decoder(ToFloor)
_from_floor: msgspec.msgpack.Decoder[FromFloor] = msgspec.msgpack.Decoder(FromFloor)


class FrameError(Exception):
    """The peer does not speak the protocol: the connection must end."""


class FrameSplitter:
    """Cut a byte stream into frame bodies; ``limit_bytes`` bounds what one frame may make us hold."""

    def __init__(self, limit_bytes: int = MAX_FRAME_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes, return the bodies they complete; raise ``FrameError`` on an oversized frame."""
        self._buffer += data
        bodies = []
        start = 0
        while len(self._buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, start)
            if length > self.limit_bytes:
                raise FrameError(f"a frame of {length} bytes; at most {self.limit_bytes} are taken")
            end = start + _LENGTH.size + length
            if end > len(self._buffer):
                break
            bodies.append(bytes(self._buffer[start + _LENGTH.size : end]))
            start = end
        del self._buffer[:start]
        return bodies


def encode_frame(message: Message) -> bytes:
    """Return a message as the bytes that go on the wire."""
    body = _encoder.encode(message)
    if len(body) > MAX_FRAME_BYTES:
        raise FrameError(f"{type(message).__name__} is {len(body)} bytes; at most {MAX_FRAME_BYTES} fit a frame")
    return _LENGTH.pack(len(body)) + body


def decode_to_floor(body: bytes) -> ToFloor:
    """Return what a client said; raise ``FrameError`` when it is not of the protocol."""
    try:
        return _to_floor.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise FrameError(str(error)) from error


def decode_from_floor(body: bytes) -> FromFloor:
    """Return what the floor said; raise ``FrameError`` when it is not of the protocol."""
    try:
        return _from_floor.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise FrameError(str(error)) from error
