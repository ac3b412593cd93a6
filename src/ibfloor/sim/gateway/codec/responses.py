"""Server -> client: the tables of what the gateway tells."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.sim.gateway.codec.contracts import C11, PORTFOLIO_CONTRACT
from ibfloor.sim.gateway.codec.kinds import AMOUNT, BOOL, COUNT, INT, LOUD_NUMBER, NUMBER, TEXT
from ibfloor.sim.gateway.codec.orders import COMPLETED_ORDER, OPEN_ORDER
from ibfloor.sim.gateway.codec.research_responses import RESEARCH_RESPONSES
from ibfloor.sim.gateway.codec.table import Block, Field, Rows, Table, constant

_REQ = Field("req_id", COUNT)
_V1 = constant(1)

TICK_PRICE = Table(
    "tick_price",
    1,
    constant(6),
    _REQ,
    Field("type", COUNT),
    Field("price", AMOUNT),
    Field("size", AMOUNT),
    Field("attributes", COUNT),
    is_shared=True,
)
TICK_SIZE = Table("tick_size", 2, constant(6), _REQ, Field("type", COUNT), Field("size", AMOUNT), is_shared=True)
ORDER_STATUS = Table(
    "order_status",
    3,
    Field("order_id", COUNT),
    Field("status", TEXT),
    Field("filled", AMOUNT),
    Field("remaining", AMOUNT),
    Field("avg_fill_price", AMOUNT),
    Field("perm_id", COUNT),
    Field("parent_id", COUNT),
    Field("last_fill_price", AMOUNT),
    Field("client_id", COUNT),
    Field("why_held", TEXT),
    Field("market_cap_price", AMOUNT),
)
ERROR = Table(
    "error",
    4,
    Field("", INT, until=193, default=2, constant=True),
    Field("req_id", INT, default=-1),
    Field("code", COUNT),
    Field("text", TEXT),
    Field("reject_json", TEXT, since=166),
    Field("time_ms", COUNT, since=194),
)
ACCOUNT_VALUE = Table(
    "account_value",
    6,
    constant(2),
    Field("key", TEXT),
    Field("value", TEXT),
    Field("currency", TEXT),
    Field("account", TEXT),
)
PORTFOLIO_VALUE = Table(
    "portfolio_value",
    7,
    constant(8),
    *PORTFOLIO_CONTRACT,
    Field("position", AMOUNT),
    Field("market_price", AMOUNT),
    Field("market_value", AMOUNT),
    Field("average_cost", AMOUNT),
    Field("unrealized_pnl", AMOUNT),
    Field("realized_pnl", AMOUNT),
    Field("account", TEXT),
)
ACCOUNT_TIME = Table("account_time", 8, _V1, Field("time", TEXT))
NEXT_VALID_ID = Table("next_valid_id", 9, _V1, Field("order_id", COUNT))
CONTRACT_DETAILS = Table(
    "contract_details",
    10,
    Field("", INT, until=163, default=8, constant=True),
    _REQ,
    Field("symbol", TEXT),
    Field("sec_type", TEXT),
    Field("expiry", TEXT),
    Field("last_trade_date", TEXT, since=182),
    Field("strike", NUMBER, default=Decimal(0)),
    Field("right", TEXT),
    Field("exchange", TEXT),
    Field("currency", TEXT),
    Field("local_symbol", TEXT),
    Field("market_name", TEXT),
    Field("trading_class", TEXT),
    Field("con_id", COUNT),
    Field("min_tick", AMOUNT),
    Field("md_size_multiplier", COUNT, until=163, default=100),
    Field("multiplier", TEXT),
    Field("order_types", TEXT),
    Field("valid_exchanges", TEXT),
    Field("price_magnifier", COUNT, default=1),
    Field("under_con_id", COUNT),
    Field("long_name", TEXT),
    Field("primary_exchange", TEXT),
    Field("contract_month", TEXT),
    Field("industry", TEXT),
    Field("category", TEXT),
    Field("subcategory", TEXT),
    Field("time_zone", TEXT),
    Field("trading_hours", TEXT),
    Field("liquid_hours", TEXT),
    Field("ev_rule", TEXT),
    Field("ev_multiplier", COUNT),
    Rows("sec_ids", (Field("tag", TEXT), Field("value", TEXT))),
    Field("agg_group", COUNT, default=1),
    Field("under_symbol", TEXT),
    Field("under_sec_type", TEXT),
    Field("market_rule_ids", TEXT),
    Field("real_expiration_date", TEXT),
    Field("stock_type", TEXT),
    Field("suggested_size", AMOUNT, since=163, until=163),
    Field("min_size", AMOUNT, since=164, default=Decimal(1)),
    Field("size_increment", AMOUNT, since=164, default=Decimal(1)),
    Field("suggested_size", AMOUNT, since=164, default=Decimal(100)),
    Rows("ineligibility_reasons", (Field("reason_id", TEXT), Field("text", TEXT)), since=186),
)
EXEC_DETAILS = Table(
    "exec_details",
    11,
    Field("req_id", INT, default=-1),
    Field("order_id", COUNT),
    *C11,
    Field("exec_id", TEXT),
    Field("time", TEXT),
    Field("account", TEXT),
    Field("exec_exchange", TEXT),
    Field("side", TEXT),
    Field("shares", AMOUNT),
    Field("price", AMOUNT),
    Field("perm_id", COUNT),
    Field("client_id", COUNT),
    Field("liquidation", COUNT),
    Field("cum_qty", AMOUNT),
    Field("avg_price", AMOUNT),
    Field("order_ref", TEXT),
    Field("ev_rule", TEXT),
    Field("ev_multiplier", NUMBER),
    Field("model_code", TEXT),
    Field("last_liquidity", COUNT, default=1),
    Field("pending_price_revision", BOOL, since=178),
    Field("submitter", TEXT, since=198),
)
MANAGED_ACCOUNTS = Table("managed_accounts", 15, _V1, Field("accounts", TEXT))
HISTORICAL_DATA = Table(
    "historical_data",
    17,
    _REQ,
    Field("start", TEXT, until=195),
    Field("end", TEXT, until=195),
    Rows(
        "bars",
        (
            Field("date", TEXT),
            Field("open", AMOUNT),
            Field("high", AMOUNT),
            Field("low", AMOUNT),
            Field("close", AMOUNT),
            Field("volume", AMOUNT),
            Field("wap", AMOUNT),
            Field("count", COUNT),
        ),
    ),
)
HISTORICAL_DATA_END = Table("historical_data_end", 108, _REQ, Field("start", TEXT), Field("end", TEXT))
HISTORICAL_UPDATE = Table(
    "historical_update",
    90,
    _REQ,
    Field("count", COUNT),
    Field("date", TEXT),
    Field("open", AMOUNT),
    Field("close", AMOUNT),
    Field("high", AMOUNT),
    Field("low", AMOUNT),
    Field("wap", AMOUNT),
    Field("volume", AMOUNT),
)
TICK_GENERIC = Table("tick_generic", 45, constant(6), _REQ, Field("type", COUNT), Field("value", AMOUNT))
TICK_STRING = Table("tick_string", 46, constant(6), _REQ, Field("type", COUNT), Field("value", TEXT), is_shared=True)
CURRENT_TIME = Table("current_time", 49, _V1, Field("time_s", COUNT))
REAL_TIME_BAR = Table(
    "real_time_bar",
    50,
    constant(3),
    _REQ,
    Field("time_s", COUNT),
    Field("open", AMOUNT),
    Field("high", AMOUNT),
    Field("low", AMOUNT),
    Field("close", AMOUNT),
    Field("volume", AMOUNT),
    Field("wap", AMOUNT),
    Field("count", COUNT),
)
CONTRACT_DETAILS_END = Table("contract_details_end", 52, _V1, _REQ)
OPEN_ORDER_END = Table("open_order_end", 53, _V1)
ACCOUNT_DOWNLOAD_END = Table("account_download_end", 54, _V1, Field("account", TEXT))
EXEC_DETAILS_END = Table("exec_details_end", 55, _V1, _REQ)
SNAPSHOT_END = Table("snapshot_end", 57, _V1, _REQ)
MARKET_DATA_TYPE = Table("market_data_type", 58, _V1, _REQ, Field("type", COUNT))
COMMISSION = Table(
    "commission",
    59,
    _V1,
    Field("exec_id", TEXT),
    Field("commission", AMOUNT),
    Field("currency", TEXT),
    Field("realized_pnl", LOUD_NUMBER),
    Field("yield", LOUD_NUMBER),
    Field("yield_date", TEXT),
)
POSITION = Table(
    "position", 61, constant(3), Field("account", TEXT), *C11, Field("position", AMOUNT), Field("avg_cost", AMOUNT)
)
POSITION_END = Table("position_end", 62, _V1)
ACCOUNT_SUMMARY = Table(
    "account_summary",
    63,
    _V1,
    _REQ,
    Field("account", TEXT),
    Field("tag", TEXT),
    Field("value", TEXT),
    Field("currency", TEXT),
)
ACCOUNT_SUMMARY_END = Table("account_summary_end", 64, _V1, _REQ)
POSITION_MULTI = Table(
    "position_multi",
    71,
    _V1,
    _REQ,
    Field("account", TEXT),
    *C11,
    Field("position", AMOUNT),
    Field("avg_cost", AMOUNT),
    Field("model", TEXT),
)
POSITION_MULTI_END = Table("position_multi_end", 72, _V1, _REQ)
ACCOUNT_UPDATE_MULTI = Table(
    "account_update_multi",
    73,
    _V1,
    _REQ,
    Field("account", TEXT),
    Field("model", TEXT),
    Field("key", TEXT),
    Field("value", TEXT),
    Field("currency", TEXT),
)
ACCOUNT_UPDATE_MULTI_END = Table("account_update_multi_end", 74, _V1, _REQ)
SYMBOL_SAMPLES = Table(
    "symbol_samples",
    79,
    _REQ,
    Rows(
        "contracts",
        (
            Field("con_id", COUNT),
            Field("symbol", TEXT),
            Field("sec_type", TEXT),
            Field("primary_exchange", TEXT),
            Field("currency", TEXT),
            Rows("derivatives", (Field("sec_type", TEXT),)),
            Field("description", TEXT, since=176),
            Field("issuer_id", TEXT, since=176),
        ),
    ),
)
TICK_PARAMETERS = Table(
    "tick_parameters",
    81,
    _REQ,
    Field("min_tick", AMOUNT),
    Field("bbo_exchange", TEXT),
    Field("snapshot_permissions", COUNT, default=3),
)
MARKET_RULE = Table(
    "market_rule",
    93,
    Field("rule_id", COUNT),
    Rows("increments", (Field("low_edge", AMOUNT), Field("increment", AMOUNT))),
)
PNL = Table(
    "pnl", 94, _REQ, Field("daily", LOUD_NUMBER), Field("unrealized", LOUD_NUMBER), Field("realized", LOUD_NUMBER)
)
PNL_SINGLE = Table(
    "pnl_single",
    95,
    _REQ,
    Field("position", AMOUNT),
    Field("daily", LOUD_NUMBER),
    Field("unrealized", LOUD_NUMBER),
    Field("realized", LOUD_NUMBER),
    Field("value", LOUD_NUMBER),
)
TICK_BY_TICK = Table(
    "tick_by_tick",
    99,
    _REQ,
    Field("kind", COUNT),
    Field("time_s", COUNT),
    Block(
        lambda values: values.get("kind") in (1, 2),
        (
            Field("price", AMOUNT),
            Field("size", AMOUNT),
            Field("mask", COUNT),
            Field("exchange", TEXT),
            Field("conditions", TEXT),
        ),
    ),
    Block(
        lambda values: values.get("kind") == 3,
        (
            Field("bid", AMOUNT),
            Field("ask", AMOUNT),
            Field("bid_size", AMOUNT),
            Field("ask_size", AMOUNT),
            Field("mask", COUNT),
        ),
    ),
    Block(lambda values: values.get("kind") == 4, (Field("mid", AMOUNT),)),
)
ORDER_BOUND = Table("order_bound", 100, Field("perm_id", COUNT), Field("client_id", COUNT), Field("order_id", COUNT))
COMPLETED_ORDERS_END = Table("completed_orders_end", 102)
CURRENT_TIME_MILLIS = Table("current_time_millis", 109, Field("time_ms", COUNT))

RESPONSES = {
    table.message_id: table
    for table in (*tuple(globals().values()), OPEN_ORDER, COMPLETED_ORDER, *RESEARCH_RESPONSES)
    if isinstance(table, Table)
}
"""Everything the gateway tells, by its id."""
