"""Client -> server: what clients ask to study the market: depth, scanners, past ticks, options, news.

And what a gateway for one private account refuses: advisors, groups, verification, paid data.
"""

from __future__ import annotations

from ibfloor.sim.gateway.codec.contracts import C11, C12
from ibfloor.sim.gateway.codec.kinds import BOOL, COUNT, INT, NUMBER, TEXT
from ibfloor.sim.gateway.codec.table import Field, Table

_V = Field("version", COUNT)
_REQ = Field("req_id", COUNT)
_EXPIRED = Field("include_expired", BOOL)
_OPTIONS = Field("options", TEXT)
# the newest build of the official client leaves the count out: its empty options are read as no count then
_COUNTED_OPTIONS = (Field("options_count", COUNT), Field("options", TEXT, may_miss=True))

REQ_MARKET_DEPTH = Table(
    "req_market_depth", 10, _V, _REQ, *C12, Field("rows", COUNT), Field("is_smart", BOOL), _OPTIONS
)
CANCEL_MARKET_DEPTH = Table("cancel_market_depth", 11, _V, _REQ, Field("is_smart", BOOL))
REQ_NEWS_BULLETINS = Table("req_news_bulletins", 12, _V, Field("all_messages", BOOL))
CANCEL_NEWS_BULLETINS = Table("cancel_news_bulletins", 13, _V)
REQ_ADVISOR_DATA = Table("req_advisor_data", 18, _V, Field("kind", COUNT))
REPLACE_ADVISOR_DATA = Table("replace_advisor_data", 19, _V, Field("kind", COUNT), Field("xml", TEXT), _REQ)
EXERCISE_OPTIONS = Table(
    "exercise_options",
    21,
    _V,
    _REQ,
    *C11,
    Field("exercise_action", COUNT),
    Field("exercise_qty", COUNT),
    Field("account", TEXT),
    Field("override", COUNT),
    Field("manual_order_time", TEXT, since=180),
    Field("customer_account", TEXT, since=183),
    Field("professional_customer", BOOL, since=184),
)
REQ_SCANNER = Table(
    "req_scanner",
    22,
    _REQ,
    Field("rows", INT),
    Field("instrument", TEXT),
    Field("location", TEXT),
    Field("scan_code", TEXT),
    Field("above_price", NUMBER),
    Field("below_price", NUMBER),
    Field("above_volume", NUMBER),
    Field("market_cap_above", NUMBER),
    Field("market_cap_below", NUMBER),
    Field("moody_rating_above", TEXT),
    Field("moody_rating_below", TEXT),
    Field("sp_rating_above", TEXT),
    Field("sp_rating_below", TEXT),
    Field("maturity_date_above", TEXT),
    Field("maturity_date_below", TEXT),
    Field("coupon_rate_above", NUMBER),
    Field("coupon_rate_below", NUMBER),
    Field("exclude_convertible", BOOL),
    Field("average_option_volume_above", NUMBER),
    Field("setting_pairs", TEXT),
    Field("stock_type_filter", TEXT),
    Field("filter_options", TEXT),
    _OPTIONS,
)
CANCEL_SCANNER = Table("cancel_scanner", 23, _V, _REQ)
REQ_SCANNER_PARAMETERS = Table("req_scanner_parameters", 24, _V)
REQ_FUNDAMENTALS = Table(
    "req_fundamentals",
    52,
    _V,
    _REQ,
    Field("con_id", COUNT),
    Field("symbol", TEXT),
    Field("sec_type", TEXT),
    Field("exchange", TEXT),
    Field("primary_exchange", TEXT),
    Field("currency", TEXT),
    Field("local_symbol", TEXT),
    Field("report", TEXT),
    *_COUNTED_OPTIONS,
)
CANCEL_FUNDAMENTALS = Table("cancel_fundamentals", 53, _V, _REQ)
CALC_IMPLIED_VOLATILITY = Table(
    "calc_implied_volatility",
    54,
    _V,
    _REQ,
    *C12,
    Field("option_px", NUMBER),
    Field("under_px", NUMBER),
    *_COUNTED_OPTIONS,
)
CALC_OPTION_PRICE = Table(
    "calc_option_price", 55, _V, _REQ, *C12, Field("volatility", NUMBER), Field("under_px", NUMBER), *_COUNTED_OPTIONS
)
CANCEL_IMPLIED_VOLATILITY = Table("cancel_implied_volatility", 56, _V, _REQ)
CANCEL_OPTION_PRICE = Table("cancel_option_price", 57, _V, _REQ)
VERIFY_REQUEST = Table("verify_request", 65, _V, Field("api_name", TEXT), Field("api_version", TEXT))
VERIFY_MESSAGE = Table("verify_message", 66, _V, Field("data", TEXT))
QUERY_DISPLAY_GROUPS = Table("query_display_groups", 67, _V, _REQ)
SUBSCRIBE_DISPLAY_GROUP = Table("subscribe_display_group", 68, _V, _REQ, Field("group_id", COUNT))
UPDATE_DISPLAY_GROUP = Table("update_display_group", 69, _V, _REQ, Field("contract", TEXT))
UNSUBSCRIBE_DISPLAY_GROUP = Table("unsubscribe_display_group", 70, _V, _REQ)
VERIFY_AND_AUTH_REQUEST = Table(
    "verify_and_auth_request", 72, _V, Field("api_name", TEXT), Field("api_version", TEXT), Field("opaque_key", TEXT)
)
VERIFY_AND_AUTH_MESSAGE = Table(
    "verify_and_auth_message", 73, _V, Field("data", TEXT), Field("challenge_response", TEXT)
)
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
REQ_DEPTH_EXCHANGES = Table("req_depth_exchanges", 82)
REQ_SMART_COMPONENTS = Table("req_smart_components", 83, _REQ, Field("bbo_exchange", TEXT))
REQ_NEWS_ARTICLE = Table(
    "req_news_article", 84, _REQ, Field("provider", TEXT), Field("article", TEXT), Field("options", TEXT)
)
REQ_NEWS_PROVIDERS = Table("req_news_providers", 85)
REQ_HISTORICAL_NEWS = Table(
    "req_historical_news",
    86,
    _REQ,
    Field("con_id", COUNT),
    Field("providers", TEXT),
    Field("start", TEXT),
    Field("end", TEXT),
    Field("results_max", COUNT),
    _OPTIONS,
)
REQ_HISTOGRAM = Table("req_histogram", 88, _REQ, *C12, _EXPIRED, Field("use_rth", BOOL), Field("period", TEXT))
CANCEL_HISTOGRAM = Table("cancel_histogram", 89, _REQ)
REQ_HISTORICAL_TICKS = Table(
    "req_historical_ticks",
    96,
    _REQ,
    *C12,
    _EXPIRED,
    Field("start", TEXT),
    Field("end", TEXT),
    Field("count", COUNT),
    Field("what", TEXT),
    Field("use_rth", BOOL),
    Field("ignore_size", BOOL),
    _OPTIONS,
)
REQ_WSH_META_DATA = Table("req_wsh_meta_data", 100, _REQ)
CANCEL_WSH_META_DATA = Table("cancel_wsh_meta_data", 101, _REQ)
REQ_WSH_EVENTS = Table(
    "req_wsh_events",
    102,
    _REQ,
    Field("con_id", INT),
    Field("filter", TEXT, since=171),
    Field("fill_watchlist", BOOL, since=171),
    Field("fill_portfolio", BOOL, since=171),
    Field("fill_competitors", BOOL, since=171),
    Field("start", TEXT, since=173),
    Field("end", TEXT, since=173),
    Field("results_max", INT, since=173),
)
CANCEL_WSH_EVENTS = Table("cancel_wsh_events", 103, _REQ)
REQ_USER_INFO = Table("req_user_info", 104, _REQ)

RESEARCH_REQUESTS = tuple(value for value in tuple(globals().values()) if isinstance(value, Table))
"""Every table of this module."""
