"""Opening-range breakout with a protective stop.

The range is the high and low of the first minutes after the open. A minute that closes above it is
bought, one that closes below it is sold short; the stop rests at the other end of the range from the
first fill on, always of the size that is held. At ``flat_at`` everything is closed.

The one rule that covers partial fills, refusals and restarts alike is in ``protect``: what is held has
a stop of its size, or is closed.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from pydantic import Field

from ibfloor import Accepted, Bar, Fill, Order, OrdStatus, OrdType, Refused, Side, Stock, Stop, Strategy, StrategyParams

NEW_YORK = ZoneInfo("America/New_York")
OPEN = time(9, 30)


class Params(StrategyParams):
    symbol: str = "AAPL"
    qty: int = Field(100, gt=0, description="Shares bought or sold at a breakout.")
    range_minutes: int = Field(5, ge=1, le=120, description="Minutes after the open that make the range.")
    entries_max: int = Field(2, ge=1, description="Breakouts taken in one day.")
    flat_at: time = Field(time(15, 55), description="New York time from which nothing is held.")


class OpeningRange(Strategy[Params]):
    is_up = False

    def on_start(self) -> None:
        self.is_up = True
        self.stock = Stock(self.params.symbol)
        self.is_closing = False
        self.stop_qty_asked = Decimal(0)
        self.begin_day(None)
        # A day's bars, so that a start at noon still knows this morning's range.
        self.subscribe_bars(self.stock, "1 min", warmup=390)
        self.schedule(self.params.flat_at.isoformat(), tz="America/New_York", name="flat")

    def begin_day(self, day: date | None) -> None:
        self.day = day
        self.high, self.low = float("-inf"), float("inf")
        self.entries = 0

    def on_bar(self, bar: Bar) -> None:
        start = datetime.fromtimestamp(bar.ts_event_ns // 1_000_000_000, NEW_YORK)
        if start.date() != self.day:
            self.begin_day(start.date())
        range_start = datetime.combine(start.date(), OPEN, NEW_YORK)
        range_end = range_start + timedelta(minutes=self.params.range_minutes)
        if range_start <= start < range_end:
            self.high, self.low = max(self.high, bar.high_px), min(self.low, bar.low_px)
        if self.is_warming:
            return
        self.protect()
        if range_end <= start and self.now.astimezone(NEW_YORK).time() < self.params.flat_at:
            self.enter(bar.close_px)

    def enter(self, px: float) -> None:
        is_flat = self.position(self.stock).is_flat and not self.orders_of(self.stock)
        if not is_flat or self.entries >= self.params.entries_max or self.high < self.low:
            return
        answer = None
        if px > self.high:
            answer = self.buy(self.stock, self.params.qty, note="entry")
        elif px < self.low:
            answer = self.sell(self.stock, self.params.qty, note="entry")
        if isinstance(answer, Accepted):
            self.entries += 1

    def on_fill(self, fill: Fill) -> None:
        self.log.info("filled", note=fill.note, side=fill.side.value, qty=str(fill.qty), px=str(fill.px))
        if self.is_up:  # fills of while it was away come before it starts
            self.protect()

    def on_order(self, order: Order) -> None:
        if order.status is not OrdStatus.REJECTED:
            self.protect()
        elif order.request.note == "stop":
            self.log.error("the protective stop was rejected: closing", text=order.text)
            self.close()

    def on_timer(self, name: str) -> None:
        self.close()

    def close(self) -> None:
        self.is_closing = True
        self.cancel_all(self.stock)
        self.protect()

    def protect(self) -> None:
        held = self.position(self.stock).qty
        working = self.orders_of(self.stock)
        if self.is_closing:
            if not working:  # first the stop is gone for certain, then the market order goes
                self.is_closing = held != 0
                self.target(self.stock, 0, note="close")
            return
        stops = [order for order in working if order.request.ord_type is OrdType.STOP]
        if not held:
            for order in stops:
                if order.status is not OrdStatus.PENDING_CANCEL:
                    self.cancel(order)
        elif self.high < self.low:
            self.log.warning("a position without a range to protect it by: closing")
            self.close()
        elif not stops:
            side = Side.SELL if held > 0 else Side.BUY
            self.stop_qty_asked = abs(held)
            level = self.low if held > 0 else self.high
            answer = self.submit(Stop(self.stock, side, abs(held), level, note="stop"))
            if isinstance(answer, Refused):
                self.log.error("the protective stop was refused: closing", reason=str(answer.reason))
                self.close()
        else:
            self.resize(stops[0], stops[0].cum_qty + abs(held))

    def resize(self, stop: Order, qty: Decimal) -> None:
        if stop.status not in (OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED):
            return  # its next state comes to on_order, and from there here again
        if qty != stop.request.order_qty and qty != self.stop_qty_asked:
            self.stop_qty_asked = qty
            if isinstance(self.replace(stop, qty=qty), Refused):
                self.log.error("the protective stop cannot be resized: closing")
                self.close()
