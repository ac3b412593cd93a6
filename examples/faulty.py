"""A strategy that breaks on purpose: it trades a little, then raises, to show that the others do not notice.

The floor stops it, handles its orders by its stop policy and starts it again. Every restart makes it
last ten times longer, so that one can watch it live on.
"""

from __future__ import annotations

from datetime import time
from zoneinfo import ZoneInfo

from pydantic import Field

from ibfloor import Bar, Stock, Strategy, StrategyParams

NEW_YORK = ZoneInfo("America/New_York")
OPEN, CLOSE = time(9, 30), time(16, 0)


class Params(StrategyParams):
    symbol: str = "IWM"
    qty: int = Field(10, gt=0, description="Shares bought, and sold a minute later.")
    bars_until_failure: int = Field(4, ge=1, description="Bars it lives for after the first start.")


class Faulty(Strategy[Params]):
    def on_start(self) -> None:
        self.stock = Stock(self.params.symbol)
        self.bars = 0
        self.lifetime = self.params.bars_until_failure * 10**self.restarts
        self.subscribe_bars(self.stock, "1 min")

    def on_bar(self, bar: Bar) -> None:
        if not OPEN <= self.now.astimezone(NEW_YORK).time() < CLOSE:
            return
        self.bars += 1
        self.target(self.stock, self.params.qty if self.position(self.stock).is_flat else 0)
        if self.bars >= self.lifetime:
            raise RuntimeError(f"broken on purpose after {self.bars} bars")
