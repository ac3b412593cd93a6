"""Risk limits over HTTP: changed, reset, one order confirmed, a strategy enabled. Shown by ``GET /api/v1/limits``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from ibfloor.api.command_routes import Key, Name, OrderId, Passphrase, Reason, give
from ibfloor.api.floor_link import FloorLink
from ibfloor.api.guard import Guard
from ibfloor.model.command import AnyCommand, ChangeLimits, ConfirmOrder, EnableStrategy, ResetLimits
from ibfloor.model.ids import ClientOrderId, StrategyId

_LINE = r"^[^\x00-\x1f\x7f]*$"
Scope = Annotated[str, Field(max_length=100, pattern=_LINE)]
LimitName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
LimitText = Annotated[str, Field(min_length=1, max_length=40, pattern=_LINE)]
MaybeReason = Annotated[str, Field(max_length=200, pattern=_LINE)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class LimitsOrder(_Body):
    """New values of limits of one scope; ``confirm``, and ``passphrase`` where it is set, if they let more pass."""

    scope: Scope
    limits: Annotated[dict[LimitName, LimitText], Field(min_length=1, max_length=50)]
    reason: MaybeReason = ""
    confirm: bool = False
    passphrase: Passphrase = ""


class ResetOrder(_Body):
    """Back to floor.toml: some limits of a scope, a whole scope, or everything."""

    scope: Scope = ""
    limits: Annotated[list[LimitName], Field(max_length=50)] = []
    reason: MaybeReason = ""
    confirm: bool = False
    passphrase: Passphrase = ""


class EnableOrder(_Body):
    """Why a restrained strategy may trade again; ``passphrase`` where it is set."""

    reason: Reason
    passphrase: Passphrase = ""


def limit_routes(guard: Guard, link: FloorLink) -> APIRouter:
    """Return the routes; each needs a session, its CSRF token and an idempotency key."""
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(guard.require_command)])

    @router.post("/limits")
    async def change(request: Request, key: Key, body: LimitsOrder) -> dict[str, str]:
        command = ChangeLimits(
            command_id=f"web:{key}",
            actor=guard.session(request).actor,
            scope=body.scope,
            limits=dict(body.limits),
            reason=body.reason,
            confirm=body.confirm,
            passphrase=body.passphrase,
        )
        return await _told(link, command)

    @router.post("/limits/reset")
    async def reset(request: Request, key: Key, body: ResetOrder) -> dict[str, str]:
        command = ResetLimits(
            command_id=f"web:{key}",
            actor=guard.session(request).actor,
            scope=body.scope,
            limits=tuple(body.limits),
            reason=body.reason,
            confirm=body.confirm,
            passphrase=body.passphrase,
        )
        return await _told(link, command)

    @router.post("/orders/{cl_ord_id}/confirm")
    async def confirm(request: Request, key: Key, cl_ord_id: OrderId) -> dict[str, str]:
        actor = guard.session(request).actor
        return await _told(link, ConfirmOrder(command_id=f"web:{key}", actor=actor, cl_ord_id=ClientOrderId(cl_ord_id)))

    @router.post("/strategies/{name}/enable")
    async def enable(request: Request, key: Key, name: Name, body: EnableOrder) -> dict[str, str]:
        command = EnableStrategy(
            command_id=f"web:{key}",
            actor=guard.session(request).actor,
            strategy=StrategyId(name),
            reason=body.reason,
            passphrase=body.passphrase,
        )
        return await _told(link, command)

    return router


async def _told(link: FloorLink, command: AnyCommand) -> dict[str, str]:
    return {"text": (await give(link, command)).text, "command_id": command.command_id}
