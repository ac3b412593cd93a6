"""Facts: what happened, in the past tense. The journal holds them; every book is a fold over them.

``ts_event_ns`` is the broker's time of the event where it gives one, else ours; ``ts_init_ns`` is
when the floor learned of it. Both are market time, UTC nanoseconds.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from ibfloor.model.arrival import Arrival
from ibfloor.model.booking import AnyBooking, BreakCause
from ibfloor.model.capital import CapitalAllocated, CapitalRuled
from ibfloor.model.entry import BookEntry
from ibfloor.model.fact_base import Fact as Fact
from ibfloor.model.highs import Highs
from ibfloor.model.ids import AccountId, ClientOrderId, ExecId, InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.marking import BooksMarked
from ibfloor.model.money import Currency, Money
from ibfloor.model.order import OrderRequest, OrdStatus, Refusal, Side
from ibfloor.model.risk_fact import LimitsChanged, PeakReached, RestrictionLifted, TradingRestricted


class InstrumentDefined(Fact, frozen=True, kw_only=True):
    """The broker told us what a contract is."""

    instrument: Instrument


class OrderSubmitted(Fact, frozen=True, kw_only=True):
    """An intent passed the gate. In a worker's journal it stands before its bytes reach the wire."""

    request: OrderRequest
    client_id: int
    order_id: int
    arrival: Arrival | None = None
    """What the market stood at; ``None`` where no price was known."""


class OrderRefused(Fact, frozen=True, kw_only=True):
    """An intent was refused before sending, by a rule or by the floor's state."""

    request: OrderRequest
    reason: Refusal


class CancelRequested(Fact, frozen=True, kw_only=True):
    """A cancel was asked for; journaled before it is sent."""

    cl_ord_id: ClientOrderId
    reason: str = ""


class ReplaceRequested(Fact, frozen=True, kw_only=True):
    """A change of quantity or price was asked for; journaled before it is sent."""

    request: OrderRequest


class OrderReported(Fact, frozen=True, kw_only=True):
    """The broker told the state of an order of ours. Quantities here never create fills."""

    cl_ord_id: ClientOrderId
    status: OrdStatus
    perm_id: int = 0
    cum_qty: Decimal = Decimal(0)
    text: str = ""
    order_qty: Decimal | None = None
    """The whole order's quantity as the broker has it now; ``None`` where that is as asked, or was not told."""


class OrderRejected(Fact, frozen=True, kw_only=True):
    """The broker refused an order, with its own code and text."""

    cl_ord_id: ClientOrderId
    code: int
    text: str


class OrderWarned(Fact, frozen=True, kw_only=True):
    """The broker said something of an order that stays as it is."""

    cl_ord_id: ClientOrderId
    code: int
    text: str


class OrderDoubted(Fact, frozen=True, kw_only=True):
    """We cannot know whether an order reached the broker: ask, never send again."""

    cl_ord_id: ClientOrderId
    reason: str


class OrderForked(Fact, frozen=True, kw_only=True):
    """The broker works an intent more than once, or one that is filled: it is canceled until none is left."""

    cl_ord_id: ClientOrderId
    perm_ids: tuple[int, ...]
    """All that work now."""


class OrderHanded(Fact, frozen=True, kw_only=True):
    """A working order whose strategy is gone belongs to another strategy now; its fills to that one's book."""

    cl_ord_id: ClientOrderId
    strategy: StrategyId
    """Whose it is from now on."""
    reason: str


class OrderFilled(Fact, frozen=True, kw_only=True, gc=False):
    """An execution. ``cl_ord_id`` is ``None`` for one that no strategy of ours ordered."""

    exec_id: ExecId
    cl_ord_id: ClientOrderId | None
    strategy: StrategyId
    instrument_id: InstrumentId
    side: Side
    last_qty: Decimal
    last_px: Decimal
    currency: Currency
    multiplier: Decimal = Decimal(1)
    perm_id: int = 0
    account: AccountId = AccountId("")
    order_ref: str = ""

    @property
    def signed_qty(self) -> Decimal:
        """Return the quantity, negative for a sale."""
        return self.last_qty if self.side is Side.BUY else -self.last_qty


class FeeReported(Fact, frozen=True, kw_only=True):
    """The cost of one execution; may come before its execution, or never."""

    exec_id: ExecId
    fee: Money


class CashMoved(Fact, frozen=True, kw_only=True):
    """Cash entered or left a book without a trade: opening balance, deposit, transfer."""

    strategy: StrategyId
    amount: Money
    reason: str


class PositionMoved(Fact, frozen=True, kw_only=True):
    """A position entered or left a book without a trade, at a price: opening balance, transfer."""

    strategy: StrategyId
    instrument_id: InstrumentId
    qty: Decimal
    px: Decimal
    currency: Currency
    multiplier: Decimal
    reason: str


class BreakFound(Fact, frozen=True, kw_only=True):
    """Books and account differ: the instrument is locked for entries until a person resolves it."""

    key: str
    """``position:<instrument_id>`` or ``cash:<currency>``."""
    ours: Decimal
    theirs: Decimal
    text: str
    cause: BreakCause = BreakCause.UNKNOWN
    why: str = ""
    """What speaks for the cause, for the person who is to judge it."""
    proposal: AnyBooking | None = None
    """The booking that would end it, where the evidence is enough for one. A person previews and confirms it."""


class BreakCleared(Fact, frozen=True, kw_only=True):
    """Books and account agree again."""

    key: str
    reason: str


class Reconciled(Fact, frozen=True, kw_only=True):
    """Books were compared with the account, and what was unknown was settled."""

    positions: int
    breaks: int
    unknown_orders: int
    equity: Decimal | None = None
    """What the account was worth by the marks of then, in base currency; ``None`` where it could not be valued."""
    peak: Decimal = Decimal(0)
    flows: Decimal = Decimal(0)
    flows_by: tuple[Money, ...] = ()
    """The same by currency: what of it is counted in ``flows``, each at the rate of its time."""
    highs: Highs | None = None
    """What was earned: from where, how high, and the bookings that the heights lie between."""


class SessionState(StrEnum):
    """A broker session's life."""

    CONNECTING = "CONNECTING"
    CONNECTED = "CONNECTED"
    DEGRADED = "DEGRADED"
    DISCONNECTED = "DISCONNECTED"
    """Lost: it comes back by itself."""
    CLOSED = "CLOSED"
    """Ended on purpose."""
    FAILED = "FAILED"


class SessionChanged(Fact, frozen=True, kw_only=True):
    """A broker session changed its state."""

    session: str
    """``master``, ``data`` or a strategy's name."""
    client_id: int
    state: SessionState
    detail: str = ""
    round_trip_ms: float = -1.0


class StrategyState(StrEnum):
    """A strategy's life, as the StrategyManager sees it."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    STOPPING = "STOPPING"
    RESTARTING = "RESTARTING"
    FAILED = "FAILED"


class StrategyChanged(Fact, frozen=True, kw_only=True):
    """A strategy changed its state."""

    strategy: StrategyId
    state: StrategyState
    reason: str = ""
    restarts: int = 0


class DayOpened(Fact, frozen=True, kw_only=True):
    """A trading day began at this equity: what the day's result is measured from."""

    day: str
    """``YYYY-MM-DD`` in New York."""
    equity: Decimal
    flows: Decimal
    """All that ever came in without a trade, as of then, at the rates of when it came."""
    currency: Currency
    flows_by: tuple[Money, ...] = ()
    """The same by currency."""


class KillLatched(Fact, frozen=True, kw_only=True):
    """A kill switch closed: nothing in its reach is sent any more (``model.kill.place_of``)."""

    actor: str
    reason: str
    scope: str = "account"
    target: str = ""


class KillChecked(Fact, frozen=True, kw_only=True):
    """After a kill the broker's own list was looked at, or could not be had in time."""

    orders_left: int
    """Orders in reach that the broker lists as working; -1 when it could not be asked."""
    text: str
    scope: str = "account"
    target: str = ""

    @property
    def is_clear(self) -> bool:
        """Tell whether the broker lists no working order in reach."""
        return self.orders_left == 0


class KillReset(Fact, frozen=True, kw_only=True):
    """A kill switch was opened again by a person, with a reason."""

    actor: str
    reason: str
    scope: str = "account"
    target: str = ""


class CommandTaken(Fact, frozen=True, kw_only=True):
    """A person or a program gave a command: the audit trail."""

    command_id: str
    actor: str
    text: str
    outcome: str


class ClientAssigned(Fact, frozen=True, kw_only=True):
    """A strategy got its client id, for good."""

    strategy: StrategyId
    client_id: int


class FillsTold(Fact, frozen=True, kw_only=True):
    """A strategy has handled its executions up to its n-th: what came after, it has not heard of yet."""

    strategy: StrategyId
    number: int


AnyFact = (
    InstrumentDefined
    | OrderSubmitted
    | OrderRefused
    | CancelRequested
    | ReplaceRequested
    | OrderReported
    | OrderRejected
    | OrderWarned
    | OrderDoubted
    | OrderForked
    | OrderHanded
    | OrderFilled
    | FeeReported
    | CashMoved
    | PositionMoved
    | BookEntry
    | BooksMarked
    | CapitalAllocated
    | CapitalRuled
    | BreakFound
    | BreakCleared
    | Reconciled
    | SessionChanged
    | StrategyChanged
    | DayOpened
    | KillLatched
    | KillChecked
    | KillReset
    | CommandTaken
    | ClientAssigned
    | FillsTold
    | LimitsChanged
    | TradingRestricted
    | RestrictionLifted
    | PeakReached
)
