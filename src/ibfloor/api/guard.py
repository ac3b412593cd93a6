"""The checks every request passes: where it was sent, where it came from, and who sends it."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from fastapi import Request
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ibfloor.api.problem import Problem
from ibfloor.api.sessions import Session, Sessions

BODY_BYTES_MAX = 64 * 1024
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)


class Guard:
    """Know who sends a request. Everything under ``/api`` but the login asks it."""

    def __init__(self, sessions: Sessions, *, cookie_name: str, scheme: str) -> None:
        self._sessions = sessions
        self._scheme = scheme
        self.cookie_name = cookie_name

    def is_logged_in(self, request: HTTPConnection) -> bool:
        """Tell whether a request has a live session."""
        return self._sessions.find(request.cookies.get(self.cookie_name, "")) is not None

    def session(self, request: HTTPConnection) -> Session:
        """Return the session of a request; raise ``Problem`` 401 when there is none."""
        session = self._sessions.find(request.cookies.get(self.cookie_name, ""))
        if session is None:
            raise Problem(401, "not logged in: open the login link, or log in with the password")
        return session

    def is_own_origin(self, request: HTTPConnection, *, required: bool) -> bool:
        """Tell whether a request came from our own pages (programs may send no Origin at all)."""
        origin = request.headers.get("origin")
        if origin is None:
            return not required
        return origin == f"{self._scheme}://{request.headers.get('host', '')}"

    async def require_session(self, request: Request) -> None:
        """Let only a logged-in reader pass."""
        self.session(request)

    async def require_own_origin(self, request: Request) -> None:
        """Let no other site's page pass."""
        if not self.is_own_origin(request, required=False):
            raise Problem(403, "this request came from another site's page")

    async def require_command(self, request: Request) -> None:
        """Let only a logged-in sender pass who knows the session's CSRF token."""
        session = self.session(request)
        await self.require_own_origin(request)
        if not hmac.compare_digest(request.headers.get("x-csrf-token", "").encode(), session.csrf.encode()):
            raise Problem(403, "the X-CSRF-Token header is missing or wrong: reload the page")


class Gatehouse:
    """ASGI middleware: refuse foreign Host names and big bodies, add the security headers."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.encode() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it here."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if headers.get(b"host", b"").lower() not in self._hosts:
            await _refuse(scope, send, 421, b"this server does not answer to that Host name\n")
        elif int(headers.get(b"content-length", b"0") or 0) > BODY_BYTES_MAX or b"transfer-encoding" in headers:
            await _refuse(scope, send, 413, b"the body is too big, or has no length\n")
        else:
            await self._app(scope, receive, _with_headers(scope, send))


def _with_headers(scope: Scope, send: Send) -> Send:
    extra = list(HEADERS)
    if scope["path"].startswith("/api"):
        extra.append((b"cache-control", b"no-store"))

    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = message.get("headers", ())
            said = {name for name, _ in own}  # a statement brings a policy of its own for its one style
            message["headers"] = [*own, *(header for header in extra if header[0] not in said)]
        await send(message)

    return send_with


async def _refuse(scope: Scope, send: Send, status: int, text: bytes) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode()), *HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
