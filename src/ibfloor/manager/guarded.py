"""Guarded: tasks whose failure ends the floor in good order instead of tearing it down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

log = structlog.get_logger("floor")


class Guarded:
    """Starts tasks in a group; one that fails is told, and the others go on until the floor has wound up."""

    def __init__(self, tasks: asyncio.TaskGroup, on_failure: Callable[[BaseException], None]) -> None:
        self._tasks = tasks
        self._on_failure = on_failure
        self._running: set[asyncio.Task[None]] = set()

    def create_task(self, work: Coroutine[Any, Any, Any], *, name: str | None = None) -> asyncio.Task[None]:
        """Start a task; called on the group's loop."""
        task = self._tasks.create_task(self._guard(work), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def cancel(self) -> None:
        """End what still runs when all else has ended: it may wait for an answer that nobody gives any more."""
        for task in tuple(self._running):
            task.cancel()

    async def _guard(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        except Exception as error:
            log.exception("a part of the floor has failed")
            self._on_failure(error)
