"""What a program may read: the same rows as the pages, one topic an address."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response

from ibfloor import __version__
from ibfloor.api.floor_link import FloorLink
from ibfloor.api.guard import Guard
from ibfloor.api.problem import Problem
from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.model.view import TOPICS

BAR_NS = {
    "1m": NS_PER_MINUTE,
    "5m": 5 * NS_PER_MINUTE,
    "15m": 15 * NS_PER_MINUTE,
    "1h": 60 * NS_PER_MINUTE,
}
ROWS_MAX = 10_000

_encode = msgspec.json.Encoder().encode


def read_routes(guard: Guard, link: FloorLink) -> APIRouter:
    """Return the reading routes; each needs a session."""
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(guard.require_session)])

    @router.get("/status")
    async def status() -> Response:
        return _answer(
            {
                "version": __version__,
                "stale": link.stale_reason,
                "floor": link.rows.get("floor", {}).get("floor"),
                "account": next(iter(link.rows.get("account", {}).values()), None),
            }
        )

    @router.get("/bars")
    async def bars(
        instrument_id: Annotated[int, Query(ge=0, lt=2**63)],
        bar: Annotated[str, Query(max_length=8)] = "1m",
        limit: Annotated[int, Query(ge=1, le=5000)] = 500,
    ) -> Response:
        if bar not in BAR_NS:
            raise Problem(422, f"bar: {bar!r} is not one of {', '.join(BAR_NS)}", field="bar")
        return _answer({"bar": bar, "bars": await link.bars(instrument_id, BAR_NS[bar], limit)})

    @router.get("/{topic}")
    async def rows(
        topic: Annotated[str, Path(max_length=32)],
        strategy: Annotated[str, Query(max_length=128)] = "",
        limit: Annotated[int, Query(ge=1, le=ROWS_MAX)] = 1000,
    ) -> Response:
        if topic not in TOPICS:
            raise Problem(404, f"there is nothing called {topic!r}; there are {', '.join(TOPICS)}, status and bars")
        found = list(link.rows.get(topic, {}).values())
        if strategy:
            found = [
                row for row in found if isinstance(row, dict) and strategy in (row.get("strategy"), row.get("name"))
            ]
        return _answer({"stale": link.stale_reason, topic: found[-limit:]})

    return router


def _answer(value: object) -> Response:
    return Response(_encode(value), media_type="application/json")
