"""Every field of a placeOrder message: what it is for, and what is said to those that are refused.

No field is taken and dropped in silence: it says which contract, or changes what the order does, or is
kept and told back (it matters to a broker's back office or to routing, not to one simulated venue), or
the order is refused.
"""

from __future__ import annotations

from decimal import Decimal

from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.ticket_errors import TicketError, invalid


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CONTRACT = _words(
    "con_id symbol sec_type expiry strike right multiplier exchange primary_exchange currency local_symbol "
    "trading_class sec_id_type sec_id combo_legs"
)
"""Which contract is meant."""
TERMS = _words(
    "order_id action total_qty order_type lmt_price aux_price tif oca_group account order_ref transmit parent_id "
    "display_size outside_rth hidden discretionary_amt good_after_time good_till_date oca_type all_or_none "
    "min_qty percent_offset override_percentage_constraints trail_stop_price trailing_percent lmt_price_offset "
    "scale_init_level_size scale_subs_level_size scale_price_increment hedge_type hedge_param algo_strategy "
    "algo_params what_if conditions conditions_ignore_rth conditions_cancel_order cash_qty auto_cancel_parent "
    "block_order"
)
"""What changes what the order does."""
CARRIED = _words(
    "open_close sweep_to_fill rule_80a opt_out_smart_routing algo_id order_misc_options solicited ext_operator "
    "soft_dollar_name soft_dollar_value mifid2_decision_maker mifid2_decision_algo mifid2_execution_trader "
    "mifid2_execution_algo dont_use_auto_price_for_hedge use_price_mgmt_algo advanced_error_override "
    "manual_order_time customer_account professional_customer manual_order_indicator smart_combo_params"
)
"""What is kept, and told back where a message has a field for it, but changes nothing here."""

_DELTA_NEUTRAL = TicketError(10010, "Invalid delta hedge order.")
_NOT_AWAY = TicketError(346, "Not an institutional account or an away clearing account.")
_NO_RANGE = TicketError(373, "Can only set stock range attribute on VOL or RELATIVE TO STOCK order.")
_NO_ADVISOR = invalid("FA data operations ignored for non FA customers.")
_NOT_SHORT = TicketError(348, "Order not a short sale -- type must be SSHORT to specify short sale slot.")
_SCALE_STEPS = TicketError(449, "Unexpected scale price adjustment amount or interval.")


def _no(name: str) -> TicketError:
    return invalid(f"The '{name}' order attribute is not supported for this order.")


def _gone(code: int, name: str) -> TicketError:
    return TicketError(code, f"The '{name}' order attribute is not supported")


REFUSED: dict[str, TicketError] = {
    "origin": _NOT_AWAY,
    "settling_firm": _NOT_AWAY,
    "clearing_account": _NOT_AWAY,
    "clearing_intent": _NOT_AWAY,
    "trigger_method": TicketError(146, "Invalid trigger method."),
    "leg_prices": _no("orderComboLegs"),
    "shares_allocation": TicketError(333, "Invalid share allocation syntax."),
    "fa_group": _NO_ADVISOR,
    "fa_method": _NO_ADVISOR,
    "fa_percentage": _NO_ADVISOR,
    "fa_profile": TicketError(585, "FA Profile is not supported anymore, use FA Group instead"),
    "model_code": _no("modelCode"),
    "short_sale_slot": _NOT_SHORT,
    "designated_location": TicketError(353, "Short sale slot value of 1 requires no location be specified."),
    "exempt_code": _NOT_SHORT,
    "e_trade_only": _gone(10268, "EtradeOnly"),
    "firm_quote_only": _gone(10269, "firmQuoteOnly"),
    "nbbo_price_cap": _gone(10270, "nbboPriceCap"),
    "auction_strategy": _no("auctionStrategy"),
    "starting_price": _no("startingPrice"),
    "stock_ref_price": _no("stockRefPrice"),
    "delta": TicketError(341, "Invalid delta. Valid values are from 1 to 100."),
    "stock_range_lower": _NO_RANGE,
    "stock_range_upper": _NO_RANGE,
    "volatility": TicketError(
        371, "VOL order requires positive floating point value for volatility. Do not set it for other order types."
    ),
    "volatility_type": TicketError(
        367, "Volatility type if set must be 1 or 2 for VOL orders. Do not set it for other order types."
    ),
    "delta_neutral_order_type": _DELTA_NEUTRAL,
    "delta_neutral_aux_price": TicketError(
        379, "Delta hedge order type requires that no delta hedge aux. price be specified."
    ),
    "continuous_update": TicketError(372, "Cannot set dynamic VOL attribute on non-VOL order."),
    "reference_price_type": TicketError(
        368, "Reference Price Type must be 1 or 2 for dynamic volatility management. Do not set it for non-VOL orders."
    ),
    "has_delta_neutral": TicketError(429, "Delta neutral orders are only supported for combos (BAG security type)."),
    "scale_price_adjust_value": _SCALE_STEPS,
    "scale_price_adjust_interval": _SCALE_STEPS,
    "scale_profit_offset": TicketError(418, "Invalid scale order profit offset."),
    "scale_auto_reset": _no("scaleAutoReset"),
    "scale_init_position": _no("scaleInitPosition"),
    "scale_init_fill_qty": _no("scaleInitFillQty"),
    "scale_random_percent": _no("scaleRandomPercent"),
    "scale_table": _no("scaleTable"),
    "active_start_time": _no("activeStartTime"),
    "active_stop_time": _no("activeStopTime"),
    "not_held": TicketError(10297, "Not Held attribute is invalid for this order."),
    "randomize_size": _no("randomizeSize"),
    "randomize_price": _no("randomizePrice"),
    "adjusted_order_type": TicketError(328, "Trailing stop orders can be attached to limit or stop-limit orders only."),
    "trigger_price": TicketError(361, "Invalid trigger price."),
    "adjusted_stop_price": TicketError(362, "Invalid adjusted stop price."),
    "adjusted_stop_limit_price": TicketError(363, "Invalid adjusted stop limit price."),
    "adjusted_trailing_amount": TicketError(364, "Invalid adjusted trailing amount."),
    "adjustable_trailing_unit": TicketError(364, "Invalid adjusted trailing amount."),
    "is_oms_container": _no("isOmsContainer"),
    "discretionary_up_to_limit_price": TicketError(
        325, "Discretionary orders are not supported for this combination of exchange and order type."
    ),
    "duration": _no("duration"),
    "post_to_ats": _no("postToAts"),
    "min_trade_qty": TicketError(10302, "Min trade trade quantity is not allowed for this order"),
    "mid_offset_at_whole": TicketError(10306, "Mid offsets are not allowed"),
    "mid_offset_at_half": TicketError(10306, "Mid offsets are not allowed"),
    "rfq_name": TicketError(416, "RFQ is not applicable for the contract."),
    "rfq_value": TicketError(416, "RFQ is not applicable for the contract."),
    "include_overnight": _no("includeOvernight"),
    "imbalance_only": _no("imbalanceOnly"),
}
"""What is said to a field that is set."""
BY_TYPE: dict[str, str] = {
    "reference_contract_id": "PEG BENCH",
    "is_pegged_change_amount_decrease": "PEG BENCH",
    "pegged_change_amount": "PEG BENCH",
    "reference_change_amount": "PEG BENCH",
    "reference_exchange_id": "PEG BENCH",
    "min_compete_size": "PEG BEST",
    "compete_against_best_offset": "PEG BEST",
}
"""Fields that only orders of a refused type have."""
UNDER: dict[str, str] = {
    **dict.fromkeys(
        _words(
            "delta_neutral_con_id delta_neutral_settling_firm delta_neutral_clearing_account "
            "delta_neutral_clearing_intent delta_neutral_open_close delta_neutral_short_sale "
            "delta_neutral_short_sale_slot delta_neutral_designated_location"
        ),
        "delta_neutral_order_type",
    ),
    **dict.fromkeys(
        ("delta_neutral_contract", "delta_neutral_delta", "delta_neutral_px"),
        "has_delta_neutral",
    ),
}
"""Fields that only a refused one brings with it."""
_NEUTRAL: dict[str, tuple[object, ...]] = {
    "exempt_code": (-1, 0),
    "clearing_intent": ("", "IB"),
    "trigger_method": (0, 2),
    "delta_neutral_order_type": ("", "None"),
    "adjusted_order_type": ("", "None"),
}
_TYPES: dict[str, tuple[str, ...]] = {
    "percent_offset": ("REL", "PEG MKT", "PEG MID", "SNAP MKT", "SNAP MID", "SNAP PRIM"),
    "trailing_percent": ("TRAIL", "TRAIL LIMIT"),
}
_NOTHING = (None, "", 0, Decimal(0), False)


def refuse_unknown_fields(values: Values) -> None:
    """Raise ``TicketError`` for the first field that is set and that no order here can have."""
    for name, error in REFUSED.items():
        value = values.get(name)
        if name == "clearing_account" and value == values.get("account"):
            continue  # cleared by the account that orders, as without it
        if value not in _NEUTRAL.get(name, _NOTHING) and value not in ([], ()):
            raise error
    for name, types in _TYPES.items():
        if values.get(name) and values.get("order_type") not in types:
            raise invalid(f"The {name.replace('_', ' ')} is not valid for this order type.")
