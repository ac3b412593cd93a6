"""The settings' shape: one frozen section per table of floor.toml, each key with its meaning."""

from __future__ import annotations

import re
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictInt

from ibfloor.config.books import BooksSection
from ibfloor.config.capital import CapitalSection
from ibfloor.config.crossing import CrossingSection
from ibfloor.config.fields import ClientId, Port, Seconds, Section, Zone, not_bool
from ibfloor.config.guards import AlarmSection, KillSection, WatchdogSection
from ibfloor.config.risk import RiskOverrides, RiskSection
from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import AccountId, StrategyId

SESSION_NAMES = ("master", "data")
RESTART_WINDOW = re.compile(
    r"(?:(?P<day>Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?(?P<start>[01]\d:[0-5]\d|2[0-3]:[0-5]\d)"
    r"-(?P<end>[01]\d:[0-5]\d|2[0-3]:[0-5]\d)"
)
STRATEGY_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


class Mode(StrEnum):
    """What kind of account the floor may trade."""

    PAPER = "paper"
    LIVE = "live"


class Durability(StrEnum):
    """What the journal survives: the end of the process, or the loss of power."""

    PROCESS = "process"
    POWER = "power"


class ClockSource(StrEnum):
    """Whose time is market time."""

    SYSTEM = "system"
    GATEWAY = "gateway"


class Launcher(StrEnum):
    """Who starts IB Gateway."""

    NONE = "none"
    IBC = "ibc"


class CredentialSource(StrEnum):
    """Where the log-in of IB Gateway is kept."""

    KEYRING = "keyring"
    SYSTEMD = "systemd"
    ENVIRONMENT = "environment"


class StopPolicy(StrEnum):
    """What becomes of a strategy's orders and position when it stops."""

    KEEP = "keep"
    CANCEL = "cancel"
    FLATTEN = "flatten"


def _loopback(host: str) -> str:
    if host != "localhost" and not _is_loopback(host):
        raise ValueError("the pages are served on loopback only: write 127.0.0.1, and use a tunnel from elsewhere")
    return host


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_strategy_name(name: str) -> str:
    """Return a fit name for a strategy; raise ``ConfigError`` that says what a name is made of."""
    try:
        return _strategy_name(name)
    except ValueError as error:
        raise ConfigError(f"{name!r} is no name for a strategy: {error}") from None


def _strategy_name(name: str) -> str:
    if not STRATEGY_NAME.fullmatch(name):
        raise ValueError("a name is a lower-case letter, then up to 31 lower-case letters, digits or dashes")
    if name in SESSION_NAMES:
        raise ValueError(f"{name} is the name of one of the floor's own sessions: choose another")
    return name


def _restart_window(text: str) -> str:
    if not RESTART_WINDOW.fullmatch(text):
        raise ValueError('a window is written as "23:40-00:15", or as "Sun 00:55-03:00" for one day of the week')
    return text


RestartWindow = Annotated[str, AfterValidator(_restart_window)]


class FloorSection(Section):
    """``[floor]``: the floor as a whole. ``home`` is absolute after ``load_settings``."""

    name: str = Field("floor", min_length=1, max_length=64, description="A name for screens and logs.")
    home: Path = Field(
        Path("floor-home"),
        description="Folder of journal, ledger, logs and market data; relative to floor.toml, `~` is expanded.",
    )
    mode: Mode = Field(
        Mode.PAPER, description='"paper" or "live". Only floor.toml can say "live", never the environment.'
    )
    account: AccountId = Field(AccountId(""), description="The account to trade; empty takes the login's only one.")
    durability: Durability = Field(
        Durability.PROCESS,
        description='"process": an order intent survives kill -9; "power": it survives a power cut too.',
    )
    pin_core: Annotated[StrictInt, Field(ge=0)] | None = Field(
        None, description="Pin the floor process to this CPU core; leave out to let the system choose."
    )


class GatewaySection(Section):
    """``[gateway]``: where IB Gateway or TWS listens, and who we are to it."""

    host: str = Field("127.0.0.1", min_length=1, description="Host of IB Gateway or TWS.")
    port: Port = Field(description="API port: 4002 IB Gateway paper, 4001 live; 7497 TWS paper, 7496 live.")
    connect_timeout_s: Seconds = Field(10.0, description="Wall seconds to wait for a connection at start.")
    reconcile_every_s: Seconds = Field(30.0, description="Wall seconds between two comparisons with the account.")
    alarm_after_s: Seconds = Field(
        120.0, ge=6, description="Wall seconds without a session that reaches IB before the alarm is raised."
    )
    moved_ports: tuple[Port, ...] = Field(
        (), description="Ports the gateway may move to while the floor runs (IB's 1300); the floor follows to no other."
    )
    restart_windows: tuple[RestartWindow, ...] = Field(
        (),
        description='When the gateway restarts, as "HH:MM-HH:MM" for every night or "Sun HH:MM-HH:MM" for a day of '
        "the week, in restart_zone. Entries wait from restart_lead_s before until its end.",
    )
    restart_zone: Zone = Field("America/New_York", description="Time zone of restart_windows.")
    restart_lead_s: Seconds = Field(
        120.0, description="Market seconds before a restart window in which entries already wait."
    )
    first_strategy_client_id: ClientId = Field(
        10, description="Strategies get fixed client ids from this one on, for good; below 10 are the floor's own."
    )
    launcher: Launcher = Field(
        Launcher.NONE, description='"ibc": start IB Gateway through IBC, as [ibc] says, and keep it up; "none": you do.'
    )


class IbcSection(Section):
    """``[ibc]``: how IBC starts IB Gateway. Paths are absolute after ``load_settings``."""

    path: Path = Field(Path("/opt/ibc"), description="Folder where IBC is installed.")
    version: Annotated[str, BeforeValidator(not_bool), Field(pattern=r"^\d{3,5}$")] = Field(
        "", validate_default=False, description='IB Gateway\'s major version without the point, for example "1037".'
    )
    tws_path: Path = Field(Path("~/Jts"), description="Folder where IB Gateway is installed.")
    settings_path: Path | None = Field(None, description="Folder of its settings; left out, the one of tws_path.")
    ini: Path | None = Field(None, description="IBC's ini file for its other settings; user and password stay out.")
    credentials: CredentialSource = Field(
        CredentialSource.KEYRING,
        description='Where user and password are kept: "keyring", "systemd" or "environment".',
    )
    on_2fa_timeout: Literal["restart", "exit"] = Field(
        "restart", description="What IBC does when nobody confirms the second factor in time."
    )
    login_timeout_s: Seconds = Field(300.0, description="Wall seconds to wait for a log-in, second factor included.")
    stop_with_floor: StrictBool = Field(
        False, description="Whether IB Gateway ends with the floor; else the next floor finds it logged in."
    )


class ClockSection(Section):
    """``[clock]``: whose time is market time (ADR 0006)."""

    follow: ClockSource = Field(
        ClockSource.SYSTEM,
        description='"system", or "gateway" to follow a simulated gateway; never with mode "live".',
    )


class RecorderSection(Section):
    """``[recorder]``: the process that stores market data. ``path`` is absolute after ``load_settings``."""

    enabled: StrictBool = Field(True, description="Whether market data is stored.")
    path: Path = Field(Path("market"), description="Folder of the ArcticDB store; relative to the floor's home.")
    min_free_gb: Annotated[float, BeforeValidator(not_bool), Field(ge=0)] = Field(
        2.0, description="Free disk space in GB below which recording stops, before the disk is full."
    )


class WebSection(Section):
    """``[web]``: the process that serves the pages. ``password_file`` is absolute after ``load_settings``."""

    enabled: StrictBool = Field(True, description="Whether the pages are served.")
    host: Annotated[str, AfterValidator(_loopback)] = Field("127.0.0.1", description="Loopback address to serve on.")
    port: Annotated[StrictInt, Field(ge=0, le=65535)] = Field(
        8840, description="Port of the pages; 0 takes any free one."
    )
    password_file: Path = Field(
        Path("web-password"), description="File of the password's argon2 hash; relative to the floor's home."
    )


class RestartSection(Section):
    """``[restart]``: what happens to a strategy that raises."""

    max_restarts: Annotated[StrictInt, Field(ge=0)] = Field(
        3, description="Restarts within the window before it stays failed."
    )
    window_s: Seconds = Field(600.0, description="Length of the window, in wall seconds.")
    backoff_s: Seconds = Field(1.0, description="Wait before the first restart, in wall seconds; doubles each time.")
    backoff_max_s: Seconds = Field(60.0, description="Longest wait before a restart, in wall seconds.")


class StopSection(Section):
    """``[stop]``: how long each step of a stop may take."""

    handler_s: Seconds = Field(
        5.0, description="Wall seconds for the handler under way and ``on_stop``, before they are given up."
    )
    cancel_s: Seconds = Field(10.0, description="Wall seconds in which its orders are canceled, again and again.")
    flatten_s: Seconds = Field(
        30.0,
        description="Wall seconds in which a position is closed, within the order rate; only reducing orders pass.",
    )

    def total_s(self, finish: str) -> float:
        """Return the longest that a stop by a policy takes when every handler returns, in wall seconds."""
        steps = {"keep": 0.0, "cancel": self.cancel_s, "flatten": self.cancel_s * 2 + self.flatten_s}
        return self.handler_s + steps[finish] + 2.0  # the session's own goodbye


class OrphanPolicy(StrEnum):
    """What becomes of working orders whose strategy does not come up with the floor."""

    KEEP = "keep"
    CANCEL = "cancel"
    HAND = "hand"


class OrphansSection(Section):
    """``[orphans]``: working orders of strategies that are no longer in floor.toml."""

    policy: OrphanPolicy = Field(
        OrphanPolicy.CANCEL,
        description='At start: "cancel" the orders of strategies gone from this file, "keep" them working, or "hand" '
        "them to another strategy. "
        "Those of a strategy with autostart = false follow its own stop_policy; positions stay in any case.",
    )
    to: StrategyId = Field(
        StrategyId(""),
        validate_default=False,
        description='With policy "hand": the strategy that gets them, changes and cancels them, and has their fills.',
    )


class StrategySection(Section):
    """``[[strategy]]``: one strategy. ``file`` is absolute after ``load_settings``."""

    name: Annotated[StrategyId, AfterValidator(_strategy_name)] = Field(
        description="Unique name, and of its book for good: a lower-case letter, then letters, digits, dashes."
    )
    file: Path = Field(description="Python file with the strategy; relative to floor.toml, `~` is expanded.")
    class_name: str = Field(
        "", alias="class", description="Class in that file; may be left out when there is only one."
    )
    params: dict[str, Any] = Field(default_factory=dict, description="The strategy's own parameters.")
    autostart: StrictBool = Field(True, description="Whether it starts with the floor.")
    stop_policy: StopPolicy = Field(
        StopPolicy.CANCEL,
        description='On stop: "keep" its orders, "cancel" them, or cancel and "flatten" its position.',
    )
    risk: RiskOverrides = Field(default_factory=RiskOverrides, description="Limits that replace those of [risk].")
    capital: CapitalSection | None = Field(None, description="How much capital it gets; left out, none is allocated.")


class FloorSettings(Section):
    """Everything the floor is told at start; frozen. Made by ``load_settings``, or directly in tests."""

    floor: FloorSection = Field(default_factory=FloorSection)
    gateway: GatewaySection
    ibc: IbcSection = Field(default_factory=IbcSection)
    clock: ClockSection = Field(default_factory=ClockSection)
    risk: RiskSection
    recorder: RecorderSection = Field(default_factory=RecorderSection)
    web: WebSection = Field(default_factory=WebSection)
    restart: RestartSection = Field(default_factory=RestartSection)
    stop: StopSection = Field(default_factory=StopSection)
    kill: KillSection = Field(default_factory=KillSection)
    watchdog: WatchdogSection = Field(default_factory=WatchdogSection)
    alarm: AlarmSection = Field(default_factory=AlarmSection)
    orphans: OrphansSection = Field(default_factory=OrphansSection)
    books: BooksSection = Field(default_factory=BooksSection)
    crossing: CrossingSection = Field(default_factory=CrossingSection)
    strategies: tuple[StrategySection, ...] = Field((), alias="strategy")

    @property
    def home(self) -> Path:
        """Return the floor's home folder."""
        return self.floor.home

    def overrides_of(self, strategy: StrategyId) -> RiskOverrides:
        """Return what one strategy has of its own: of ``[risk.strategy.NAME]``, or below the strategy itself."""
        own = self.risk.strategy.get(strategy)
        if own is None:
            own = next((section.risk for section in self.strategies if section.name == strategy), RiskOverrides())
        return own

    def risk_of(self, strategy: StrategyId) -> RiskSection:
        """Return the limits of one strategy: those of ``[risk]``, replaced where it has its own."""
        own = self.overrides_of(strategy)
        return self.risk.model_copy(update={field: getattr(own, field) for field in own.model_fields_set})
