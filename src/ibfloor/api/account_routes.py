"""Log in, log out, and ask who one is."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from ibfloor.api.guard import Guard
from ibfloor.api.login import LoginDesk
from ibfloor.api.passwords import LENGTH_MAX
from ibfloor.api.problem import Problem
from ibfloor.api.sessions import LIFE_S, Session, Sessions

log = structlog.get_logger("web")


class Login(BaseModel):
    """A one-time token or the password."""

    model_config = ConfigDict(extra="forbid", strict=True)

    token: Annotated[str, Field(max_length=128)] = ""
    password: Annotated[str, Field(max_length=LENGTH_MAX)] = ""


def account_routes(guard: Guard, sessions: Sessions, desk: LoginDesk, *, is_secure: bool) -> APIRouter:
    """Return the routes of logging in and out."""
    router = APIRouter(prefix="/api/v1")

    @router.post("/login", dependencies=[Depends(guard.require_own_origin)])
    async def login(body: Login) -> Response:
        method = _admit(desk, body)
        cookie, session = sessions.start(method)
        log.info("logged in", actor=session.actor, method=method)
        response = JSONResponse(_about(session, desk))
        response.set_cookie(
            guard.cookie_name, cookie, max_age=int(LIFE_S), httponly=True, samesite="strict", secure=is_secure
        )
        return response

    @router.get("/login")
    async def ways_in(request: Request) -> dict[str, bool]:
        return {"password": desk.has_password, "logged_in": guard.is_logged_in(request)}

    @router.get("/session")
    async def session(request: Request) -> dict[str, object]:
        return _about(guard.session(request), desk)

    @router.post("/logout", dependencies=[Depends(guard.require_command)])
    async def logout(request: Request) -> Response:
        ended = guard.session(request)
        sessions.end(ended.key)
        log.info("logged out", actor=ended.actor)
        response = Response(status_code=204)
        response.delete_cookie(guard.cookie_name, httponly=True, samesite="strict", secure=is_secure)
        return response

    return router


def _admit(desk: LoginDesk, body: Login) -> str:
    if bool(body.token) == bool(body.password):
        raise Problem(422, "send either a token or a password", field="token")
    try:
        if body.token:
            desk.redeem(body.token)
            return "link"
        desk.check_password(body.password)
    except Problem as problem:
        log.warning("login refused", reason=problem.text)
        raise
    return "password"


def _about(session: Session, desk: LoginDesk) -> dict[str, object]:
    return {"actor": session.actor, "csrf": session.csrf, "method": session.method, "password": desk.has_password}
