"""Settings: floor.toml and the environment become one frozen value, validated once."""

from ibfloor.config.books import BooksSection
from ibfloor.config.crossing import CrossingSection
from ibfloor.config.guards import AlarmSection, KillSection, OnDeath, WatchdogSection
from ibfloor.config.loading import load_home, load_settings
from ibfloor.config.risk import AccountRisk, InstrumentRisk, RiskOverrides, RiskSection
from ibfloor.config.sections import (
    ClockSection,
    ClockSource,
    CredentialSource,
    Durability,
    FloorSection,
    FloorSettings,
    GatewaySection,
    IbcSection,
    Launcher,
    Mode,
    OrphanPolicy,
    OrphansSection,
    RecorderSection,
    RestartSection,
    StopPolicy,
    StopSection,
    StrategySection,
    WebSection,
    check_strategy_name,
)

__all__ = [
    "AccountRisk",
    "AlarmSection",
    "BooksSection",
    "ClockSection",
    "ClockSource",
    "CredentialSource",
    "CrossingSection",
    "Durability",
    "FloorSection",
    "FloorSettings",
    "GatewaySection",
    "IbcSection",
    "InstrumentRisk",
    "KillSection",
    "Launcher",
    "Mode",
    "OnDeath",
    "OrphanPolicy",
    "OrphansSection",
    "RecorderSection",
    "RestartSection",
    "RiskOverrides",
    "RiskSection",
    "StopPolicy",
    "StopSection",
    "StrategySection",
    "WatchdogSection",
    "WebSection",
    "check_strategy_name",
    "load_home",
    "load_settings",
]
