"""Commands from people and programs: carried out on the main loop, each with a line in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import assert_never

import msgspec
import structlog

from ibfloor.manager.booking_desk import BookingDesk
from ibfloor.manager.capital_keeper import CapitalKeeper
from ibfloor.manager.desk import StrategySpec
from ibfloor.manager.kill_switch import KillSwitch
from ibfloor.manager.limit_desk import LimitDesk
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.strategy_manager import StrategyManager
from ibfloor.model.command import (
    AddStrategy,
    AnyCommand,
    CancelAll,
    CancelOrder,
    ChangeLimits,
    CommandResult,
    ConfirmBooking,
    ConfirmOrder,
    Denied,
    Done,
    EnableStrategy,
    FlattenKilled,
    Kill,
    PauseStrategy,
    PreviewBooking,
    ResetLimits,
    ResumeStrategy,
    SetCapital,
    Shutdown,
    StartAll,
    StartStrategy,
    StopAll,
    StopStrategy,
    Unkill,
)
from ibfloor.model.errors import ConfigError, FloorError
from ibfloor.model.fact import CommandTaken
from ibfloor.model.ids import ClientOrderId, StrategyId
from ibfloor.model.kill import KillPlace, checked_place
from ibfloor.model.moment import Clock

log = structlog.get_logger("commands")

_UNTOLD = ("type", "command_id", "actor", "passphrase")


class CommandDesk:
    """Takes a command, has its owner carry it out, and journals who asked and what came of it."""

    def __init__(
        self,
        strategies: StrategyManager,
        kill_switch: KillSwitch,
        queue: MessageQueue,
        clock: Clock,
        bookings: BookingDesk,
        capital: CapitalKeeper,
        limits: LimitDesk,
        *,
        shut_down: Callable[[], None],
    ) -> None:
        self._strategies = strategies
        self._kill_switch = kill_switch
        self._queue = queue
        self._clock = clock
        self._bookings = bookings
        self._capital = capital
        self._limits = limits
        self._shut_down = shut_down

    async def carry_out(self, command: AnyCommand) -> CommandResult:
        """Carry out a command; a refusal is an answer, never an exception."""
        try:
            result = await self._dispatch(command)
        except FloorError as error:
            result = Denied(str(error))
        except Exception as error:
            log.exception("a command failed", command=type(command).__name__)
            result = Denied(f"the floor could not carry it out: {error!r}")
        now_ns = self._clock.now_ns()
        self._queue.put(
            CommandTaken(
                ts_event_ns=now_ns,
                ts_init_ns=now_ns,
                command_id=command.command_id,
                actor=command.actor,
                text=_text_of(command),
                outcome=f"{type(result).__name__}: {result.text}",
            )
        )
        return result

    async def _dispatch(self, command: AnyCommand) -> CommandResult:
        strategies = self._strategies
        match command:
            case StartStrategy():
                return self._unless_killed(command.strategy) or strategies.start(command.strategy)
            case StopStrategy():
                return await strategies.stop(command.strategy)
            case PauseStrategy():
                return strategies.pause(command.strategy)
            case ResumeStrategy():
                return strategies.resume(command.strategy)
            case StartAll():
                return self._unless_killed() or strategies.start_all(self._kill_switch.forbids)
            case StopAll():
                return await strategies.stop_all()
            case AddStrategy():
                return await self._add(command)
            case CancelOrder():
                return await self._cancel(command.cl_ord_id)
            case CancelAll():
                strategies.cancel_all()
                owners = await asyncio.wrap_future(
                    self._queue.ask(lambda state: {order.request.strategy for order in state.orders.working()})
                )
                await strategies.clear_up(owners, "cancel")
                return Done("cancels of all working orders are on their way")
            case Kill():
                place = await self._known_place(command)
                return await self._kill_switch.kill(place, command.actor, command.reason)
            case FlattenKilled():
                return await self._kill_switch.flatten(checked_place(command.scope, command.target))
            case Unkill():
                place = checked_place(command.scope, command.target)
                return await self._kill_switch.reset(place, command.actor, command.reason, command.passphrase)
            case PreviewBooking():
                return await self._bookings.preview(command)
            case ConfirmBooking():
                return await self._bookings.confirm(command)
            case SetCapital():
                return await self._capital.set_rule(command)
            case ChangeLimits() | ResetLimits() | ConfirmOrder() | EnableStrategy():
                return await self._limits.carry_out(command)
            case Shutdown():
                self._shut_down()
                return Done("the floor is shutting down")
            case _:
                assert_never(command)

    def _unless_killed(self, name: StrategyId | None = None) -> CommandResult | None:
        if self._kill_switch.is_latched:
            return Denied("trading is halted by the kill switch: reset it first")
        if name is not None and self._kill_switch.forbids(name):
            return Denied(f"{name} is halted by its kill switch: reset it first")
        return None

    async def _known_place(self, command: Kill) -> KillPlace:
        # A slip of the pen must not look like a kill.
        place = checked_place(command.scope, command.target)
        if not await asyncio.wrap_future(self._queue.ask(lambda state: state.knows(place))):
            raise ConfigError(f"nothing was halted: the floor knows no {place}")
        return place

    async def _add(self, command: AddStrategy) -> CommandResult:
        spec = StrategySpec(
            name=command.strategy,
            file=Path(command.file),
            class_name=command.class_name,
            params=dict(command.params),
            stop_policy="cancel",
        )
        await self._strategies.add(spec)
        if command.start:
            return self._unless_killed(command.strategy) or self._strategies.start(command.strategy)
        return Done(f"{command.strategy} is on the floor, stopped")

    async def _cancel(self, cl_ord_id: ClientOrderId) -> CommandResult:
        order = await asyncio.wrap_future(self._queue.ask(lambda state: state.orders.get(cl_ord_id)))
        if order is None:
            return Denied(f"there is no order {cl_ord_id}")
        if order.status.is_done:
            return Denied(f"{cl_ord_id} is {order.status.lower()} already")
        return await self._strategies.cancel(order.request.strategy, cl_ord_id)


def _text_of(command: AnyCommand) -> str:
    fields = msgspec.to_builtins(command)
    told = {key: value for key, value in fields.items() if key not in _UNTOLD}
    return " ".join([type(command).__name__, *(f"{key}={value}" for key, value in told.items())])
