"""The login desk: one-time links and the password, with a lock against guessing."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec

from ibfloor.api.passwords import PasswordFile
from ibfloor.api.problem import Problem
from ibfloor.control.endpoint import write_private

FAILURES_MAX = 10
LOCK_S = 900.0
LINK_FILE = "web-login.json"


class _Link(msgspec.Struct, frozen=True):
    token_hash: str


def mint_login_token(home: Path) -> str:
    """Return a new one-time login token and leave its hash for the web process, in a 0600 file.

    A later token takes the place of an earlier one. The link is ``<address>/login#<token>``.
    """
    token = secrets.token_urlsafe(32)
    write_private(home / LINK_FILE, msgspec.json.encode(_Link(token_hash=_hash(token))))
    return token


class LoginDesk:
    """Decide who gets in. Owner: the web process's loop. ``now_s`` is a monotonic clock.

    The lock counts wrong passwords only: a 256-bit token needs none, so that a locked-out owner
    still gets in with a fresh link.
    """

    def __init__(
        self,
        home: Path,
        password: PasswordFile,
        now_s: Callable[[], float],
        *,
        token: str = "",
        token_ttl_s: float = 900.0,
    ) -> None:
        self._link_file = home / LINK_FILE
        self._password = password
        self._now_s = now_s
        self._token_hash = _hash(token) if token else ""
        self._token_ttl_s = token_ttl_s
        self._token_until_s = now_s() + token_ttl_s
        self._link_seen: tuple[str, float] = ("", 0.0)
        self._failures = 0
        self._locked_until_s = 0.0

    @property
    def has_password(self) -> bool:
        """Whether a password is set."""
        return self._password.is_set

    def redeem(self, token: str) -> None:
        """Use up a login token; raise ``Problem`` when it is wrong, used or too old."""
        given = _hash(token)
        if self._token_hash and hmac.compare_digest(given, self._token_hash):
            self._token_hash = ""
            if self._now_s() <= self._token_until_s:
                return
        elif self._redeem_link(given):
            return
        raise Problem(401, "this login link was used already or is too old: ask the floor for a fresh one")

    def check_password(self, password: str) -> None:
        """Return when the password is right; raise ``Problem`` when it is wrong or the desk is locked."""
        wait_s = self._locked_until_s - self._now_s()
        if wait_s > 0:
            raise Problem(
                429, f"too many wrong passwords: locked for {wait_s / 60:.0f} more minutes, or use a login link"
            )
        if self._password.verify(password):
            self._failures = 0
            return
        self._failures += 1
        if self._failures >= FAILURES_MAX:
            self._failures = 0
            self._locked_until_s = self._now_s() + LOCK_S
        raise Problem(401, "the password is wrong", field="password")

    def look_for_link(self) -> None:
        """Note when a fresh link appeared, so that it can grow old."""
        found = self._read_link()
        if found != self._link_seen[0]:
            self._link_seen = (found, self._now_s())

    def _redeem_link(self, given: str) -> bool:
        self.look_for_link()
        found, since_s = self._link_seen
        if not found or not hmac.compare_digest(given, found):
            return False
        self._link_file.unlink(missing_ok=True)
        return self._now_s() - since_s <= self._token_ttl_s

    def _read_link(self) -> str:
        try:
            return msgspec.json.decode(self._link_file.read_bytes(), type=_Link).token_hash
        except (OSError, msgspec.DecodeError):
            return ""


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
