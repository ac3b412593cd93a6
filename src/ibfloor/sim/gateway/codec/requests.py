"""Client -> server: the tables of what clients ask."""

from __future__ import annotations

from ibfloor.sim.gateway.codec.contracts import C12, DELTA_NEUTRAL_CONTRACT, SHORT_LEGS
from ibfloor.sim.gateway.codec.kinds import BOOL, COUNT, INT, TEXT
from ibfloor.sim.gateway.codec.orders import PLACE_ORDER
from ibfloor.sim.gateway.codec.research_requests import RESEARCH_REQUESTS
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
    Field("rfq_operator", TEXT, since=187, until=189),
    Field("rfq_user", TEXT, since=187, until=189),
    Field("rfq_value", INT, since=187, until=189),
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
REQ_MATCHING_SYMBOLS = Table("req_matching_symbols", 81, _REQ, Field("pattern", TEXT))
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
REQ_CURRENT_TIME_MILLIS = Table("req_current_time_millis", 105)

REQUESTS = {
    table.message_id: table
    for table in (*tuple(globals().values()), PLACE_ORDER, *RESEARCH_REQUESTS)
    if isinstance(table, Table)
}
"""Every request there is, by its id."""
