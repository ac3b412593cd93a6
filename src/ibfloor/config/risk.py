"""``[risk]`` and its tables: what may be traded at most, by account, strategy, instrument class and instrument."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, StrictBool, StrictInt

from ibfloor.config.fields import Limit, Positive, Section, off_is_none
from ibfloor.model.money import AMOUNT_LIMIT

Count = Annotated[Annotated[StrictInt, Field(ge=1, lt=int(AMOUNT_LIMIT))] | None, BeforeValidator(off_is_none)]
"""A number of things; ``"off"`` is read as ``None``: no limit."""
Whole = Annotated[StrictInt, Field(ge=1, lt=int(AMOUNT_LIMIT))]


class InstrumentRisk(Section):
    """``[risk.class.FUT]`` and ``[risk.instrument."ESZ6"]``: limits of some instruments in place of the common."""

    max_order_qty: Limit = Field(
        None, description='Largest quantity of one order, in shares or contracts; "off" for none.'
    )
    max_order_notional: Limit = Field(
        None, description='Largest value of one order, in account currency; "off" for none.'
    )
    max_position_qty: Limit = Field(
        None, description='Largest position of one strategy in one instrument, working orders included; "off" for none.'
    )
    max_position_notional: Limit = Field(
        None, description='Largest value of such a position, in account currency; "off" for none.'
    )
    max_account_position_qty: Limit = Field(
        None, description="Largest position of all strategies together in one instrument, working orders included."
    )
    collar_pct: Limit = Field(
        None, description='Largest distance of an order price from the market, in percent; "off" for none.'
    )
    collar_atr: Limit = Field(
        None, description="Largest distance of an order price from the market, in average true ranges of a day."
    )
    quote_age_max_s: Positive = Field(Decimal(2), description="Oldest quote an entry may rest on, in market seconds.")
    fat_finger_median: Limit = Field(
        None, description="An order above so many times the strategy's median order there needs an operator's word."
    )
    fat_finger_adv_pct: Limit = Field(
        None, description="An order above so many percent of an average day's volume needs an operator's word."
    )
    duplicate_window_s: Limit = Field(
        None, description="Market seconds in which an entry equal to one just sent is refused."
    )
    margin_pct: Positive = Field(
        Decimal(100), description="Initial margin of an order nobody previewed, in percent of its value."
    )
    preview_above: Limit = Field(
        None, description="Orders above this value, in account currency, need a preview of their margin first."
    )
    preview_age_max_s: Positive = Field(Decimal(60), description="Oldest preview that counts, in market seconds.")
    allow_self_trade: StrictBool = Field(
        False, description="Whether an order may trade with another strategy's working order."
    )
    entries_when_closed: StrictBool = Field(
        True, description="Whether entries may be sent while the market is closed, for IB to hold until it opens."
    )
    allow_short: StrictBool = Field(True, description="Whether a position may become short.")
    restricted: StrictBool = Field(False, description="On the restricted list: only what reduces may pass.")


class RiskOverrides(InstrumentRisk):
    """``[risk.strategy.NAME]``, or ``[strategy.risk]`` below the strategy: limits in place of the common ones."""

    order_rate_per_s: Positive = Field(
        Decimal(1), description="Orders a strategy may send per market second, sustained."
    )
    order_burst: Whole = Field(1, description="Orders a strategy may send at once before the rate holds.")
    repeat_entries_max: Count = Field(
        None,
        description="Entries within repeat_window_s that disable the strategy, until an operator looks.",
    )
    repeat_window_s: Positive = Field(Decimal(60), description="The window of repeat_entries_max, in market seconds.")
    max_open_orders: Count = Field(None, description="Orders a strategy may have working.")
    max_rejects_in_a_row: Count = Field(
        None, description="Rejected orders in a row after which the strategy is disabled, until an operator looks."
    )
    day_loss_max: Limit = Field(
        None, description="Loss of a day, in account currency, at which a strategy may only reduce and is stopped."
    )
    drawdown_max: Limit = Field(
        None, description="Fall from its best result ever, in account currency, at which the same happens."
    )
    loop_lag_max_s: Limit = Field(
        None, description="Wall seconds a strategy may not answer before its entries are held."
    )
    paper_only: StrictBool = Field(False, description="Whether a strategy may not enter on a live account.")


class AccountRisk(Section):
    """``[risk.account]``: what all strategies together may do at most."""

    max_net_exposure: Limit = Field(None, description="Largest net exposure, long or short, in account currency.")
    max_leverage: Limit = Field(None, description="Largest gross exposure, in times of equity.")
    margin_budget_pct: Limit = Field(
        None, description="Initial margin of positions and all pending orders, at most, in percent of equity."
    )
    order_rate_per_s: Limit = Field(None, description="Orders all strategies together may send per market second.")
    order_burst: Whole = Field(1, description="Orders they may send at once before the rate holds.")
    session_rate_per_s: Limit = Field(
        None, description="Orders and changes one session may send per market second, 50 at once; ways out count too."
    )
    max_open_orders: Count = Field(None, description="Orders that may work at the same time.")
    day_loss_max: Limit = Field(None, description="Loss of a day, in account currency, that closes the kill switch.")
    drawdown_max: Limit = Field(
        None, description="Fall from the highest equity ever, in account currency, that closes the kill switch."
    )
    drawdown_max_pct: Limit = Field(None, description="The same in percent of the highest equity.")


class RiskSection(RiskOverrides):
    """``[risk]``: what one strategy may do at most, and the whole floor. The first ones must be written down."""

    max_order_qty: Limit = Field(description='Largest quantity of one order, in shares or contracts; "off" for none.')
    max_order_notional: Limit = Field(description='Largest value of one order, in account currency; "off" for none.')
    max_position_qty: Limit = Field(
        description='Largest position of one strategy in one instrument, working orders included; "off" for none.'
    )
    max_position_notional: Limit = Field(
        description='Largest value of such a position, in account currency; "off" for none.'
    )
    collar_pct: Limit = Field(
        description='Largest distance of an order price from the market, in percent; "off" for none.'
    )
    order_rate_per_s: Positive = Field(description="Orders a strategy may send per market second, sustained.")
    order_burst: Whole = Field(description="Orders a strategy may send at once before the rate holds.")
    max_gross_exposure: Limit = Field(
        description='Largest gross exposure of the whole floor, in account currency; "off" for none.'
    )
    account: AccountRisk = Field(default_factory=AccountRisk, description="`[risk.account]`, see below.")
    strategy: dict[str, RiskOverrides] = Field(
        default_factory=dict, description="`[risk.strategy.NAME]`: any limit above, of one strategy."
    )
    of_class: dict[str, InstrumentRisk] = Field(
        default_factory=dict,
        alias="class",
        description="`[risk.class.FUT]`: limits by kind of security (STK, FUT, OPT, CASH, ...).",
    )
    instrument: dict[str, InstrumentRisk] = Field(
        default_factory=dict,
        description='`[risk.instrument."ESZ6"]`: limits of one instrument, by IB\'s local symbol or its conId.',
    )
