"""What a fault does, as data: each kind of action is a struct, told apart by its ``do``."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal

import msgspec

Fields = dict[str, str | int | float | bool]


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


class Action(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag=_snake):
    """What all actions share. Seconds are market seconds; ``for_s = 0`` is until the fault is cleared."""


# -- one message, on its way out or in


class Drop(Action, frozen=True, kw_only=True):
    """Lose the message."""


class Duplicate(Action, frozen=True, kw_only=True):
    """Tell the message again, with other ``fields`` where given."""

    copies: int = 1
    fields: Fields = {}


class Reorder(Action, frozen=True, kw_only=True):
    """Hold the message back until others passed, or until a message of a name has."""

    behind: int = 1
    behind_message: str = ""
    at_most_s: float = 5.0


class Delay(Action, frozen=True, kw_only=True):
    """Let the message go later; later ones overtake it."""

    seconds: float


class Rewrite(Action, frozen=True, kw_only=True):
    """Change fields of the message; those in ``unset`` are left out, as IB writes unset values."""

    fields: Fields = {}
    unset: tuple[str, ...] = ()


class Reshape(Action, frozen=True, kw_only=True):
    """Tell the times in the message in another of the shapes that IB has been seen to send."""

    shape: Literal["no_zone", "two_spaces", "utc_dash", "epoch"]
    """``20131007 10:00:00``, ``20131007  10:00:00``, ``20131007-14:00:00`` (which is UTC), ``1381154400``."""


class Truncate(Action, frozen=True, kw_only=True):
    """Send only the first bytes of the frame, as if all had been sent."""

    at: int


class Split(Action, frozen=True, kw_only=True):
    """Send the first bytes of the frame now, and everything after them later."""

    at: int
    pause_s: float = 0.05


class Garbage(Action, frozen=True, kw_only=True):
    """Send random bytes before the message: a whole frame of them, or bare ones that break the framing."""

    size: int = 16
    framed: bool = True


class Fail(Action, frozen=True, kw_only=True):
    """Answer a request with an error instead of serving it."""

    code: int
    text: str
    copies: int = 1


class Remark(Action, frozen=True, kw_only=True):
    """Serve a request and tell an error for it all the same; ``why_held`` shows an order held."""

    code: int
    text: str
    why_held: str = ""


# -- connections


class Mute(Action, frozen=True, kw_only=True):
    """Half-open: the connection stands, and no byte passes one way or both; bytes pass late when it ends."""

    way: Literal["out", "in", "both"] = "both"
    for_s: float = 0.0


class CapBuffer(Action, frozen=True, kw_only=True):
    """Drop a client that leaves more bytes than this unread."""

    size: int = 65536


class Reset(Action, frozen=True, kw_only=True):
    """Reset connections, at once or when so many more bytes were written."""

    after_bytes: int = 0


class Refuse(Action, frozen=True, kw_only=True):
    """Take no connection: close it at once, after the greeting, or never answer it."""

    how: Literal["closed", "greeted", "silent"] = "closed"
    for_s: float = 0.0


class MovePort(Action, frozen=True, kw_only=True):
    """Tell 1300, drop every client and listen on another port; 0 takes a free one."""

    port: int = 0


class HoldId(Action, frozen=True, kw_only=True):
    """Keep the client id of a client that has gone in use, so that 326 answers its return."""

    for_s: float = 60.0


class Restart(Action, frozen=True, kw_only=True):
    """Restart the gateway: reset every connection, refuse new ones, and let order ids fall back.

    For ``closing_s`` before that it hears nothing more: orders sent in this time are lost.
    """

    for_s: float = 5.0
    rollback: int = 0
    closing_s: float = 0.0


class KillProcess(Action, frozen=True, kw_only=True):
    """End the process on the spot, as a crash does."""


# -- IB's own troubles


class Notice(Action, frozen=True, kw_only=True):
    """Tell every client an error or a notice."""

    code: int
    text: str
    copies: int = 1


class LoseUpstream(Action, frozen=True, kw_only=True):
    """Cut the gateway off from IB: 1100 or 2110, then 1101 (data lost) or 1102.

    Quotes stop and orders wait. What happens to orders is told afterwards, never, or in spite of it.
    ``fork`` makes of a change in this time a second live order, under another permanent id.
    """

    for_s: float = 10.0
    code: Literal[1100, 2110] = 1100
    copies: int = 1
    data_lost: bool = False
    orders: Literal["late", "lost", "now"] = "late"
    fork: bool = False


class FarmDown(Action, frozen=True, kw_only=True):
    """Break a data farm (2103, or 2105 for history), then mend it (2104, 2106)."""

    farm: str = "usfarm"
    history: bool = False
    for_s: float = 10.0


class Halt(Action, frozen=True, kw_only=True):
    """Halt the trading of a symbol: tick 49 says so, quotes go on, nothing trades; then let it go on."""

    symbol: str
    volatility: bool = False
    """A pause for volatility: tick 49 is 2, not 1."""
    for_s: float = 300.0


class Compete(Action, frozen=True, kw_only=True):
    """Let another session take the market data: 10197 on every line."""

    for_s: float = 30.0


class Withhold(Action, frozen=True, kw_only=True):
    """Tell no executions for a while, as in the nightly reset; then all at once."""

    for_s: float = 600.0


class ReadOnly(Action, frozen=True, kw_only=True):
    """Answer everything that would change an order with 321."""

    for_s: float = 0.0


class NoPermission(Action, frozen=True, kw_only=True):
    """Refuse market data of some symbols (none named: all); delayed data where a client asks for it."""

    symbols: tuple[str, ...] = ()
    code: Literal[354, 10089, 10090, 10168] = 354
    delayed: bool = True
    for_s: float = 0.0


class LoseStreams(Action, frozen=True, kw_only=True):
    """End running subscriptions of a kind with an error."""

    streams: Literal["quotes", "ticks", "bars", "history"] = "bars"
    code: int = 10182
    text: str = "Failed to request live updates (disconnected)."


# -- orders, executions, positions


class CorrectFill(Action, frozen=True, kw_only=True):
    """Correct the price of an execution by so many ticks: its id ends in .02 then."""

    ticks: int = 1
    after_s: float = 0.0


class BustFill(Action, frozen=True, kw_only=True):
    """Take an execution back; only the position tells."""

    after_s: float = 0.0


class FillAfterCancel(Action, frozen=True, kw_only=True):
    """Fill the rest of an order that clients were told is canceled."""

    after_s: float = 0.0


class FillBeforeCancel(Action, frozen=True, kw_only=True):
    """Fill the rest of an order, or a ``share`` of it, just before its cancel is looked at.

    With ``is_pending`` the client is told first that the cancel is pending.
    """

    share: Decimal = Decimal(1)
    is_pending: bool = False


class ForkOrder(Action, frozen=True, kw_only=True):
    """Make of a change a second live order, under the same order id and another permanent id."""


class ManualOrder(Action, frozen=True, kw_only=True):
    """Place a limit order as if by hand in TWS."""

    symbol: str
    qty: Decimal
    limit_px: Decimal
    side: Literal["BUY", "SELL"] = "BUY"
    account: str = ""
    """None named: the login's first."""


class MovePosition(Action, frozen=True, kw_only=True):
    """Change a position without any execution: times a ratio (a split), plus a quantity (an assignment).

    Where no account is named, a split is of every one that holds the symbol, an assignment of the first.
    """

    symbol: str
    ratio: Decimal = Decimal(1)
    add: Decimal = Decimal(0)
    px: Decimal = Decimal(0)
    """What an added unit cost."""
    account: str = ""


MessageAction = Drop | Duplicate | Reorder | Delay | Rewrite | Reshape | Truncate | Split | Garbage
RequestAction = Fail | Remark | FillBeforeCancel | ForkOrder
LinkAction = Mute | CapBuffer | Reset | Refuse | MovePort | HoldId | Restart | KillProcess
StateAction = Notice | LoseUpstream | FarmDown | Halt | Compete | Withhold | ReadOnly | NoPermission | LoseStreams
OrderAction = CorrectFill | BustFill | FillAfterCancel | ManualOrder | MovePosition
AnyAction = MessageAction | RequestAction | LinkAction | StateAction | OrderAction
