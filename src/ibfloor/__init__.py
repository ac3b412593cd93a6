"""Many traders, one floor: many strategies on one Interactive Brokers account.

What a strategy's author needs is here: ``from ibfloor import Bar, Stock, Strategy, StrategyParams``.
Names are fetched when first used, so that importing any part of the floor stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ibfloor.model.instrument import Contract, Forex, Future, Instrument, Option, Stock
    from ibfloor.model.margin import MarginFigure, MarginImpact
    from ibfloor.model.market import Bar, Quote, Trade
    from ibfloor.model.order import Accepted, Order, OrdStatus, OrdType, Refused, Side, TimeInForce
    from ibfloor.model.terms import Algo, OcaKind
    from ibfloor.strategy.base import Strategy
    from ibfloor.strategy.orders import (
        GoodTill,
        Limit,
        LimitIfTouched,
        LimitOnClose,
        LimitOnOpen,
        Market,
        MarketIfTouched,
        MarketOnClose,
        MarketOnOpen,
        MarketToLimit,
        Percent,
        Relative,
        Stop,
        StopLimit,
        Trail,
        TrailLimit,
        adaptive,
    )
    from ibfloor.strategy.params import StrategyParams
    from ibfloor.strategy.values import Bracket, Connection, Fill, Offer, Position

__version__ = "0.1.0"

__all__ = [
    "Accepted",
    "Algo",
    "Bar",
    "Bracket",
    "Connection",
    "Contract",
    "Fill",
    "Forex",
    "Future",
    "GoodTill",
    "Instrument",
    "Limit",
    "LimitIfTouched",
    "LimitOnClose",
    "LimitOnOpen",
    "MarginFigure",
    "MarginImpact",
    "Market",
    "MarketIfTouched",
    "MarketOnClose",
    "MarketOnOpen",
    "MarketToLimit",
    "OcaKind",
    "Offer",
    "Option",
    "OrdStatus",
    "OrdType",
    "Order",
    "Percent",
    "Position",
    "Quote",
    "Refused",
    "Relative",
    "Side",
    "Stock",
    "Stop",
    "StopLimit",
    "Strategy",
    "StrategyParams",
    "TimeInForce",
    "Trade",
    "Trail",
    "TrailLimit",
    "adaptive",
]

_HOMES = {
    "ibfloor.model.instrument": ("Contract", "Forex", "Future", "Instrument", "Option", "Stock"),
    "ibfloor.model.margin": ("MarginFigure", "MarginImpact"),
    "ibfloor.model.market": ("Bar", "Quote", "Trade"),
    "ibfloor.model.order": ("Accepted", "OrdStatus", "OrdType", "Order", "Refused", "Side", "TimeInForce"),
    "ibfloor.strategy.base": ("Strategy",),
    "ibfloor.model.terms": ("Algo", "OcaKind"),
    "ibfloor.strategy.orders": (
        "GoodTill",
        "Limit",
        "LimitIfTouched",
        "LimitOnClose",
        "LimitOnOpen",
        "Market",
        "MarketIfTouched",
        "MarketOnClose",
        "MarketOnOpen",
        "MarketToLimit",
        "Percent",
        "Relative",
        "Stop",
        "StopLimit",
        "Trail",
        "TrailLimit",
        "adaptive",
    ),
    "ibfloor.strategy.params": ("StrategyParams",),
    "ibfloor.strategy.values": ("Bracket", "Connection", "Fill", "Offer", "Position"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value
