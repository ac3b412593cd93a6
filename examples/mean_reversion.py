"""Mean reversion on quotes: a bid below and an offer above the average of the last minute's mid prices.

Limit orders only, one a side, moved when the average moves. The inventory is capped: a side that would
exceed it is taken away. From 15:50 New York the orders are canceled, and then the inventory is closed.
"""

from __future__ import annotations

from collections import deque
from datetime import time
from math import isfinite
from statistics import fmean
from zoneinfo import ZoneInfo

from pydantic import Field

from ibfloor import Limit, Order, OrdStatus, OrdType, Quote, Side, Stock, Strategy, StrategyParams

NEW_YORK = ZoneInfo("America/New_York")
OPEN, FLAT = time(9, 30), time(15, 50)
NS_PER_S = 1_000_000_000


class Params(StrategyParams):
    symbol: str = "QQQ"
    qty: int = Field(100, gt=0, description="Shares of one order.")
    inventory_max: int = Field(200, gt=0, description="Largest position, long or short.")
    window_s: float = Field(60.0, gt=0, description="Market seconds of the average.")
    edge_bps: float = Field(2.0, gt=0, description="Distance from the average, in hundredths of a percent.")
    requote_s: float = Field(10.0, gt=0, description="Market seconds between two looks at the orders.")
    requote_ticks: int = Field(2, ge=1, description="Move of the wanted price, in ticks, that moves an order.")


class MeanReversion(Strategy[Params]):
    def on_start(self) -> None:
        self.stock = Stock(self.params.symbol)
        self.mids: deque[tuple[int, float]] = deque()
        self.quote: Quote | None = None
        self.subscribe_quotes(self.stock)
        self.every(self.params.requote_s, "requote")

    def on_quote(self, quote: Quote) -> None:
        if not isfinite(quote.mid_px):
            return
        self.quote = quote
        if self.mids and quote.ts_event_ns - self.mids[-1][0] < NS_PER_S:
            return  # one a second is enough for an average
        self.mids.append((quote.ts_event_ns, quote.mid_px))
        oldest_ns = quote.ts_event_ns - self.params.window_s * NS_PER_S
        while self.mids[0][0] < oldest_ns:
            self.mids.popleft()

    def on_timer(self, name: str) -> None:
        moment = self.now.astimezone(NEW_YORK).time()
        if moment >= FLAT:
            self.close()
        elif moment >= OPEN and self.quote is not None and len(self.mids) >= 5:
            mean = fmean(mid for _, mid in self.mids)
            edge = mean * self.params.edge_bps / 10_000
            # Never through the market: a limit that trades at once earns no edge.
            self.quote_side(Side.BUY, min(mean - edge, self.quote.bid_px))
            self.quote_side(Side.SELL, max(mean + edge, self.quote.ask_px))

    def on_stop(self) -> None:
        self.cancel_all(self.stock)

    def close(self) -> None:
        working = self.orders_of(self.stock)
        if not working:
            self.target(self.stock, 0, note="close")
        elif any(order.request.ord_type is OrdType.LIMIT for order in working):
            self.cancel_all(self.stock)

    def quote_side(self, side: Side, px: float) -> None:
        after = self.position(self.stock).qty + self.params.qty * side.sign
        is_allowed = abs(after) <= self.params.inventory_max
        working = [order for order in self.orders_of(self.stock) if order.request.side is side]
        if not working and is_allowed:
            self.submit(Limit(self.stock, side, self.params.qty, px, note="quote"))
        for order in working:
            if order.status not in (OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED):
                continue  # a request for it is under way
            if not is_allowed:
                self.cancel(order)
            elif self.has_moved(order, px):
                self.replace(order, limit=px)

    def has_moved(self, order: Order, px: float) -> bool:
        instrument = self.instrument(self.stock)
        if instrument is None or order.request.limit_px is None:
            return False
        distance = abs(instrument.round_price(px, order.request.side) - order.request.limit_px)
        return distance >= self.params.requote_ticks * instrument.min_tick
