"""The memory of commands: one ``command_id`` is carried out once, however often it is sent."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from ibfloor.model.command import AnyCommand, CommandResult, Denied
from ibfloor.model.errors import FloorError

REMEMBERED_MAX = 10_000


class Outcomes:
    """Carry out commands and remember their outcomes. Owner: one loop.

    A repeat that arrives while the first still runs waits for the same outcome.
    """

    def __init__(self, carry_out: Callable[[AnyCommand], Awaitable[CommandResult]]) -> None:
        self._carry_out = carry_out
        self._known: OrderedDict[str, tuple[AnyCommand, asyncio.Future[CommandResult]]] = OrderedDict()

    async def of(self, command: AnyCommand) -> CommandResult:
        """Return the outcome of a command, carrying it out only if its id is new."""
        if command.command_id in self._known:
            first, outcome = self._known[command.command_id]
            if first != command:
                return Denied(f"command id {command.command_id} was used for another command: use a fresh id")
            return await asyncio.shield(outcome)
        fresh: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
        self._remember(command, fresh)
        try:
            result = await self._carry_out(command)
        except FloorError as error:
            result = Denied(str(error))
        except BaseException:
            fresh.cancel()
            raise
        fresh.set_result(result)
        return result

    def _remember(self, command: AnyCommand, outcome: asyncio.Future[CommandResult]) -> None:
        self._known[command.command_id] = (command, outcome)
        while len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)
