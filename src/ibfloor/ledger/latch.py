"""The kill switch's memory: a file whose presence stops all trading, also after a restart."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import msgspec

from ibfloor.crash_points import reach
from ibfloor.ledger.journal import sync_folder
from ibfloor.model.errors import LedgerError


class LatchState(msgspec.Struct, frozen=True, kw_only=True):
    """Who latched the switch, why, and when (market time; 0 where nobody could tell)."""

    actor: str
    reason: str
    ts_ns: int = 0


class KillLatch:
    """Latch and read the kill switch of a home; any process may, at any time.

    A file that cannot be read counts as latched: what is unclear must not trade.
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
            return msgspec.json.decode(self._path.read_bytes(), type=LatchState)
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
