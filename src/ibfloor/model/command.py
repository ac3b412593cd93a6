"""Commands: what a person or a program asks of the floor, in the imperative; each is audited."""

from __future__ import annotations

import msgspec

from ibfloor.model.booking import AnyBooking, BookingPreview
from ibfloor.model.capital import CapitalRule
from ibfloor.model.ids import ClientOrderId, StrategyId


class Command(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all commands. A ``command_id`` seen before is not carried out again."""

    command_id: str
    actor: str


class StartStrategy(Command, frozen=True, kw_only=True):
    """Start a stopped or failed strategy."""

    strategy: StrategyId


class StopStrategy(Command, frozen=True, kw_only=True):
    """Stop a strategy; its orders are handled by its stop policy."""

    strategy: StrategyId


class PauseStrategy(Command, frozen=True, kw_only=True):
    """Keep a strategy's data and books going, but refuse its new orders."""

    strategy: StrategyId


class ResumeStrategy(Command, frozen=True, kw_only=True):
    """Let a paused strategy trade again."""

    strategy: StrategyId


class StartAll(Command, frozen=True, kw_only=True):
    """Start every strategy that is stopped or failed."""


class StopAll(Command, frozen=True, kw_only=True):
    """Stop every strategy, each by its own stop policy."""


class AddStrategy(Command, frozen=True, kw_only=True):
    """Load one more strategy from a file while the floor runs."""

    strategy: StrategyId
    file: str
    class_name: str = ""
    params: dict[str, object] = {}
    start: bool = True


class CancelOrder(Command, frozen=True, kw_only=True):
    """Cancel one working order, whoever placed it."""

    cl_ord_id: ClientOrderId


class CancelAll(Command, frozen=True, kw_only=True):
    """Cancel every working order; strategies go on."""


class Kill(Command, frozen=True, kw_only=True):
    """Latch a kill switch: block, cancel all in its reach, and look at the broker until none works."""

    reason: str
    scope: str = "account"
    """``account``, ``strategy`` or ``instrument``."""
    target: str = ""
    """The strategy's name, the instrument's symbol or its id; empty for the account."""


class FlattenKilled(Command, frozen=True, kw_only=True):
    """Close what a latched kill switch has in reach; refused while an order works there."""

    scope: str = "account"
    target: str = ""


class Unkill(Command, frozen=True, kw_only=True):
    """Open a kill switch; refused to who is not the risk officer, and while books and account differ."""

    reason: str
    scope: str = "account"
    target: str = ""
    passphrase: str = ""
    """The risk officer's; never written down with the command."""


class PreviewBooking(Command, frozen=True, kw_only=True):
    """Work out what a booking would do, and change nothing; answered by ``Previewed``."""

    booking: AnyBooking
    reason: str
    break_key: str = ""
    """The break it is to resolve."""
    ts_ns: int = 0
    """From when on it counts, in market time: the ex-date of a split or a dividend; 0 = now."""


class ConfirmBooking(Command, frozen=True, kw_only=True):
    """Book what was previewed; refused when the books it touches have moved on since."""

    preview_id: str


class SetCapital(Command, frozen=True, kw_only=True):
    """Give a strategy another rule for its capital; refused where it, or all weights together, make no sense."""

    strategy: StrategyId
    rule: CapitalRule


class ChangeLimits(Command, frozen=True, kw_only=True):
    """Change limits of one scope for the very next order; what lets more pass must be confirmed."""

    scope: str
    """``risk``, ``account``, or ``strategy.NAME``, ``class.FUT``, ``instrument.ESZ6``."""
    limits: dict[str, str]
    """New values by the limits' names, as floor.toml writes them."""
    reason: str = ""
    confirm: bool = False
    passphrase: str = ""
    """The risk officer's, for what lets more pass; never written down with the command."""


class ResetLimits(Command, frozen=True, kw_only=True):
    """Go back to floor.toml: for some limits of a scope, for a whole scope, or for everything."""

    scope: str = ""
    """As in ``ChangeLimits``; empty for all scopes."""
    limits: tuple[str, ...] = ()
    """Which; empty for all of the scope."""
    reason: str = ""
    confirm: bool = False
    passphrase: str = ""
    """As in ``ChangeLimits``."""


class ConfirmOrder(Command, frozen=True, kw_only=True):
    """Let one order like a refused one pass, which was refused until a person has looked at it."""

    cl_ord_id: ClientOrderId


class EnableStrategy(Command, frozen=True, kw_only=True):
    """Let a strategy trade again that a guard has restrained; its losses are measured anew."""

    strategy: StrategyId
    reason: str
    passphrase: str = ""
    """The risk officer's; never written down with the command."""


class Shutdown(Command, frozen=True, kw_only=True):
    """Stop all strategies, settle, and end the floor."""


AnyCommand = (
    StartStrategy
    | StopStrategy
    | PauseStrategy
    | ResumeStrategy
    | StartAll
    | StopAll
    | AddStrategy
    | CancelOrder
    | CancelAll
    | Kill
    | FlattenKilled
    | Unkill
    | PreviewBooking
    | ConfirmBooking
    | SetCapital
    | ChangeLimits
    | ResetLimits
    | ConfirmOrder
    | EnableStrategy
    | Shutdown
)


class Done(msgspec.Struct, frozen=True, tag=True):
    """The command was carried out; ``text`` says what happened."""

    text: str


class Denied(msgspec.Struct, frozen=True, tag=True):
    """The command was not carried out; ``text`` says why and what to do."""

    text: str


class Previewed(msgspec.Struct, frozen=True, tag=True):
    """What a booking would do, in words and in figures."""

    text: str
    preview: BookingPreview


CommandResult = Done | Denied | Previewed
