"""Limits changed, orders confirmed, strategies enabled again, while the floor runs. Owner: the main loop."""

from __future__ import annotations

import asyncio
from typing import assert_never

from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.gate_limits import GateLimits, Unconfirmed
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.model.command import (
    ChangeLimits,
    CommandResult,
    ConfirmOrder,
    Denied,
    Done,
    EnableStrategy,
    ResetLimits,
)
from ibfloor.model.errors import ConfigError
from ibfloor.model.instrument import SecurityType
from ibfloor.model.moment import Clock
from ibfloor.model.risk_fact import LimitChange, LimitsChanged, RestrictionLifted
from ibfloor.risk.confirmations import VALID_S
from ibfloor.risk.limits import Scope, ScopeKind

LimitCommand = ChangeLimits | ResetLimits | ConfirmOrder | EnableStrategy


class LimitDesk:
    """Takes the commands about limits; each change holds for the next order, and is a fact in the journal."""

    def __init__(self, limits: GateLimits, queue: MessageQueue, clock: Clock) -> None:
        self._limits = limits
        self._queue = queue
        self._clock = clock

    async def carry_out(self, command: LimitCommand) -> CommandResult:
        """Carry out a command; raises ``ConfigError`` for a scope or a value that is none."""
        match command:
            case ChangeLimits():
                return await self._change(command)
            case ResetLimits():
                return await self._reset(command)
            case ConfirmOrder():
                return self._confirm(command)
            case EnableStrategy():
                return await self._enable(command)
            case _:
                assert_never(command)

    async def _change(self, command: ChangeLimits) -> CommandResult:
        scope = scope_of(command.scope)
        if not command.limits:
            raise ConfigError("name a limit and its value, as max_order_qty=100")
        strange = await asyncio.wrap_future(self._queue.ask(lambda state: _strangeness(state, scope)))
        if strange:
            raise ConfigError(f"nothing was changed: {strange}")
        try:
            outcome = self._limits.change(
                scope,
                tuple(command.limits.items()),
                actor=command.actor,
                reason=command.reason,
                is_confirmed=command.confirm,
            )
        except ValueError as error:
            raise ConfigError(f"nothing was changed: {error}") from None
        return self._told(outcome)

    async def _reset(self, command: ResetLimits) -> CommandResult:
        scope = scope_of(command.scope) if command.scope else None
        if scope is not None and str(scope) not in {row.scope for row in self._limits.rows()}:  # what is gone may be
            strange = await asyncio.wrap_future(self._queue.ask(lambda state: _strangeness(state, scope)))
            if strange:
                raise ConfigError(f"nothing was changed: {strange}")
        try:
            outcome = self._limits.reset(
                scope, command.limits, actor=command.actor, reason=command.reason, is_confirmed=command.confirm
            )
        except ValueError as error:
            raise ConfigError(f"nothing was changed: {error}") from None
        return self._told(outcome)

    def _told(self, outcome: LimitsChanged | Unconfirmed | None) -> CommandResult:
        if outcome is None:
            return Done("nothing to change: those limits hold already")
        if isinstance(outcome, Unconfirmed):
            texts = "; ".join(_text(change) for change in outcome.loosened)
            return Denied(f"this lets more pass than now: {texts}. Nothing was changed; say it again with --yes")
        self._queue.put(outcome)
        texts = "; ".join(_text(change) for change in outcome.changes)
        return Done(f"limits version {outcome.version}, from the next order on: {texts}")

    def _confirm(self, command: ConfirmOrder) -> CommandResult:
        request = self._limits.confirm(command.cl_ord_id)
        if request is None:
            return Denied(f"{command.cl_ord_id} is no order that waits to be confirmed")
        what = f"{request.side} {request.order_qty:f} of instrument {request.instrument_id}"
        return Done(f"{request.strategy} may send one order to {what} within {VALID_S} market seconds")

    async def _enable(self, command: EnableStrategy) -> CommandResult:
        name = command.strategy
        held = await asyncio.wrap_future(self._queue.ask(lambda state: state.risk.restricted.get(name)))
        if held is None:
            return Denied(f"{name} is not restrained by any guard")
        now_ns = self._clock.now_ns()
        self._queue.put(
            RestrictionLifted(
                ts_event_ns=now_ns, ts_init_ns=now_ns, strategy=name, actor=command.actor, reason=command.reason
            )
        )
        await asyncio.wrap_future(self._queue.ask(lambda _: None))  # it holds once the queue has taken it
        return Done(f"{name} may trade again; it was restrained: {held.reason}")


def scope_of(text: str) -> Scope:
    """Return the scope a text names; raise ``ConfigError`` that says how scopes are written."""
    kind, _, name = text.partition(".")
    try:
        scope = Scope(ScopeKind(kind), name)
    except ValueError:
        scope = None
    is_named = scope is not None and scope.kind not in (ScopeKind.COMMON, ScopeKind.ACCOUNT)
    if scope is None or bool(name) is not is_named:
        raise ConfigError(
            f"{text!r} is no scope of limits: write risk, account, strategy.NAME, class.FUT or instrument.ESZ6"
        )
    return scope


def _strangeness(state: FloorState, scope: Scope) -> str:
    # A slip of the pen must not look like a limit.
    name = scope.name
    match scope.kind:
        case ScopeKind.STRATEGY if name not in state.strategies:
            return f"the floor knows no strategy {name}; there are: {', '.join(sorted(state.strategies)) or 'none'}"
        case ScopeKind.CLASS if name not in [kind.value for kind in SecurityType]:
            return f"{name} is no kind of security; there are: {', '.join(kind.value for kind in SecurityType)}"
        case ScopeKind.INSTRUMENT if not any(
            name in (each.local_symbol, str(key)) for key, each in state.instruments.items()
        ):
            return f"the floor has not met an instrument {name}: name it by IB's local symbol or its conId"
        case _:
            return ""


def _text(change: LimitChange) -> str:
    scope = f"{change.scope}.{change.name}" if change.name else change.scope
    after = "as in floor.toml" if change.after is None else change.after
    return f"{scope} {change.limit} {change.before or 'not its own'} -> {after}"
