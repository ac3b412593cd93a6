"""Blocks of order fields that the three order messages share."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.sim.gateway.codec.contracts import FULL_LEGS
from ibfloor.sim.gateway.codec.kinds import AMOUNT, BOOL, COUNT, INT, NUMBER, TEXT, Values
from ibfloor.sim.gateway.codec.table import Block, Field, Item, Rows

TAG_VALUE = (Field("tag", TEXT), Field("value", TEXT))


def _is_scaled(values: Values) -> bool:
    increment = values.get("scale_price_increment")
    return isinstance(increment, int | float | Decimal) and increment > 0


def _is_pegged_to_benchmark(values: Values) -> bool:
    return values.get("order_type") in ("PEG BENCH", "PEGBENCH")


def is_peg_best(values: Values) -> bool:
    """Tell whether the order is pegged to the best price."""
    return values.get("order_type") in ("PEG BEST", "PEGBEST")


def has_mid_offsets(values: Values) -> bool:
    """Tell whether the order carries offsets from the middle price."""
    offset = values.get("compete_against_best_offset")
    pegged_up_to_mid = is_peg_best(values) and offset == Decimal("Infinity")
    return pegged_up_to_mid or values.get("order_type") in ("PEG MID", "PEGMID")


def when(name: str, *items: Item) -> Block:
    """Return items that are there only when a field has a value."""
    return Block(lambda values: bool(values.get(name)), items)


SCALE = (
    Field("scale_init_level_size", INT),
    Field("scale_subs_level_size", INT),
    Field("scale_price_increment", NUMBER),
    Block(
        _is_scaled,
        (
            Field("scale_price_adjust_value", NUMBER),
            Field("scale_price_adjust_interval", INT),
            Field("scale_profit_offset", NUMBER),
            Field("scale_auto_reset", BOOL),
            Field("scale_init_position", INT),
            Field("scale_init_fill_qty", INT),
            Field("scale_random_percent", BOOL),
        ),
    ),
)
HEDGE = (Field("hedge_type", TEXT), when("hedge_type", Field("hedge_param", TEXT)))
ALGO = (Field("algo_strategy", TEXT), when("algo_strategy", Rows("algo_params", TAG_VALUE)))
PEG_BENCH = Block(
    _is_pegged_to_benchmark,
    (
        Field("reference_contract_id", COUNT),
        Field("is_pegged_change_amount_decrease", BOOL),
        Field("pegged_change_amount", AMOUNT),
        Field("reference_change_amount", AMOUNT),
        Field("reference_exchange_id", TEXT),
    ),
)
FA = (
    Field("fa_group", TEXT),
    Field("fa_method", TEXT),
    Field("fa_percentage", TEXT),
    Field("fa_profile", TEXT, until=176),
)
BOX = (Field("starting_price", NUMBER), Field("stock_ref_price", NUMBER), Field("delta", NUMBER))
RANGE = (Field("stock_range_lower", NUMBER), Field("stock_range_upper", NUMBER))
SHORT_SALE = (
    Field("short_sale_slot", COUNT),
    Field("designated_location", TEXT),
    Field("exempt_code", INT, default=-1),
)
VOLATILITY = (
    Field("volatility", NUMBER),
    Field("volatility_type", INT),
    Field("delta_neutral_order_type", TEXT),
    Field("delta_neutral_aux_price", NUMBER),
)
DELTA_NEUTRAL_ID = Field("delta_neutral_con_id", COUNT)
DELTA_NEUTRAL_OPEN = (
    Field("delta_neutral_settling_firm", TEXT),
    Field("delta_neutral_clearing_account", TEXT),
    Field("delta_neutral_clearing_intent", TEXT),
    Field("delta_neutral_open_close", TEXT),
)
DELTA_NEUTRAL_SHORT = (
    Field("delta_neutral_short_sale", BOOL),
    Field("delta_neutral_short_sale_slot", COUNT),
    Field("delta_neutral_designated_location", TEXT),
)
DELTA_NEUTRAL = when("delta_neutral_order_type", DELTA_NEUTRAL_ID, *DELTA_NEUTRAL_OPEN, *DELTA_NEUTRAL_SHORT)
CONTINUOUS = (Field("continuous_update", COUNT), Field("reference_price_type", INT))
TRAIL = (Field("trail_stop_price", NUMBER), Field("trailing_percent", NUMBER))
CLEARING = (Field("clearing_account", TEXT), Field("clearing_intent", TEXT), Field("not_held", BOOL))
LEGS = (
    FULL_LEGS,
    Rows("leg_prices", (Field("price", NUMBER),)),
    Rows("smart_combo_params", TAG_VALUE),
)
PEG_TAIL = (
    Field("min_trade_qty", INT, since=170),
    Field("min_compete_size", INT, since=170),
    Field("compete_against_best_offset", NUMBER, since=170),
    Field("mid_offset_at_whole", NUMBER, since=170),
    Field("mid_offset_at_half", NUMBER, since=170),
)


def _condition(kinds: tuple[int, ...], *items: Item) -> Block:
    return Block(lambda row: row.get("kind") in kinds, items)


BY_CONTRACT = (Field("con_id", COUNT), Field("exchange", TEXT))
CONDITIONS: tuple[Item, ...] = (
    Rows(
        "conditions",
        (
            Field("kind", COUNT),
            Field("conjunction", TEXT, default="a"),
            _condition((1, 3, 4, 6, 7), Field("is_more", BOOL)),
            _condition((1,), Field("value", NUMBER), *BY_CONTRACT, Field("trigger_method", COUNT)),
            _condition((3,), Field("value", TEXT)),
            _condition((4,), Field("value", NUMBER)),
            _condition((5,), Field("sec_type", TEXT), Field("exchange", TEXT), Field("symbol", TEXT)),
            _condition((6, 7), Field("value", NUMBER), *BY_CONTRACT),
        ),
        rows_max=1000,
    ),
    when("conditions", Field("conditions_ignore_rth", BOOL), Field("conditions_cancel_order", BOOL)),
)
ADJUSTED_STOP = (
    Field("lmt_price_offset", NUMBER),
    Field("adjusted_stop_price", NUMBER),
    Field("adjusted_stop_limit_price", NUMBER),
    Field("adjusted_trailing_amount", NUMBER),
    Field("adjustable_trailing_unit", COUNT),
)

MARGINS = (
    "init_margin_before",
    "maint_margin_before",
    "equity_with_loan_before",
    "init_margin_change",
    "maint_margin_change",
    "equity_with_loan_change",
    "init_margin_after",
    "maint_margin_after",
    "equity_with_loan_after",
)
PREVIEW: tuple[Item, ...] = (
    Field("margin_currency", TEXT, since=195),
    *(Field(f"{name}_outside_rth", NUMBER, since=195) for name in MARGINS),
    Field("suggested_size", NUMBER, since=195),
    Field("reject_reason", TEXT, since=195),
    Rows(
        "allocations",
        (
            Field("account", TEXT),
            Field("position", NUMBER),
            Field("position_desired", NUMBER),
            Field("position_after", NUMBER),
            Field("desired_alloc_qty", NUMBER),
            Field("allowed_alloc_qty", NUMBER),
            Field("is_monetary", BOOL),
        ),
        since=195,
    ),
)
