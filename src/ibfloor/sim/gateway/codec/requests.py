"""Client -> server: the tables of what clients ask, and what of it this gateway does not serve."""

from __future__ import annotations

from typing import NamedTuple

from ibfloor.sim.gateway.codec.contracts import C12, DELTA_NEUTRAL_CONTRACT, SHORT_LEGS
from ibfloor.sim.gateway.codec.kinds import BOOL, COUNT, INT, TEXT
from ibfloor.sim.gateway.codec.orders import PLACE_ORDER
from ibfloor.sim.gateway.codec.table import Field, Rows, Table

_V = Field("version", COUNT)
_REQ = Field("req_id", COUNT)
_EXPIRED = Field("include_expired", BOOL)

START_API = Table("start_api", 71, _V, Field("client_id", INT), Field("capabilities", TEXT))
REQ_MKT_DATA = Table(
    "req_mkt_data",
    1,
    _V,
    _REQ,
    *C12,
    SHORT_LEGS,
    *DELTA_NEUTRAL_CONTRACT,
    Field("generic_ticks", TEXT),
    Field("snapshot", BOOL),
    Field("regulatory_snapshot", BOOL),
    Field("options", TEXT),
)
CANCEL_MKT_DATA = Table("cancel_mkt_data", 2, _V, _REQ)
CANCEL_ORDER = Table(
    "cancel_order",
    4,
    Field("version", COUNT, until=191),
    Field("order_id", COUNT),
    Field("manual_cancel_time", TEXT, since=169),
    Field("ext_operator", TEXT, since=192),
    Field("manual_order_indicator", INT, since=192),
)
REQ_OPEN_ORDERS = Table("req_open_orders", 5, _V)
REQ_ACCOUNT_UPDATES = Table("req_account_updates", 6, _V, Field("subscribe", BOOL), Field("account", TEXT))
REQ_EXECUTIONS = Table(
    "req_executions",
    7,
    _V,
    _REQ,
    Field("client_id", COUNT),
    Field("account", TEXT),
    Field("time", TEXT),
    Field("symbol", TEXT),
    Field("sec_type", TEXT),
    Field("exchange", TEXT),
    Field("side", TEXT),
    Field("last_days", INT, since=200),
    Rows("dates", (Field("date", TEXT),), since=200, rows_max=1000),
)
REQ_IDS = Table("req_ids", 8, _V, Field("count", COUNT))
REQ_CONTRACT_DETAILS = Table(
    "req_contract_details",
    9,
    _V,
    _REQ,
    *C12,
    _EXPIRED,
    Field("sec_id_type", TEXT),
    Field("sec_id", TEXT),
    Field("issuer_id", TEXT, since=176),
)
SET_LOG_LEVEL = Table("set_log_level", 14, _V, Field("level", COUNT))
REQ_AUTO_OPEN_ORDERS = Table("req_auto_open_orders", 15, _V, Field("bind", BOOL))
REQ_ALL_OPEN_ORDERS = Table("req_all_open_orders", 16, _V)
REQ_MANAGED_ACCOUNTS = Table("req_managed_accounts", 17, _V)
REQ_HISTORICAL_DATA = Table(
    "req_historical_data",
    20,
    _REQ,
    *C12,
    _EXPIRED,
    Field("end", TEXT),
    Field("bar_size", TEXT),
    Field("duration", TEXT),
    Field("use_rth", BOOL),
    Field("what", TEXT),
    Field("format_date", COUNT),
    SHORT_LEGS,
    Field("keep_up_to_date", BOOL),
    Field("options", TEXT),
)
REQ_SCANNER_PARAMETERS = Table("req_scanner_parameters", 24, _V)
CANCEL_HISTORICAL_DATA = Table("cancel_historical_data", 25, _V, _REQ)
REQ_CURRENT_TIME = Table("req_current_time", 49, _V)
REQ_REAL_TIME_BARS = Table(
    "req_real_time_bars",
    50,
    _V,
    _REQ,
    *C12,
    Field("bar_size", COUNT),
    Field("what", TEXT),
    Field("use_rth", BOOL),
    Field("options", TEXT),
)
CANCEL_REAL_TIME_BARS = Table("cancel_real_time_bars", 51, _V, _REQ)
REQ_GLOBAL_CANCEL = Table(
    "req_global_cancel",
    58,
    Field("version", COUNT, until=191),
    Field("ext_operator", TEXT, since=192),
    Field("manual_order_indicator", INT, since=192),
)
REQ_MARKET_DATA_TYPE = Table("req_market_data_type", 59, _V, Field("type", COUNT))
REQ_POSITIONS = Table("req_positions", 61, _V)
REQ_ACCOUNT_SUMMARY = Table("req_account_summary", 62, _V, _REQ, Field("group", TEXT), Field("tags", TEXT))
CANCEL_ACCOUNT_SUMMARY = Table("cancel_account_summary", 63, _V, _REQ)
CANCEL_POSITIONS = Table("cancel_positions", 64, _V)
REQ_POSITIONS_MULTI = Table("req_positions_multi", 74, _V, _REQ, Field("account", TEXT), Field("model", TEXT))
CANCEL_POSITIONS_MULTI = Table("cancel_positions_multi", 75, _V, _REQ)
REQ_ACCOUNT_UPDATES_MULTI = Table(
    "req_account_updates_multi",
    76,
    _V,
    _REQ,
    Field("account", TEXT),
    Field("model", TEXT),
    Field("ledger_and_nlv", BOOL),
)
CANCEL_ACCOUNT_UPDATES_MULTI = Table("cancel_account_updates_multi", 77, _V, _REQ)
REQ_SEC_DEF_OPT_PARAMS = Table(
    "req_sec_def_opt_params",
    78,
    _REQ,
    Field("symbol", TEXT),
    Field("exchange", TEXT),
    Field("sec_type", TEXT),
    Field("con_id", COUNT),
)
REQ_SOFT_DOLLAR_TIERS = Table("req_soft_dollar_tiers", 79, _REQ)
REQ_FAMILY_CODES = Table("req_family_codes", 80)
REQ_MATCHING_SYMBOLS = Table("req_matching_symbols", 81, _REQ, Field("pattern", TEXT))
REQ_DEPTH_EXCHANGES = Table("req_depth_exchanges", 82)
REQ_SMART_COMPONENTS = Table("req_smart_components", 83, _REQ, Field("bbo_exchange", TEXT))
REQ_NEWS_PROVIDERS = Table("req_news_providers", 85)
REQ_HEAD_TIMESTAMP = Table(
    "req_head_timestamp",
    87,
    _REQ,
    *C12,
    _EXPIRED,
    Field("use_rth", BOOL),
    Field("what", TEXT),
    Field("format_date", COUNT),
)
CANCEL_HEAD_TIMESTAMP = Table("cancel_head_timestamp", 90, _REQ)
REQ_MARKET_RULE = Table("req_market_rule", 91, Field("rule_id", COUNT))
REQ_PNL = Table("req_pnl", 92, _REQ, Field("account", TEXT), Field("model", TEXT))
CANCEL_PNL = Table("cancel_pnl", 93, _REQ)
REQ_PNL_SINGLE = Table("req_pnl_single", 94, _REQ, Field("account", TEXT), Field("model", TEXT), Field("con_id", COUNT))
CANCEL_PNL_SINGLE = Table("cancel_pnl_single", 95, _REQ)
REQ_TICK_BY_TICK = Table(
    "req_tick_by_tick", 97, _REQ, *C12, Field("kind", TEXT), Field("count", COUNT), Field("ignore_size", BOOL)
)
CANCEL_TICK_BY_TICK = Table("cancel_tick_by_tick", 98, _REQ)
REQ_COMPLETED_ORDERS = Table("req_completed_orders", 99, Field("api_only", BOOL))
REQ_USER_INFO = Table("req_user_info", 104, _REQ)
REQ_CURRENT_TIME_MILLIS = Table("req_current_time_millis", 105)

REQUESTS = {
    table.message_id: table
    for table in (value for value in (*globals().values(), PLACE_ORDER))
    if isinstance(table, Table)
}
"""Every request this gateway serves, by its id."""


class Unserved(NamedTuple):
    """A request the gateway refuses, with IB's own code; cancels of such requests need no answer."""

    name: str
    req_id_at: int | None
    """Where the request id stands among the fields; ``None`` when there is none."""
    code: int = 0
    text: str = ""


UNSERVED = {
    10: Unserved("market depth", 2, 10092, "Deep market data is not supported for this combination of security type"),
    11: Unserved("cancel of market depth", 2, 310, "Can't find the subscribed market depth with tickerId"),
    12: Unserved("news bulletins", None),
    13: Unserved("cancel of news bulletins", None),
    18: Unserved("advisor data", None, 321, "Error validating request.-'bN' : cause - FA data operations ignored"),
    19: Unserved("advisor data", None, 321, "Error validating request.-'bN' : cause - FA data operations ignored"),
    21: Unserved("exercise of options", 2, 321, "Error validating request.-'bK' : cause - No options are held"),
    22: Unserved("scanner", 1, 162, "Historical Market Data Service error message:No scanner in this gateway"),
    23: Unserved("cancel of a scanner", 2, 365, "No scanner subscription found for ticker id"),
    52: Unserved("fundamentals", 2, 430, "The fundamentals data for the security specified is not available"),
    53: Unserved("cancel of fundamentals", 2, 431, "The fundamentals data request is not found"),
    54: Unserved("implied volatility", 2, 10091, "Part of requested market data is not available"),
    55: Unserved("option price", 2, 10091, "Part of requested market data is not available"),
    56: Unserved("cancel of implied volatility", 2),
    57: Unserved("cancel of option price", 2),
    65: Unserved("verification", None, 321, "Error validating request: verification is not supported"),
    66: Unserved("verification", None, 321, "Error validating request: verification is not supported"),
    67: Unserved("display groups", 2, 321, "Error validating request: a gateway has no display groups"),
    68: Unserved("display groups", 2, 321, "Error validating request: a gateway has no display groups"),
    69: Unserved("display groups", 2, 321, "Error validating request: a gateway has no display groups"),
    70: Unserved("display groups", 2, 321, "Error validating request: a gateway has no display groups"),
    72: Unserved("verification", None, 321, "Error validating request: verification is not supported"),
    73: Unserved("verification", None, 321, "Error validating request: verification is not supported"),
    84: Unserved("news article", 1, 10172, "Failed to request news article: no news providers"),
    86: Unserved("historical news", 1, 10276, "News feed is not allowed"),
    88: Unserved("histogram", 1, 162, "Historical Market Data Service error message:No histogram data"),
    89: Unserved("cancel of a histogram", 1),
    96: Unserved("historical ticks", 1, 162, "Historical Market Data Service error message:No historical tick data"),
    100: Unserved("event calendar", 1, 10276, "News feed is not allowed"),
    101: Unserved("cancel of the event calendar", 1),
    102: Unserved("event calendar", 1, 10276, "News feed is not allowed"),
    103: Unserved("cancel of the event calendar", 1),
}
"""Known requests without an answer other than IB's refusal (code 0: nothing is owed)."""
