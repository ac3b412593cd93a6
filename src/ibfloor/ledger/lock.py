"""One floor per home: a file the running floor holds locked; the lock dies with its process."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from ibfloor.model.errors import ConfigError

_TRIES, _BETWEEN_TRIES_S = 5, 0.02  # whoever asks ``running_pid`` holds the lock for a moment


class FloorLock:
    """Hold a home for this process: ``with FloorLock(path):``."""

    def __init__(self, path: Path, what: str = "floor") -> None:
        self._path = path
        self._what = what
        self._fd = -1

    def acquire(self) -> None:
        """Take the home; raises ``ConfigError`` naming the process that has it."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _lock(fd):
            holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise ConfigError(
                f"a {self._what} already runs in {self._path.parent} (process {holder}): "
                "stop it, or give this one another home in floor.toml"
            )
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Let another floor have the home."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _lock(fd: int) -> bool:
    for _ in range(_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_BETWEEN_TRIES_S)
        else:
            return True
    return False


def running_pid(path: Path) -> int | None:
    """Return the process that holds a home; ``None`` when no floor runs there."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(fd, 32, 0).strip()
        return int(text) if text.isdigit() else 0
    finally:
        os.close(fd)
    return None
