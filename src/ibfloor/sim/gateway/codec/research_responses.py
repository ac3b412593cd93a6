"""Server -> client: what the gateway answers to those who study the market."""

from __future__ import annotations

from ibfloor.sim.gateway.codec.kinds import AMOUNT, BOOL, COUNT, NUMBER, TEXT
from ibfloor.sim.gateway.codec.table import Field, Rows, Table, constant

_REQ = Field("req_id", COUNT)
_V1 = constant(1)

MARKET_DEPTH = Table(
    "market_depth",
    12,
    _V1,
    _REQ,
    Field("position", COUNT),
    Field("operation", COUNT),
    Field("side", COUNT),
    Field("price", AMOUNT),
    Field("size", AMOUNT),
)
MARKET_DEPTH_L2 = Table(
    "market_depth_l2",
    13,
    _V1,
    _REQ,
    Field("position", COUNT),
    Field("market_maker", TEXT),
    Field("operation", COUNT),
    Field("side", COUNT),
    Field("price", AMOUNT),
    Field("size", AMOUNT),
    Field("is_smart", BOOL),
)
SCANNER_PARAMETERS = Table("scanner_parameters", 19, _V1, Field("xml", TEXT))
SCANNER_DATA = Table(
    "scanner_data",
    20,
    constant(3),
    _REQ,
    Rows(
        "rows",
        (
            Field("rank", COUNT),
            Field("con_id", COUNT),
            Field("symbol", TEXT),
            Field("sec_type", TEXT),
            Field("expiry", TEXT),
            Field("strike", AMOUNT),
            Field("right", TEXT),
            Field("exchange", TEXT),
            Field("currency", TEXT),
            Field("local_symbol", TEXT),
            Field("market_name", TEXT),
            Field("trading_class", TEXT),
            Field("distance", TEXT),
            Field("benchmark", TEXT),
            Field("projection", TEXT),
            Field("legs", TEXT),
        ),
    ),
)
OPTION_COMPUTATION = Table(
    "option_computation",
    21,
    _REQ,
    Field("type", COUNT),
    Field("attributes", COUNT),
    Field("implied_volatility", NUMBER, default=-1),
    Field("delta", NUMBER, default=-2),
    Field("px", NUMBER, default=-1),
    Field("pv_dividend", NUMBER, default=-1),
    Field("gamma", NUMBER, default=-2),
    Field("vega", NUMBER, default=-2),
    Field("theta", NUMBER, default=-2),
    Field("under_px", NUMBER, default=-1),
)
"""What is not computed is told as -1 or -2, as its default here says."""
OPT_PARAMS = Table(
    "opt_params",
    75,
    _REQ,
    Field("exchange", TEXT),
    Field("under_con_id", COUNT),
    Field("trading_class", TEXT),
    Field("multiplier", TEXT),
    Rows("expirations", (Field("expiry", TEXT),)),
    Rows("strikes", (Field("strike", AMOUNT),)),
)
OPT_PARAMS_END = Table("opt_params_end", 76, _REQ)
SOFT_DOLLAR_TIERS = Table(
    "soft_dollar_tiers", 77, _REQ, Rows("tiers", (Field("name", TEXT), Field("value", TEXT), Field("shown", TEXT)))
)
FAMILY_CODES = Table("family_codes", 78, Rows("codes", (Field("account", TEXT), Field("code", TEXT))))
DEPTH_EXCHANGES = Table(
    "depth_exchanges",
    80,
    Rows(
        "exchanges",
        (
            Field("exchange", TEXT),
            Field("sec_type", TEXT),
            Field("listing_exchange", TEXT),
            Field("service", TEXT),
            Field("agg_group", COUNT),
        ),
    ),
)
SMART_COMPONENTS = Table(
    "smart_components",
    82,
    _REQ,
    Rows("components", (Field("bit", COUNT), Field("exchange", TEXT), Field("letter", TEXT))),
)
NEWS_PROVIDERS = Table("news_providers", 85, Rows("providers", (Field("code", TEXT), Field("name", TEXT))))
HISTORICAL_NEWS_END = Table("historical_news_end", 87, _REQ, Field("has_more", BOOL))
HEAD_TIMESTAMP = Table("head_timestamp", 88, _REQ, Field("time", TEXT))
HISTOGRAM = Table("histogram", 89, _REQ, Rows("prices", (Field("price", AMOUNT), Field("size", AMOUNT))))
HISTORICAL_TICKS = Table(
    "historical_ticks",
    96,
    _REQ,
    Rows("ticks", (Field("time_s", COUNT), Field("reserved", COUNT), Field("price", AMOUNT), Field("size", AMOUNT))),
    Field("is_done", BOOL),
)
HISTORICAL_TICKS_BID_ASK = Table(
    "historical_ticks_bid_ask",
    97,
    _REQ,
    Rows(
        "ticks",
        (
            Field("time_s", COUNT),
            Field("mask", COUNT),
            Field("bid", AMOUNT),
            Field("ask", AMOUNT),
            Field("bid_size", AMOUNT),
            Field("ask_size", AMOUNT),
        ),
    ),
    Field("is_done", BOOL),
)
HISTORICAL_TICKS_LAST = Table(
    "historical_ticks_last",
    98,
    _REQ,
    Rows(
        "ticks",
        (
            Field("time_s", COUNT),
            Field("mask", COUNT),
            Field("price", AMOUNT),
            Field("size", AMOUNT),
            Field("exchange", TEXT),
            Field("conditions", TEXT),
        ),
    ),
    Field("is_done", BOOL),
)
HISTORICAL_SCHEDULE = Table(
    "historical_schedule",
    106,
    _REQ,
    Field("start", TEXT),
    Field("end", TEXT),
    Field("time_zone", TEXT),
    Rows("sessions", (Field("start", TEXT), Field("end", TEXT), Field("day", TEXT))),
)
USER_INFO = Table("user_info", 107, _REQ, Field("brand", TEXT))

RESEARCH_RESPONSES = tuple(value for value in tuple(globals().values()) if isinstance(value, Table))
"""Every table of this module."""
