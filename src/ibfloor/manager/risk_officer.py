"""The risk officer's passphrase: without it no kill switch opens, no limit rises, no guard lifts.

Such a step takes two people: whoever gives the command, and whoever knows the passphrase. It is kept as a
scrypt hash, never as text. It guards against haste and against whoever has a page or a session open, not
against the person who owns the machine: they can change every file of the home.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec

from ibfloor.control.endpoint import write_private
from ibfloor.model.errors import ConfigError

LENGTH_MIN, LENGTH_MAX = 10, 256
_N, _R, _P, _MAX_BYTES = 2**15, 8, 1, 64 * 1024 * 1024
_FREE_TRIES, _WAIT_MAX_S = 3, 60.0


class _Stored(msgspec.Struct, frozen=True):
    salt: bytes
    digest: bytes
    n: int = _N


class RiskOfficer:
    """Checks a passphrase against the home's file; ``monotonic`` paces the tries of whoever guesses.

    A floor of real money where none is set lets nobody do what is the risk officer's. Owner: the main loop.
    """

    def __init__(self, home: Path, monotonic: Callable[[], float], *, is_live: bool = False) -> None:
        self._path = officer_path(home)
        self._monotonic = monotonic
        self._is_live = is_live
        self._failures = 0
        self._shut_until_s = 0.0

    @property
    def is_named(self) -> bool:
        """Tell whether a passphrase is set."""
        return self._path.exists()

    async def refusal(self, what: str, passphrase: str) -> str:
        """Say why somebody may not do what is the risk officer's; empty when they may."""
        if self.is_named:
            return await asyncio.to_thread(self.objection, passphrase)
        if self._is_live:
            return f"nobody may {what} of a live floor yet: name the risk officer with `ibfloor officer`"
        return ""

    def objection(self, passphrase: str) -> str:
        """Say why a passphrase is not taken; empty when it is right. Takes a tenth of a second."""
        wait_s = self._shut_until_s - self._monotonic()
        if wait_s > 0:
            return f"too many wrong passphrases: try again in {wait_s:.0f} s"
        if not passphrase:
            return "the risk officer's passphrase is needed"
        try:
            is_right = verify(self._path, passphrase)
        except ConfigError as error:
            return str(error)
        if is_right:
            self._failures = 0
            return ""
        self._failures += 1
        if self._failures >= _FREE_TRIES:
            self._shut_until_s = self._monotonic() + min(2.0**self._failures, _WAIT_MAX_S)
        return "that is not the risk officer's passphrase"


def officer_path(home: Path) -> Path:
    """Return the file of a home's risk officer."""
    return home / "risk-officer"


def verify(path: Path, passphrase: str) -> bool:
    """Tell whether a passphrase is the one of a file; raises ``ConfigError`` for a file that says nothing."""
    try:
        stored = msgspec.json.decode(path.read_bytes(), type=_Stored)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; set the passphrase anew on this machine") from error
    return hmac.compare_digest(_digest(passphrase, stored.salt, stored.n), stored.digest)


def save(path: Path, passphrase: str) -> None:
    """Write the hash of a passphrase, mode 0600; raises ``ConfigError`` for one too short or too long."""
    if not LENGTH_MIN <= len(passphrase) <= LENGTH_MAX:
        raise ConfigError(f"the passphrase must have {LENGTH_MIN} to {LENGTH_MAX} characters, not {len(passphrase)}")
    salt = secrets.token_bytes(16)
    write_private(path, msgspec.json.encode(_Stored(salt, _digest(passphrase, salt, _N))))


def _digest(passphrase: str, salt: bytes, n: int) -> bytes:
    return hashlib.scrypt(passphrase.encode(), salt=salt, n=n, r=_R, p=_P, maxmem=_MAX_BYTES)
