"""What a person does to the books, over HTTP: a preview that changes nothing, and its confirmation."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from ibfloor.api.command_routes import Key, Reason, give
from ibfloor.api.floor_link import FloorLink
from ibfloor.api.guard import Guard
from ibfloor.api.problem import Problem
from ibfloor.model.booking import AnyBooking
from ibfloor.model.command import ConfirmBooking, PreviewBooking, Previewed

PreviewId = Annotated[str, Path(pattern=r"^[0-9a-f]{4,64}$")]

_encode = msgspec.json.Encoder().encode


class BookingBody(BaseModel):
    """A booking by its type and fields, as the preview command takes it, and why."""

    model_config = ConfigDict(extra="forbid", strict=True)

    booking: dict[str, object]
    reason: Reason
    ts_ns: Annotated[int, Field(ge=0, lt=2**63)] = 0
    break_key: Annotated[str, Field(max_length=64, pattern=r"^((position|cash):[A-Za-z0-9]{1,32})?$")] = ""


def booking_routes(guard: Guard, link: FloorLink) -> APIRouter:
    """Return the booking routes; each needs a session, its CSRF token and an idempotency key."""
    router = APIRouter(prefix="/api/v1/bookings", dependencies=[Depends(guard.require_command)])

    @router.post("/preview")
    async def preview(request: Request, key: Key, body: BookingBody) -> Response:
        command = PreviewBooking(
            command_id=f"web:{key}",
            actor=guard.session(request).actor,
            booking=_booking(body.booking),
            reason=body.reason,
            break_key=body.break_key,
            ts_ns=body.ts_ns,
        )
        result = await give(link, command)
        shown = result.preview if isinstance(result, Previewed) else None
        return Response(_encode({"text": result.text, "preview": shown}), media_type="application/json")

    @router.post("/{preview_id}/confirm")
    async def confirm(request: Request, key: Key, preview_id: PreviewId) -> dict[str, str]:
        actor = guard.session(request).actor
        result = await give(link, ConfirmBooking(command_id=f"web:{key}", actor=actor, preview_id=preview_id))
        return {"text": result.text, "command_id": f"web:{key}"}

    return router


def _booking(fields: dict[str, object]) -> AnyBooking:
    # a field's number may come as text, exact, as the floor's own rows carry it
    try:
        booking: AnyBooking = msgspec.convert(fields, AnyBooking, strict=False)
    except msgspec.ValidationError as error:
        raise Problem(422, f"booking: {error}", field="booking") from None
    return booking
