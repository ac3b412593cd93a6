"""The pages' one WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import json

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from ibfloor.api.guard import Guard
from ibfloor.api.hub import Hub, Page
from ibfloor.api.problem import Problem

PAGES_MAX = 32
NOT_LOGGED_IN = 4401
TOO_MANY = 4429


def socket_route(guard: Guard, hub: Hub) -> APIRouter:
    """Return the route of ``/ws``: views out; from the page only whether anybody looks at it."""
    router = APIRouter()

    @router.websocket("/ws")
    async def feed(socket: WebSocket) -> None:
        if not guard.is_own_origin(socket, required=True):
            await socket.close(1008)  # another site's page learns nothing
            return
        await socket.accept()  # a close before this would reach the page as 1006, without our code
        try:
            session = guard.session(socket)
        except Problem:
            await socket.close(NOT_LOGGED_IN)
            return
        if hub.page_count >= PAGES_MAX:
            await socket.close(TOO_MANY)
            return
        page = hub.join(session.key)
        try:
            await _serve(socket, hub, page)
        finally:
            hub.leave(page)

    return router


async def _serve(socket: WebSocket, hub: Hub, page: Page) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        listening = asyncio.create_task(_listen(socket, hub, page), name="page-listen")
        try:
            while (frame := await page.next_frame(lambda: hub.snapshot(page))) is not None:
                await socket.send_text(frame)
            await socket.close(NOT_LOGGED_IN)
        finally:
            listening.cancel()
            await asyncio.wait([listening])


async def _listen(socket: WebSocket, hub: Hub, page: Page) -> None:
    try:
        while True:
            said = json.loads(await socket.receive_text())
            if isinstance(said, dict) and isinstance(said.get("hidden"), bool):
                hub.set_hidden(page, hidden=said["hidden"])
            if said == {"again": True}:
                page.restart()
    except (WebSocketDisconnect, ValueError, KeyError, RuntimeError):
        hub.leave(page)
