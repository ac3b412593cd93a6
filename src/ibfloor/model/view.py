"""Views: what a screen or a program may see. Values made by their owner, one row a struct.

The floor keeps the last row of every ``(topic, key)`` and publishes the fields that changed.
Times are market time in UTC nanoseconds; amounts are exact and travel as strings.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.booking import AnyBooking


class FloorView(msgspec.Struct, frozen=True, kw_only=True):
    """Topic ``floor``, key ``floor``: the engine itself."""

    name: str
    mode: str
    version: str
    ts_ns: int
    speed: float
    time_zone: str = "America/New_York"
    """The zone in which the exchange's time is shown."""
    kill_latched: bool
    kill_reason: str = ""
    watchdog: str = ""
    """``on``, ``starting`` or ``LOST: ...``; empty where none is wanted."""
    has_risk_officer: bool = False
    """Whether a kill switch opens, and a limit rises, by the risk officer's passphrase alone."""
    gate_open: bool = False
    gate_reason: str = ""
    strategies_running: int = 0
    strategies_total: int = 0
    orders_working: int = 0
    orders_total: int = 0
    orders_unknown: int = 0
    rejected: int = 0
    fills: int = 0
    breaks: int = 0
    ticks: int = 0
    bars_stored: int = 0
    loop_lag_p99_ms: float = 0.0
    queue_depth: int = 0
    messages_per_s: float = 0.0
    """Messages sent to the broker in the last second, all sessions together."""
    gateway_round_trip_ms: float = -1.0
    """The account session's last heartbeat; -1 while there is none."""
    web_url: str = ""
    """Where the pages are; empty when none are served."""


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """Topic ``account``, key the account id: the account strip. ``None`` = not known now."""

    account: str
    base_currency: str
    net_liquidation: Decimal | None = None
    broker_net_liquidation: Decimal | None = None
    day_pnl: Decimal | None = None
    unrealised_pnl: Decimal | None = None
    realised_pnl: Decimal | None = None
    fees: Decimal | None = None
    cash: dict[str, Decimal] = {}
    gross_exposure: Decimal | None = None
    net_exposure: Decimal | None = None
    drawdown_pct: Decimal | None = None
    excess_liquidity: Decimal | None = None
    books_equal_account: bool | None = None
    ts_reconciled_ns: int = 0
    not_known: str = ""
    """Why figures are missing: a mark or an exchange rate that is not there, or too old."""


class StrategyView(msgspec.Struct, frozen=True, kw_only=True):
    """Topic ``strategies``, key the strategy's name."""

    name: str
    class_name: str
    state: str
    reason: str = ""
    symbols: tuple[str, ...] = ()
    positions: dict[str, Decimal] = {}
    realised_pnl: Decimal | None = None
    unrealised_pnl: Decimal | None = None
    pnl: Decimal | None = None
    fees: Decimal | None = None
    not_known: str = ""
    """Why figures are missing: a mark or an exchange rate that is absent or too old."""
    orders: int = 0
    orders_working: int = 0
    fills: int = 0
    rejected: int = 0
    restarts: int = 0
    capital: Decimal | None = None
    """Allocated, in account currency; ``None`` where no capital is allocated."""
    client_id: int = -1
    loop_lag_ms: float = 0.0
    spark: tuple[float, ...] = ()
    """Recent P&L, oldest first, for the sparkline."""


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """Topic ``orders``, key the client order id."""

    cl_ord_id: str
    strategy: str
    symbol: str
    side: str
    ord_type: str
    order_qty: Decimal
    cum_qty: Decimal
    avg_px: Decimal
    limit_px: Decimal | None
    stop_px: Decimal | None
    time_in_force: str
    status: str
    text: str
    ts_submitted_ns: int
    ts_updated_ns: int


class FillView(msgspec.Struct, frozen=True, kw_only=True):
    """Topic ``fills``, key the execution id."""

    exec_id: str
    cl_ord_id: str
    strategy: str
    instrument_id: int
    symbol: str
    side: str
    last_qty: Decimal
    last_px: Decimal
    fee: Decimal | None
    ts_ns: int


class PositionView(msgspec.Struct, frozen=True, kw_only=True):
    """Topic ``positions``, key ``<strategy>/<instrument_id>``. ``mark_px`` carries its time and source."""

    strategy: str
    instrument_id: int
    symbol: str
    qty: Decimal
    avg_px: Decimal
    mark_px: Decimal | None
    mark_ts_ns: int
    mark_source: str
    unrealised_pnl: Decimal | None
    realised_pnl: Decimal
    currency: str


class InstrumentView(msgspec.Struct, frozen=True, kw_only=True):
    """Topic ``instruments``, key the instrument id: what is watched, with its last quote."""

    instrument_id: int
    symbol: str
    min_tick: Decimal
    currency: str
    bid_px: float | None
    ask_px: float | None
    last_px: float | None
    ts_ns: int
    is_fresh: bool
    subscribers: int


class BarView(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Topic ``bars``, key ``<instrument_id>/<bar name>``: the newest bar, maybe still growing."""

    start_ns: int
    open_px: float
    high_px: float
    low_px: float
    close_px: float
    volume: float
    is_closed: bool


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Topic ``sessions``, key the session's name: one IB client."""

    session: str
    client_id: int
    state: str
    detail: str
    round_trip_ms: float
    reconnects: int


class EquityView(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Topic ``equity``, key a running number: one point of the account's curves."""

    ts_ns: int
    net_liquidation: float
    drawdown_pct: float
    gross_exposure: float
    net_exposure: float


class RiskView(msgspec.Struct, frozen=True, kw_only=True):
    """Topic ``risk``, key the rule's name: a limit and how much of it is used."""

    rule: str
    limit: str
    used: str
    used_pct: float | None
    refusals: int


class LimitView(msgspec.Struct, frozen=True, kw_only=True):
    """Topic ``limits``, key ``<scope>/<limit>``: a limit as it holds now."""

    scope: str
    limit: str
    rule: str
    value: str
    """As floor.toml writes it."""
    in_file: str
    """What floor.toml says; empty where the scope has none of its own there."""
    is_changed: bool
    """Whether it was changed while the floor runs."""


class LogView(msgspec.Struct, frozen=True, kw_only=True):
    """Topic ``log``, key a running number: one line of the floor's log."""

    number: int
    ts_ns: int
    level: str
    source: str
    text: str


class RateView(msgspec.Struct, frozen=True, kw_only=True):
    """Topic ``rates``, key the currency: what one unit is worth in the account's base currency."""

    currency: str
    base: str
    rate: Decimal | None
    """As last told, too old or not; ``None`` when it was never told."""
    ts_ns: int
    source: str
    problem: str
    """Why it is not used; empty when it is."""


class KillView(msgspec.Struct, frozen=True, kw_only=True):
    """Topic ``kills``, key ``account``, ``strategy:<name>`` or ``instrument:<symbol or id>``: a latched switch."""

    scope: str
    target: str
    actor: str
    reason: str
    ts_ns: int
    phase: str
    """``canceling``, ``verified``, ``not verified``, ``closing``, ``flat`` or ``not flat``."""
    orders_left: int
    """Orders in reach that the broker lists; -1 while it has not said."""
    text: str = ""


class BreakView(msgspec.Struct, frozen=True, kw_only=True):
    """Topic ``breaks``, key the break's key."""

    key: str
    ours: Decimal
    theirs: Decimal
    text: str
    ts_ns: int
    symbol: str = ""
    """The instrument's name, or the currency."""
    cause: str = "UNKNOWN"
    why: str = ""
    """What speaks for the cause."""
    proposal: AnyBooking | None = None
    """The booking that would end it, as ``PreviewBooking`` takes it."""


class BookView(msgspec.Struct, frozen=True, kw_only=True):
    """Topic ``books``, key the book's name: a strategy's, or ``UNASSIGNED``. Amounts in base currency."""

    strategy: str
    cash: dict[str, Decimal] = {}
    """By currency."""
    equity: Decimal | None = None
    realised_pnl: Decimal | None = None
    unrealised_pnl: Decimal | None = None
    income: Decimal | None = None
    """Dividends and interest less borrow cost and charges."""
    fees: Decimal | None = None
    not_known: str = ""
    """Why figures are missing."""


class EntryView(msgspec.Struct, frozen=True, kw_only=True):
    """Topic ``entries``, key the entry's id: a booking that is no execution."""

    entry_id: str
    kind: str
    ts_ns: int
    books: tuple[str, ...]
    text: str
    reason: str
    actor: str
    reverses: str
    reversed_by: str
    break_key: str


Row = (
    FloorView
    | AccountView
    | StrategyView
    | OrderView
    | FillView
    | PositionView
    | InstrumentView
    | SessionView
    | RiskView
    | LogView
    | BreakView
    | EntryView
    | BookView
    | KillView
    | RateView
    | LimitView
)
TOPICS = (
    "floor",
    "account",
    "strategies",
    "orders",
    "fills",
    "positions",
    "instruments",
    "bars",
    "equity",
    "sessions",
    "risk",
    "log",
    "breaks",
    "entries",
    "books",
    "kills",
    "rates",
    "limits",
)
