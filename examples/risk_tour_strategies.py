"""The strategies of the risk tour: two that hold, one that writes a put, and one that runs away."""

from __future__ import annotations

from datetime import time
from zoneinfo import ZoneInfo

from pydantic import Field

from ibfloor import Contract, Limit, Market, Option, Quote, Refused, Side, Stock, Strategy, StrategyParams

NEW_YORK = ZoneInfo("America/New_York")
LAST_ENTRY = time(10, 0)


class HolderParams(StrategyParams):
    symbol: str
    qty: int = Field(gt=0)


class Holder(Strategy[HolderParams]):
    """Buys once after the open, and holds."""

    def on_start(self) -> None:
        self.stock = Stock(self.params.symbol)
        self.is_sent = False
        self.subscribe_quotes(self.stock)

    def on_quote(self, quote: Quote) -> None:
        if self.is_sent or not self.position(self.stock).is_flat or not is_early(self):
            return
        self.is_sent = not isinstance(self.submit(Market(self.stock, Side.BUY, self.params.qty)), Refused)


class WriterParams(StrategyParams):
    symbol: str
    expiry: str
    strike: float
    contracts: int = Field(1, gt=0)


class PutWriter(Strategy[WriterParams]):
    """Writes puts once after the open, at the bid, and waits."""

    def on_start(self) -> None:
        self.put: Contract = Option(self.params.symbol, self.params.expiry, self.params.strike, "P")
        self.is_sent = False
        self.subscribe_quotes(self.put)

    def on_quote(self, quote: Quote) -> None:
        if self.is_sent or not self.position(self.put).is_flat or not is_early(self) or not quote.bid_px > 0:
            return
        order = Limit(self.put, Side.SELL, self.params.contracts, quote.bid_px)
        self.is_sent = not isinstance(self.submit(order), Refused)


class RunawayParams(StrategyParams):
    symbol: str
    orders_per_s: int = Field(100, gt=0)


class Runaway(Strategy[RunawayParams]):
    """Sends a hundred orders a second, as a loop does that forgets what it has sent."""

    def on_start(self) -> None:
        self.stock = Stock(self.params.symbol)
        self.subscribe_quotes(self.stock)
        self.every(1, "again")

    def on_timer(self, name: str) -> None:
        for _ in range(self.params.orders_per_s):
            self.submit(Market(self.stock, Side.BUY, 1))


def is_early(strategy: Holder | PutWriter) -> bool:
    """Tell whether the day is young enough to enter."""
    return time(9, 30) <= strategy.now.astimezone(NEW_YORK).time() < LAST_ENTRY
