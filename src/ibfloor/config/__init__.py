"""Settings: floor.toml and the environment become one frozen value, validated once."""

from ibfloor.config.loading import load_home, load_settings
from ibfloor.config.sections import (
    ClockSection,
    ClockSource,
    Durability,
    FloorSection,
    FloorSettings,
    GatewaySection,
    Mode,
    RecorderSection,
    RestartSection,
    RiskOverrides,
    RiskSection,
    StopPolicy,
    StrategySection,
    WebSection,
    check_strategy_name,
)

__all__ = [
    "ClockSection",
    "ClockSource",
    "Durability",
    "FloorSection",
    "FloorSettings",
    "GatewaySection",
    "Mode",
    "RecorderSection",
    "RestartSection",
    "RiskOverrides",
    "RiskSection",
    "StopPolicy",
    "StrategySection",
    "WebSection",
    "check_strategy_name",
    "load_home",
    "load_settings",
]
