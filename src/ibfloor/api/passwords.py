"""The password of the pages: one argon2id hash in one 0600 file."""

from __future__ import annotations

import secrets
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ibfloor.control.endpoint import write_private
from ibfloor.model.errors import ConfigError

LENGTH_MIN = 10
LENGTH_MAX = 256


class PasswordFile:
    """Check passwords against the file; a missing file means that no password is set."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._hasher = PasswordHasher()
        self._decoy = self._hasher.hash(secrets.token_urlsafe(16))

    @property
    def is_set(self) -> bool:
        """Whether there is a password to log in with."""
        return self._path is not None and self._path.is_file()

    def verify(self, password: str) -> bool:
        """Tell whether the password is right; takes as long when none is set."""
        stored = self._path.read_text().strip() if self._path is not None and self.is_set else ""
        try:
            return self._hasher.verify(stored or self._decoy, password[:LENGTH_MAX]) and bool(stored)
        except (VerificationError, InvalidHashError):
            return False


def save_password(path: Path, password: str) -> None:
    """Write the hash of a password; raise ``ConfigError`` for one too short or too long."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise ConfigError(f"the password must have {LENGTH_MIN} to {LENGTH_MAX} characters, not {len(password)}")
    write_private(path, PasswordHasher().hash(password).encode() + b"\n")
