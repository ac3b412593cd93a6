"""What a person or a program may ask of the floor; each request is one command, carried out once."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ibfloor.api.floor_link import FloorLink
from ibfloor.api.guard import Guard
from ibfloor.api.login import LoginDesk
from ibfloor.api.problem import Problem
from ibfloor.model.command import (
    AddStrategy,
    AnyCommand,
    CancelAll,
    CancelOrder,
    Denied,
    Done,
    FlattenKilled,
    Kill,
    PauseStrategy,
    Previewed,
    ResumeStrategy,
    StartAll,
    StartStrategy,
    StopAll,
    StopStrategy,
    Unkill,
)
from ibfloor.model.ids import ClientOrderId, StrategyId

STRATEGY_COMMANDS: dict[str, type[StartStrategy | StopStrategy | PauseStrategy | ResumeStrategy]] = {
    "start": StartStrategy,
    "stop": StopStrategy,
    "pause": PauseStrategy,
    "resume": ResumeStrategy,
}


def _one_line(text: str) -> str:
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise ValueError("control characters and line breaks are not taken")
    return text.strip()


def _strategy_file(text: str) -> str:
    if not text.endswith(".py") or ".." in re.split(r"[\\/]", text):
        raise ValueError("must be the path of a .py file on the floor's machine, without '..'")
    return text


Reason = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Passphrase = Annotated[str, Field(max_length=256)]
"""The risk officer's; empty where none is named."""
Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
OrderId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$")]
Key = Annotated[str, Header(alias="Idempotency-Key", pattern=r"^[A-Za-z0-9_-]{8,64}$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NewStrategy(_Body):
    """One more strategy from a file on the floor's machine."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    file: Annotated[str, Field(max_length=500), AfterValidator(_one_line), AfterValidator(_strategy_file)]
    class_name: Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z_]?[A-Za-z0-9_]*$")] = ""
    params: dict[str, str | int | float | bool] = {}
    start: bool = True


class KillAim(_Body):
    """Which kill switch is meant."""

    scope: Literal["account", "strategy", "instrument"] = "account"
    target: Annotated[str, Field(max_length=64), AfterValidator(_one_line)] = ""


class KillOrder(KillAim):
    """The emergency stop."""

    reason: Reason


class UnkillOrder(KillAim):
    """The reset of an emergency stop; ``password`` and ``passphrase`` where they are set."""

    reason: Reason
    password: Annotated[str, Field(max_length=256)] = ""
    passphrase: Passphrase = ""


def command_routes(guard: Guard, link: FloorLink, desk: LoginDesk) -> APIRouter:
    """Return the commanding routes; each needs a session, its CSRF token and an idempotency key."""
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(guard.require_command)])
    _add_strategy_routes(router, guard, link)
    _add_order_routes(router, guard, link)
    _add_kill_routes(router, guard, link, desk)
    return router


def _add_strategy_routes(router: APIRouter, guard: Guard, link: FloorLink) -> None:
    @router.post("/strategies")
    async def add(request: Request, key: Key, body: NewStrategy) -> dict[str, str]:
        return await _give(
            link,
            AddStrategy(
                command_id=f"web:{key}",
                actor=guard.session(request).actor,
                strategy=StrategyId(body.name),
                file=body.file,
                class_name=body.class_name,
                params=dict(body.params),
                start=body.start,
            ),
        )

    @router.post("/strategies/{name}/{verb}")
    async def command(request: Request, key: Key, name: Name, verb: str) -> dict[str, str]:
        kind = STRATEGY_COMMANDS.get(verb)
        if kind is None:
            raise Problem(404, f"a strategy cannot {verb!r}; it can {', '.join(STRATEGY_COMMANDS)}")
        actor = guard.session(request).actor
        return await _give(link, kind(command_id=f"web:{key}", actor=actor, strategy=StrategyId(name)))

    @router.post("/start-all")
    async def start_all(request: Request, key: Key) -> dict[str, str]:
        return await _give(link, StartAll(command_id=f"web:{key}", actor=guard.session(request).actor))

    @router.post("/stop-all")
    async def stop_all(request: Request, key: Key) -> dict[str, str]:
        return await _give(link, StopAll(command_id=f"web:{key}", actor=guard.session(request).actor))


def _add_order_routes(router: APIRouter, guard: Guard, link: FloorLink) -> None:
    @router.post("/orders/{cl_ord_id}/cancel")
    async def cancel(request: Request, key: Key, cl_ord_id: OrderId) -> dict[str, str]:
        actor = guard.session(request).actor
        return await _give(link, CancelOrder(command_id=f"web:{key}", actor=actor, cl_ord_id=ClientOrderId(cl_ord_id)))

    @router.post("/cancel-all")
    async def cancel_all(request: Request, key: Key) -> dict[str, str]:
        return await _give(link, CancelAll(command_id=f"web:{key}", actor=guard.session(request).actor))


def _add_kill_routes(router: APIRouter, guard: Guard, link: FloorLink, desk: LoginDesk) -> None:
    @router.post("/kill")
    async def kill(request: Request, key: Key, body: KillOrder) -> dict[str, str]:
        actor = guard.session(request).actor
        command = Kill(command_id=f"web:{key}", actor=actor, reason=body.reason, scope=body.scope, target=body.target)
        return await _give(link, command)

    @router.post("/kill/flatten")
    async def flatten(request: Request, key: Key, body: KillAim) -> dict[str, str]:
        actor = guard.session(request).actor
        command = FlattenKilled(command_id=f"web:{key}", actor=actor, scope=body.scope, target=body.target)
        return await _give(link, command)

    @router.post("/unkill")
    async def unkill(request: Request, key: Key, body: UnkillOrder) -> dict[str, str]:
        if desk.has_password:
            if not body.password:
                raise Problem(403, "opening the kill switch needs the password", field="password")
            desk.check_password(body.password)
        actor = guard.session(request).actor
        command = Unkill(
            command_id=f"web:{key}",
            actor=actor,
            reason=body.reason,
            scope=body.scope,
            target=body.target,
            passphrase=body.passphrase,
        )
        return await _give(link, command)


async def give(link: FloorLink, command: AnyCommand) -> Done | Previewed:
    """Give the floor a command and return its outcome; a denial is a ``Problem`` 409."""
    result = await link.call(command)
    if isinstance(result, Denied):
        raise Problem(409, result.text)
    return result


async def _give(link: FloorLink, command: AnyCommand) -> dict[str, str]:
    return {"text": (await give(link, command)).text, "command_id": command.command_id}
