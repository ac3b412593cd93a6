from __future__ import annotations

from decimal import Decimal

from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.margin import MarginFigure, MarginImpact
from ibfloor.model.money import USD
from ibfloor.model.order import Side
from ibfloor.risk.previews import Previews

SPY = InstrumentId(756733)
SMA, OTHER = StrategyId("sma"), StrategyId("other")


def impact(qty: int, side: Side = Side.BUY) -> MarginImpact:
    figure = MarginFigure(before=Decimal(0), change=Decimal(qty), after=Decimal(qty))
    return MarginImpact(
        instrument_id=SPY,
        side=side,
        order_qty=Decimal(qty),
        initial=figure,
        maintenance=figure,
        equity=figure,
        currency=USD,
        ts_ns=qty,
    )


def test_the_newest_preview_of_a_strategy_instrument_and_side_is_kept() -> None:
    previews = Previews()
    for strategy, each in ((SMA, impact(1)), (SMA, impact(2, Side.SELL)), (SMA, impact(3)), (OTHER, impact(4))):
        previews.take(strategy, each)
    assert previews.latest(SMA, SPY, Side.BUY) == impact(3)
    assert previews.latest(SMA, SPY, Side.SELL) == impact(2, Side.SELL)
    assert previews.latest(SMA, InstrumentId(1), Side.BUY) is None
