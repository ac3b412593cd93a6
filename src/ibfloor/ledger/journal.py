"""The append-only journal: on disk before anything leaves the floor."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from zlib import crc32

from ibfloor.crash_points import IS_ARMED, reach
from ibfloor.ledger.paths import FACTS
from ibfloor.ledger.segment import (
    HEAD_BYTES,
    MAGIC,
    RECORD_BYTES_MAX,
    RECORD_HEAD,
    encode,
    segment_number,
    segment_path,
    segments,
)
from ibfloor.model.errors import LedgerError
from ibfloor.model.fact import AnyFact

Durability = Literal["process", "power"]
"""``process`` survives a killed process, ``power`` also the loss of power (one fdatasync per append)."""

_NO_PREALLOCATION = {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}


class JournalWriter:
    """Append facts to segment files: one ``os.pwrite`` each, done when ``append`` returns.

    Owner: one thread (a strategy's worker, or the MessageQueue's). Every writer starts a segment of
    its own, so a torn one is never written again.
    """

    def __init__(
        self, path_prefix: Path, durability: Durability = "process", *, segment_bytes: int = 4 * 1024 * 1024
    ) -> None:
        self._prefix = path_prefix
        self._is_power_safe = durability == "power"
        self._segment_bytes = segment_bytes
        self._path = path_prefix
        self._place = "facts" if path_prefix.name == FACTS else "worker"
        self._fd = -1
        self._end = 0

    @property
    def path(self) -> Path:
        """Return the segment written now."""
        return self._path

    def open(self) -> None:
        """Start a new segment; raises ``LedgerError`` when the disk does not take it."""
        try:
            self._open_segment()
        except OSError as error:
            raise LedgerError(f"cannot start a journal segment {self._path}: {error.strerror}") from error

    def append(self, fact: AnyFact, seq: int = 0) -> None:
        """Put a fact on disk; ``seq`` 0 in a worker's journal.

        Raises ``LedgerError`` when it is not there for certain: what it stands for must not be sent.
        """
        payload = encode((seq, fact))
        if len(payload) > RECORD_BYTES_MAX:
            raise LedgerError(f"a fact of {len(payload)} bytes is no fact: {RECORD_BYTES_MAX} is the limit")
        record = RECORD_HEAD.pack(len(payload), crc32(payload)) + payload
        if self._fd < 0 or self._end + len(record) > self._segment_bytes:
            self._roll()
        place = f"{self._place}.{type(fact).__name__}" if IS_ARMED else ""
        if IS_ARMED:
            half = record[: len(record) // 2]
            reach(f"{place}.before_write")
            reach(f"{place}.torn_write", lambda: os.pwrite(self._fd, half, self._end))
        try:
            written = os.pwrite(self._fd, record, self._end)
            if written == len(record) and self._is_power_safe:
                os.fdatasync(self._fd)
        except OSError as error:
            raise self._failed(error.strerror or str(error)) from error
        if written != len(record):
            raise self._failed(f"only {written} of {len(record)} bytes were written")
        self._end += written
        if IS_ARMED:
            reach(f"{place}.after_write")

    def close(self) -> None:
        """Cut the segment to its records and close it."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        with contextlib.suppress(OSError):  # the zeros behind the records do no harm
            os.ftruncate(fd, self._end)
        os.close(fd)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _roll(self) -> None:
        self.close()
        self.open()

    def _open_segment(self) -> None:
        existing = segments(self._prefix)
        self._path = segment_path(self._prefix, segment_number(existing[-1]) + 1 if existing else 1)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if IS_ARMED:
                reach(f"{self._place}.segment.created")
            _preallocate(fd, self._segment_bytes)
            head = MAGIC + os.urandom(HEAD_BYTES - len(MAGIC))
            if os.pwrite(fd, head, 0) != HEAD_BYTES:
                raise OSError(errno.ENOSPC, "the segment's head was not written whole")
            if self._is_power_safe:
                os.fsync(fd)
                sync_folder(self._path.parent)
            if IS_ARMED:
                reach(f"{self._place}.segment.begun")
        except OSError:
            os.close(fd)
            self._path.unlink(missing_ok=True)
            raise
        self._fd, self._end = fd, HEAD_BYTES

    def _failed(self, why: str) -> LedgerError:
        failed = self._path
        self.close()  # cuts what was written of the record
        with contextlib.suppress(LedgerError):  # the next append tries again
            self.open()
        return LedgerError(f"the journal {failed} did not take a record: {why}. Nothing was sent; is the disk full?")


def _preallocate(fd: int, size: int) -> None:
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        if error.errno not in _NO_PREALLOCATION:
            raise


def sync_folder(folder: Path) -> None:
    """Put a folder's names on disk; raises ``OSError``."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
