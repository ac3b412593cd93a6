"""Signs of life between the floor and its watchdog: a small file each, whose number goes up.

Nobody's clock is compared: a number that moves is life, one that stands is silence. The file is
overwritten in place, so that a full disk does not silence who writes it.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

BEAT_S = 0.5
GAP_MAX_S = 1.0
_BYTES = 256
FLOOR_FILE, WATCHDOG_FILE = "floor.beat", "watchdog.beat"


class Life(StrEnum):
    """What who writes is at."""

    STARTING = "starting"
    ALIVE = "alive"
    GONE = "gone"
    """It has ended in good order: its silence means nothing."""


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """One sign of life."""

    pid: int
    life: Life
    count: int = 0
    is_left_alone: bool = False
    """An earlier one ended without a goodbye, and nobody has looked after its orders yet."""


class Heartbeat:
    """Writes one file of beats; ``with`` opens it. Owner: one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._beat = Beat(pid=os.getpid(), life=Life.GONE)

    def __enter__(self) -> Self:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        self._fd = -1

    def begin(self) -> None:
        """Say that a start is under way, and whether an earlier life ended without a goodbye."""
        before = read_beat(self._path)
        is_left_alone = before is not None and (before.life is Life.ALIVE or before.is_left_alone)
        self._write(Beat(pid=os.getpid(), life=Life.STARTING, is_left_alone=is_left_alone))

    def beat(self) -> None:
        """Give a sign of life."""
        self._write(Beat(pid=os.getpid(), life=Life.ALIVE, count=self._beat.count + 1))

    def give_up(self) -> None:
        """Say that the start has failed: if an earlier life left orders alone, they still are."""
        if self._beat.life is Life.STARTING and not self._beat.is_left_alone:
            self.goodbye()

    def goodbye(self) -> None:
        """Say that the silence from now on is meant."""
        self._write(msgspec.structs.replace(self._beat, life=Life.GONE, is_left_alone=False))

    def _write(self, beat: Beat) -> None:
        self._beat = beat
        os.pwrite(self._fd, msgspec.json.encode(beat).ljust(_BYTES - 1) + b"\n", 0)


def read_beat(path: Path) -> Beat | None:
    """Return the newest beat; ``None`` when there is none, or it is being written at this moment."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Beat)
    except (OSError, msgspec.MsgspecError):
        return None


class Listener:
    """Judges by the beats whether somebody lives. Owner: whoever calls ``look``, several times a second."""

    def __init__(
        self, path: Path, *, dead_after_s: float, start_within_s: float = 0.0, trusts_first: bool = False
    ) -> None:
        self._path = path
        self._trusts_first = trusts_first
        self._dead_after_s = dead_after_s
        self._start_within_s = start_within_s
        self._last: Beat | None = None
        self._looked_s: float | None = None
        self._silent_s = 0.0
        self._is_known = False
        """Whether a beat was heard, and no goodbye since."""

    @property
    def last(self) -> Beat | None:
        """Return the last beat."""
        return self._last

    @property
    def is_watched(self) -> bool:
        """Tell whether silence would mean death."""
        return self._is_known

    def look(self, now_s: float) -> bool:
        """Tell whether who beats has died: seconds of the machine's monotonic clock.

        Only time in which the listener itself was awake counts: a pause of its own, a suspended machine's
        for one, is no silence of the other.
        """
        gap_s = 0.0 if self._looked_s is None else now_s - self._looked_s
        self._looked_s = now_s
        beat = read_beat(self._path) or self._last
        is_news = beat is not None and self._last is not None and beat != self._last
        self._last = beat
        if beat is None or beat.life is Life.GONE:
            self._is_known = False
        elif beat.life is Life.STARTING:
            self._is_known = beat.is_left_alone
        elif is_news or self._trusts_first:
            self._is_known = True
        self._trusts_first = False
        self._silent_s = 0.0 if is_news else self._silent_s + min(gap_s, GAP_MAX_S)
        return self._is_known and self._silent_s > self._patience_s()

    def forget(self) -> None:
        """Take what is silent as dealt with: only a new beat makes it known again."""
        self._is_known = False
        self._silent_s = 0.0

    def _patience_s(self) -> float:
        is_starting = self._last is not None and self._last.life is Life.STARTING
        if is_starting and self._last is not None and _runs(self._last.pid):
            return max(self._start_within_s, self._dead_after_s)
        return self._dead_after_s


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
