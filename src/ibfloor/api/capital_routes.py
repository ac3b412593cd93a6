"""A strategy's capital over HTTP: another rule, carried out as a command."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from ibfloor.api.command_routes import Key, Name, give
from ibfloor.api.floor_link import FloorLink
from ibfloor.api.guard import Guard
from ibfloor.api.problem import Problem
from ibfloor.model.capital import CapitalBasis, CapitalRule, problem_of
from ibfloor.model.command import SetCapital
from ibfloor.model.ids import StrategyId

Amount = Annotated[Decimal, Field(gt=0, allow_inf_nan=False, max_digits=18)]
Share = Annotated[Decimal, Field(ge=0, le=1)]


class CapitalBody(BaseModel):
    """A rule as in ``[strategy.capital]``; amounts may be numbers or texts."""

    model_config = ConfigDict(extra="forbid")

    basis: CapitalBasis
    amount: Amount | None = None
    weight: Share | None = None
    volatility_pct: Amount | None = None
    band_min: Share | None = None
    band_max: Share | None = None


def capital_routes(guard: Guard, link: FloorLink) -> APIRouter:
    """Return the route; it needs a session, its CSRF token and an idempotency key."""
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(guard.require_command)])

    @router.put("/strategies/{name}/capital")
    async def set_capital(request: Request, key: Key, name: Name, body: CapitalBody) -> dict[str, str]:
        rule = CapitalRule(**body.model_dump())
        if problem := problem_of(rule):
            raise Problem(422, problem, field="basis")
        command = SetCapital(
            command_id=f"web:{key}", actor=guard.session(request).actor, strategy=StrategyId(name), rule=rule
        )
        return {"text": (await give(link, command)).text}

    return router
