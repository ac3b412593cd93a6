"""The kill switches' memory: files whose presence stops trading, also after a restart."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path
from urllib.parse import quote, unquote

import msgspec

from ibfloor.crash_points import reach
from ibfloor.ledger.journal import sync_folder
from ibfloor.model.errors import LedgerError
from ibfloor.model.kill import ACCOUNT, KillPlace, place_of

_ANY = "kill*.json"
_SCOPED = re.compile(r"kill-(?P<scope>strategy|instrument)-(?P<target>.+)\.json")


class LatchState(msgspec.Struct, frozen=True, kw_only=True):
    """Who latched the switch, why, and when (market time; 0 where nobody could tell)."""

    actor: str
    reason: str
    ts_ns: int = 0


class KillLatch:
    """Latch and read one kill switch's file; any process may, at any time.

    An empty file latches it, and one that cannot be read counts as latched: what is unclear must not trade.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def latch(self, actor: str, reason: str, *, ts_ns: int = 0) -> LatchState:
        """Stop all trading until ``reset``; the first latch's reason stands. Raises ``LedgerError``.

        On disk, power cut included, when it returns.
        """
        state = self.state()
        if state is None:
            state = LatchState(actor=actor, reason=reason, ts_ns=ts_ns)
            try:
                self._write(msgspec.json.encode(state))
            except OSError as error:
                raise LedgerError(f"the kill switch {self._path} cannot be written: {error.strerror}") from error
        return state

    def state(self) -> LatchState | None:
        """Return who latched it and why; ``None`` while it is open."""
        try:
            content = self._path.read_bytes()
            if not content.strip():  # ``touch``, as the manual says: nobody wrote down why
                return LatchState(actor="unknown", reason=f"file {self._path.name}")
            return msgspec.json.decode(content, type=LatchState)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            return LatchState(
                actor="unknown", reason=f"{self._path.name} cannot be read and counts as latched: {error}"
            )

    def reset(self) -> LatchState | None:
        """Let trading go on, and return what was latched; the caller journals who did it and why.

        Raises ``LedgerError`` when the file stays.
        """
        state = self.state()
        try:
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()
                sync_folder(self._path.parent)
        except OSError as error:
            raise LedgerError(f"the kill switch {self._path} cannot be reset: {error.strerror}") from error
        return state

    def _write(self, content: bytes) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(prefix=f"{self._path.name}.", dir=self._path.parent)  # mkstemp: mode 0600
        try:
            with open(fd, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(fd)
            reach("latch.before_rename")
            os.rename(name, self._path)
            reach("latch.after_rename")
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            raise
        sync_folder(self._path.parent)


class KillLatches:
    """All kill switches of a home, a file each: any process may latch one, also with ``touch``.

    ``kill.json`` is the account's, ``kill-strategy-<name>.json`` and ``kill-instrument-<symbol>.json``
    those of a part of it. Any other ``kill*.json`` stands for the account: what is unclear must not trade.
    """

    def __init__(self, home: Path) -> None:
        self._home = home

    def path(self, place: KillPlace) -> Path:
        """Return the file of a kill switch."""
        name = "kill" if place.is_account else f"kill-{place.scope}-{quote(place.target, safe='')}"
        return self._home / f"{name}.json"

    def latch(self, place: KillPlace, actor: str, reason: str, *, ts_ns: int = 0) -> LatchState:
        """Stop trading there until ``reset``; the first latch's reason stands. Raises ``LedgerError``."""
        return KillLatch(self.path(place)).latch(actor, reason, ts_ns=ts_ns)

    def states(self) -> dict[KillPlace, LatchState]:
        """Return every switch that is latched, with who latched it and why."""
        try:
            return {_place(path): state for path in self._files() if (state := KillLatch(path).state()) is not None}
        except OSError as error:
            return {ACCOUNT: LatchState(actor="unknown", reason=f"the home cannot be read: {error.strerror}")}

    def reset(self, place: KillPlace) -> None:
        """Let trading go on there; the caller journals who did it and why. Raises ``LedgerError``."""
        for path in self._files():
            if _place(path) == place:
                KillLatch(path).reset()

    def _files(self) -> list[Path]:
        names = (name for name in os.listdir(self._home)) if self._home.exists() else ()
        return [self._home / name for name in sorted(names) if Path(name).match(_ANY)]


def _place(path: Path) -> KillPlace:
    found = _SCOPED.fullmatch(path.name)
    return place_of(found["scope"], unquote(found["target"])) if found else ACCOUNT
