"""Who is logged in: sessions kept by the server, named by a random cookie."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable

import msgspec

IDLE_S = 12 * 3600.0
LIFE_S = 7 * 24 * 3600.0
SESSIONS_MAX = 100


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One login. ``actor`` names it in the audit trail; ``csrf`` must come back in a header."""

    key: str
    csrf: str
    actor: str
    method: str
    started_s: float


class Sessions:
    """The sessions of one web process. Owner: its loop. ``now_s`` is a monotonic clock."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._sessions: dict[str, Session] = {}
        self._seen_s: dict[str, float] = {}

    def start(self, method: str) -> tuple[str, Session]:
        """Log somebody in; return the cookie's value and the session. The value is never kept."""
        cookie = secrets.token_urlsafe(32)
        key = _key(cookie)
        now = self._now_s()
        session = Session(key=key, csrf=secrets.token_urlsafe(32), actor=f"web-{key[:8]}", method=method, started_s=now)
        while len(self._sessions) >= SESSIONS_MAX:
            self.end(min(self._seen_s, key=self._seen_s.__getitem__))
        self._sessions[key], self._seen_s[key] = session, now
        return cookie, session

    def find(self, cookie: str) -> Session | None:
        """Return the live session a cookie names, and note that it was used."""
        session = self._sessions.get(_key(cookie))
        if session is None or not self.is_live(session.key):
            return None
        self._seen_s[session.key] = self._now_s()
        return session

    def is_live(self, key: str) -> bool:
        """Tell whether a session still counts; ends it when its time is over."""
        session = self._sessions.get(key)
        if session is None:
            return False
        now = self._now_s()
        if now - session.started_s > LIFE_S or now - self._seen_s[key] > IDLE_S:
            self.end(key)
            return False
        return True

    def end(self, key: str) -> None:
        """Log a session out; its pages are closed at the next beat."""
        self._sessions.pop(key, None)
        self._seen_s.pop(key, None)


def _key(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
