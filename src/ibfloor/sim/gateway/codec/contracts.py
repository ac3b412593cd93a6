"""The contract's fields, as the messages share them."""

from __future__ import annotations

from ibfloor.sim.gateway.codec.kinds import COUNT, INT, NUMBER, TEXT, Values
from ibfloor.sim.gateway.codec.table import Block, Field, Rows

_HEAD = (
    Field("con_id", COUNT),
    Field("symbol", TEXT),
    Field("sec_type", TEXT),
    Field("expiry", TEXT),
    Field("strike", NUMBER),
    Field("right", TEXT),
    Field("multiplier", TEXT),
)
_TAIL = (Field("currency", TEXT), Field("local_symbol", TEXT), Field("trading_class", TEXT))

C12 = (*_HEAD, Field("exchange", TEXT), Field("primary_exchange", TEXT), *_TAIL)
"""In requests."""
C11 = (*_HEAD, Field("exchange", TEXT), *_TAIL)
"""In orders, executions and positions."""
PORTFOLIO_CONTRACT = (*_HEAD, Field("primary_exchange", TEXT), *_TAIL)


def is_combo(values: Values) -> bool:
    """Tell whether the contract is a combination, with legs."""
    return values.get("sec_type") == "BAG"


SHORT_LEGS = Block(
    is_combo,
    (
        Rows(
            "combo_legs",
            (Field("con_id", COUNT), Field("ratio", INT), Field("action", TEXT), Field("exchange", TEXT)),
        ),
    ),
)
FULL_LEGS = Rows(
    "combo_legs",
    (
        Field("con_id", COUNT),
        Field("ratio", INT),
        Field("action", TEXT),
        Field("exchange", TEXT),
        Field("open_close", COUNT),
        Field("short_sale_slot", COUNT),
        Field("designated_location", TEXT),
        Field("exempt_code", INT, default=-1),
    ),
)
DELTA_NEUTRAL_CONTRACT = (
    Field("has_delta_neutral", COUNT),
    Block(
        lambda values: bool(values.get("has_delta_neutral")),
        (
            Field("delta_neutral_contract", COUNT),
            Field("delta_neutral_delta", NUMBER),
            Field("delta_neutral_px", NUMBER),
        ),
    ),
)
