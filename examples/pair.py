"""A pair: when the price ratio of two stocks is far from its average, sell the dear one and buy the cheap one.

Both legs have about the same value. They are closed when the ratio is back near its average, and at
15:50 New York. A leg that stands alone (the other was refused) is closed at the next bar.
"""

from __future__ import annotations

from collections import deque
from datetime import time
from statistics import fmean, pstdev
from zoneinfo import ZoneInfo

from pydantic import Field

from ibfloor import Bar, Stock, Strategy, StrategyParams

NEW_YORK = ZoneInfo("America/New_York")
OPEN, FLAT = time(9, 30), time(15, 50)


class Params(StrategyParams):
    first: str = "KO"
    second: str = "PEP"
    qty: int = Field(100, gt=0, description="Shares of the first leg; the second has the same value.")
    window: int = Field(10, ge=3, description="Minutes of the average.")
    enter_z: float = Field(1.0, gt=0, description="Standard deviations at which the pair is opened.")
    exit_z: float = Field(0.25, ge=0, description="Standard deviations at which it is closed.")


class Pair(Strategy[Params]):
    def on_start(self) -> None:
        self.first, self.second = Stock(self.params.first), Stock(self.params.second)
        self.closes: dict[int, dict[str, float]] = {}
        self.ratios: deque[float] = deque(maxlen=self.params.window)
        for leg in (self.first, self.second):
            self.subscribe_bars(leg, "1 min", warmup=self.params.window)

    def on_bar(self, bar: Bar) -> None:
        closes = self.closes.setdefault(bar.ts_event_ns, {})
        closes[bar.contract.symbol] = bar.close_px
        if len(closes) < 2:
            return
        self.closes = {ts: each for ts, each in self.closes.items() if ts > bar.ts_event_ns}
        first_px, second_px = closes[self.first.symbol], closes[self.second.symbol]
        self.ratios.append(first_px / second_px)
        if not self.is_warming and len(self.ratios) == self.params.window:
            self.decide(first_px, second_px)

    def decide(self, first_px: float, second_px: float) -> None:
        moment = self.now.astimezone(NEW_YORK).time()
        held = self.position(self.first).qty
        is_lopsided = self.position(self.first).is_flat != self.position(self.second).is_flat
        if not OPEN <= moment < FLAT or (is_lopsided and not self.orders):
            self.hold(0, 0)
            return
        spread = pstdev(self.ratios)
        z = (self.ratios[-1] - fmean(self.ratios)) / spread if spread else 0.0
        second_qty = max(1, round(self.params.qty * first_px / second_px))
        if held and abs(z) < self.params.exit_z:
            self.hold(0, 0)
        elif not held and z > self.params.enter_z:
            self.hold(-self.params.qty, second_qty)
        elif not held and z < -self.params.enter_z:
            self.hold(self.params.qty, -second_qty)

    def hold(self, first_qty: int, second_qty: int) -> None:
        self.target(self.first, first_qty)
        self.target(self.second, second_qty)
