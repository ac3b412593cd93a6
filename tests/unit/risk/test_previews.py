from __future__ import annotations

from decimal import Decimal

from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.margin import MarginFigure, MarginImpact
from ibfloor.model.money import USD
from ibfloor.model.order import Side
from ibfloor.risk.previews import Preview, Previews

SPY = InstrumentId(756733)
SMA = StrategyId("sma")


def preview(qty: int, side: Side = Side.BUY, strategy: StrategyId = SMA) -> Preview:
    figure = MarginFigure(before=Decimal(0), change=Decimal(qty), after=Decimal(qty))
    impact = MarginImpact(
        instrument_id=SPY,
        side=side,
        order_qty=Decimal(qty),
        initial=figure,
        maintenance=figure,
        equity=figure,
        currency=USD,
        ts_ns=qty,
    )
    return Preview(strategy, SPY, side, Decimal(qty), impact, qty)


def test_the_newest_preview_of_a_strategy_instrument_and_side_is_kept() -> None:
    previews = Previews()
    for each in (preview(1), preview(2, Side.SELL), preview(3), preview(4, strategy=StrategyId("other"))):
        previews.take(each)
    assert previews.latest(SMA, SPY, Side.BUY) == preview(3)
    assert previews.latest(SMA, SPY, Side.SELL) == preview(2, Side.SELL)
    assert previews.latest(SMA, InstrumentId(1), Side.BUY) is None
