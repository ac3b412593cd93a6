"""Child processes of the floor: started, watched, restarted with backoff, and ended with it.

A child holds the read end of a pipe as its standard input: when the floor dies, however it dies,
the child reads the end of file and leaves. Nothing is orphaned by a ``kill -9``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from ibfloor.manager.supervision import RestartBudget, RestartPolicy
from ibfloor.model.errors import FloorError

log = structlog.get_logger("processes")

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 8.0
RESTARTS = RestartPolicy(max_restarts=5, window_s=60.0, backoff_s=0.5, backoff_max_s=10.0)

Ready = dict[str, Any]


class ChildProcess:
    """One program that runs beside the floor. Owner: the main loop."""

    def __init__(
        self,
        name: str,
        arguments: Callable[[], Sequence[str]],
        *,
        first_input: Callable[[], str] = lambda: "",
        on_ready: Callable[[Ready], None] = lambda ready: None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._arguments = arguments
        self._first_input = first_input
        self._on_ready = on_ready
        self._on_end = on_end
        self._process: asyncio.subprocess.Process | None = None
        self._is_stopping = asyncio.Event()

    async def start(self) -> Ready:
        """Start it and return its ready line; raises ``FloorError`` with its last words when it fails."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._arguments(), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
        except OSError as error:
            raise FloorError(f"the {self.name} process cannot be started: {error}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(self._first_input().encode())
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                line = await self._process.stdout.readline()
                ready: Ready = json.loads(line)
        except (TimeoutError, ValueError):
            await self._end()
            code = self._process.returncode
            raise FloorError(f"the {self.name} process did not start (exit code {code}); see its words above") from None
        log.info("process ready", name=self.name, pid=self._process.pid)
        self._on_ready(ready)
        return ready

    async def keep(self) -> None:
        """Restart it whenever it ends, with backoff, until ``stop``; gives up when it fails too often."""
        budget = RestartBudget(RESTARTS)
        while not self._is_stopping.is_set():
            if self._process is not None:
                code = await self._process.wait()
                self._on_end()
                if self._is_stopping.is_set():
                    return
                log.error("process ended", name=self.name, code=code)
            delay_s = budget.next_delay_s(asyncio.get_running_loop().time())
            if delay_s is None:
                log.error("process given up: it fails too often; the floor trades on", name=self.name)
                return
            try:
                async with asyncio.timeout(delay_s):
                    await self._is_stopping.wait()
            except TimeoutError:
                await self._start_again()

    async def stop(self) -> None:
        """End it: end of input, then a signal, then the hard way."""
        self._is_stopping.set()
        await self._end()

    async def _start_again(self) -> None:
        try:
            await self.start()
        except FloorError as error:
            log.error("process did not start again", name=self.name, reason=str(error))

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        for push in (None, process.terminate, process.kill):
            if push is not None:
                push()
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                continue
            return
