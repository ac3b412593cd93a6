"""Journal segments on disk: their names, their records, and how a torn one reads.

A segment is a 16-byte head (magic, random id) and records ``length u32 | crc32 u32 | msgpack``,
little-endian; the msgpack is ``[seq, fact]``. Segments are preallocated, so zeros follow the last
record of one that was not closed. A record cut short by a crash was never acknowledged: reading
stops there. Bad bytes with good records after them are corruption, and refused.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec

from ibfloor.model.errors import LedgerError
from ibfloor.model.fact import AnyFact

MAGIC = b"ibfjrnl1"
HEAD_BYTES = 16
RECORD_HEAD = struct.Struct("<II")
RECORD_BYTES_MAX = 1024 * 1024
_CHUNK_BYTES = 256 * 1024
_SUFFIX = ".journal"

_decode_entry = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw]).decode
_decode_fact = msgspec.msgpack.Decoder(AnyFact).decode
encode = msgspec.msgpack.Encoder().encode


class Record(NamedTuple):
    """One journaled fact; ``seq`` is 0 in a worker's journal. ``body`` is the fact's msgpack."""

    seq: int
    fact: AnyFact
    body: bytes
    end: int
    """The offset after the record."""


def decode_fact(body: bytes) -> AnyFact:
    """Return the fact of a body; raise ``LedgerError`` when no version of ours wrote it."""
    try:
        return _decode_fact(body)  # type: ignore[no-any-return] # a union is not a type to mypy here
    except msgspec.MsgspecError as error:
        raise LedgerError(f"the ledger holds a fact this version cannot read: {error}") from error


def segment_path(prefix: Path, number: int) -> Path:
    """Return the path of a journal's n-th segment."""
    return prefix.with_name(f"{prefix.name}.{number:08d}{_SUFFIX}")


def segments(prefix: Path) -> list[Path]:
    """Return a journal's segments, oldest first."""
    found = prefix.parent.glob(f"{prefix.name}.*{_SUFFIX}")
    return sorted((path for path in found if segment_number(path)), key=segment_number)


def segment_number(path: Path) -> int:
    """Return the number in a segment's name; 0 for any other file."""
    number = path.name.removesuffix(_SUFFIX).rpartition(".")[2]
    return int(number) if number.isdigit() else 0


class SegmentReader:
    """Records of one segment from an offset on; iterate once.

    ``is_live``: a writer may be at work, so the end is where whole records end, without judgement.
    After the iteration ``position`` is the offset after the last good record and ``torn_bytes`` the
    length of an unfinished record there. Raises ``LedgerError`` on corruption, with file and offset.
    """

    def __init__(self, path: Path, from_offset: int = 0, *, is_live: bool = False) -> None:
        self.path = path
        self.position = max(from_offset, HEAD_BYTES)
        self.torn_bytes = 0
        self._is_live = is_live

    def __iter__(self) -> Iterator[Record]:
        fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if _head(fd, self.path) is None:
                self.position = 0  # cut short while it was made: nothing was ever written to it
                return
            yield from self._records(fd)
            if not self._is_live:
                self._judge_end(fd)
        finally:
            os.close(fd)

    def _records(self, fd: int) -> Iterator[Record]:
        buffer, at = b"", 0
        while True:
            payload = self._payload(buffer, at)
            if payload is None:
                buffer, at = os.pread(fd, self._needed(buffer, at), self.position), 0
                payload = self._payload(buffer, at)
                if payload is None:
                    return
            at += RECORD_HEAD.size + len(payload)
            self.position += RECORD_HEAD.size + len(payload)
            yield self._record(payload)

    def _needed(self, buffer: bytes, at: int) -> int:
        if len(buffer) - at < RECORD_HEAD.size:
            return _CHUNK_BYTES
        length: int = RECORD_HEAD.unpack_from(buffer, at)[0]
        return max(_CHUNK_BYTES, RECORD_HEAD.size + min(length, RECORD_BYTES_MAX))

    def _payload(self, buffer: bytes, at: int) -> bytes | None:
        start = at + RECORD_HEAD.size
        if len(buffer) < start:
            return None
        length, crc = RECORD_HEAD.unpack_from(buffer, at)
        if not length or start + length > len(buffer):
            return None
        payload = buffer[start : start + length]
        return payload if crc32(payload) == crc else None

    def _record(self, payload: bytes) -> Record:
        try:
            seq, raw = _decode_entry(payload)
        except msgspec.MsgspecError as error:
            raise LedgerError(f"{self.path} before offset {self.position}: not a journal record: {error}") from error
        body = bytes(raw)
        return Record(seq, decode_fact(body), body, self.position)

    def _judge_end(self, fd: int) -> None:
        size = os.fstat(fd).st_size
        rest = os.pread(fd, size - self.position, self.position).rstrip(b"\0") if size > self.position else b""
        if not rest:
            return
        if len(rest) > RECORD_HEAD.size + RECORD_BYTES_MAX or any(
            self._payload(rest, at) for at in range(1, len(rest))
        ):
            raise LedgerError(
                f"{self.path} is corrupt at offset {self.position}: a bad record with good ones after it. "
                "Restore the file from a backup, or move the home away and start from the broker's books."
            )
        self.torn_bytes = len(rest)


def read_journal(path: Path, from_offset: int = 0, *, is_live: bool = False) -> SegmentReader:
    """Return the records of a segment from an offset on; see ``SegmentReader``."""
    return SegmentReader(path, from_offset, is_live=is_live)


def segment_id(path: Path) -> int:
    """Return the random number that tells a segment from another one of the same name; 0 without a head."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _head(fd, path) or 0
    finally:
        os.close(fd)


def _head(fd: int, path: Path) -> int | None:
    head = os.pread(fd, HEAD_BYTES, 0)
    if len(head) == HEAD_BYTES and head.startswith(MAGIC):
        return int.from_bytes(head[len(MAGIC) :], "little")
    if not head.rstrip(b"\0") or (len(head) < HEAD_BYTES and MAGIC.startswith(head[: len(MAGIC)])):
        return None
    raise LedgerError(f"{path} is not a journal segment of this version: it starts with {head[: len(MAGIC)]!r}")
