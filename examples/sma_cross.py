"""Moving-average cross on one-minute bars: long while the fast average is above the slow one, else short or flat.

One market order per change of side, of at most twice ``qty``. Trades from the open to 15:55 New York,
then goes flat: it carries nothing overnight.
"""

from __future__ import annotations

from collections import deque
from datetime import time
from statistics import fmean
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from ibfloor import Bar, Fill, Stock, Strategy, StrategyParams

NEW_YORK = ZoneInfo("America/New_York")
OPEN, FLAT = time(9, 30), time(15, 55)


class Params(StrategyParams):
    symbol: str = "SPY"
    fast: int = Field(5, ge=1, description="Bars in the fast average.")
    slow: int = Field(15, ge=2, description="Bars in the slow average.")
    qty: int = Field(100, gt=0, description="Shares held, long or short.")
    may_short: bool = Field(True, description="Sell short below the slow average, instead of going flat.")

    @model_validator(mode="after")
    def _fast_is_faster(self) -> Params:
        if self.fast >= self.slow:
            raise ValueError(f"fast ({self.fast}) must be below slow ({self.slow})")
        return self


class SmaCross(Strategy[Params]):
    def on_start(self) -> None:
        self.stock = Stock(self.params.symbol)
        self.closes: deque[float] = deque(maxlen=self.params.slow)
        self.subscribe_bars(self.stock, "1 min", warmup=self.params.slow)
        self.schedule("15:55", tz="America/New_York", name="flat")

    def on_bar(self, bar: Bar) -> None:
        self.closes.append(bar.close_px)
        if self.is_warming or not OPEN <= self.now.astimezone(NEW_YORK).time() < FLAT:
            return
        if len(self.closes) < self.params.slow:
            return
        fast = fmean(list(self.closes)[-self.params.fast :])
        slow = fmean(self.closes)
        below = -self.params.qty if self.params.may_short else 0
        self.target(self.stock, self.params.qty if fast > slow else below)

    def on_timer(self, name: str) -> None:
        self.target(self.stock, 0)

    def on_fill(self, fill: Fill) -> None:
        self.log.info("filled", side=fill.side.value, qty=str(fill.qty), px=str(fill.px))
