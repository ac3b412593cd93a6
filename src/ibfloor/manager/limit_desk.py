"""Limits changed, orders confirmed, strategies enabled again, while the floor runs. Owner: the main loop."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Protocol, assert_never

import structlog

from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.gate_limits import GateLimits, Unconfirmed
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.risk_officer import RiskOfficer
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

log = structlog.get_logger("limits")
LimitCommand = ChangeLimits | ResetLimits | ConfirmOrder | EnableStrategy


class Change(Protocol):
    """A change of limits that has been put together, and may be carried out."""

    def __call__(self, *, is_confirmed: bool) -> LimitsChanged | Unconfirmed | None:
        """Change them, or say what is not confirmed; raises ``ValueError`` for what is no limit."""


class LimitDesk:
    """Takes the commands about limits; each change holds for the next order, and is a fact in the journal.

    What only tightens asks nobody. What lets more pass is confirmed, by the risk officer too where there is one.
    """

    def __init__(self, limits: GateLimits, queue: MessageQueue, clock: Clock, officer: RiskOfficer) -> None:
        self._limits = limits
        self._queue = queue
        self._clock = clock
        self._officer = officer

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
        wanted = tuple(command.limits.items())
        change = partial(self._limits.change, scope, wanted, actor=command.actor, reason=command.reason)
        return await self._carried_out(command, change)

    async def _reset(self, command: ResetLimits) -> CommandResult:
        scope = scope_of(command.scope) if command.scope else None
        if scope is not None and str(scope) not in {row.scope for row in self._limits.rows()}:  # what is gone may be
            strange = await asyncio.wrap_future(self._queue.ask(lambda state: _strangeness(state, scope)))
            if strange:
                raise ConfigError(f"nothing was changed: {strange}")
        reset = partial(self._limits.reset, scope, command.limits, actor=command.actor, reason=command.reason)
        return await self._carried_out(command, reset)

    async def _carried_out(self, command: ChangeLimits | ResetLimits, change: Change) -> CommandResult:
        try:
            outcome = change(is_confirmed=False)
            if isinstance(outcome, Unconfirmed):
                texts = "; ".join(_text(each) for each in outcome.loosened)
                if not command.confirm:
                    return Denied(
                        f"this lets more pass than now: {texts}. Nothing was changed; say it again with --yes"
                    )
                if refusal := await self._officer.refusal("raise limits", command.passphrase):
                    log.warning("limits not changed", actor=command.actor, wanted=texts, reason=refusal)
                    return Denied(f"this lets more pass than now: {texts}. Nothing was changed: {refusal}")
                outcome = change(is_confirmed=True)
        except ValueError as error:
            raise ConfigError(f"nothing was changed: {error}") from None
        return self._told(outcome)

    def _told(self, outcome: LimitsChanged | Unconfirmed | None) -> CommandResult:
        if not isinstance(outcome, LimitsChanged):
            return Done("nothing to change: those limits hold already")
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
        if refusal := await self._officer.refusal("enable a strategy", command.passphrase):
            log.warning("strategy not enabled", strategy=name, actor=command.actor, reason=refusal)
            return Denied(f"{name} stays restrained: {refusal}")
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
