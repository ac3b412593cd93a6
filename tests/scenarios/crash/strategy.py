"""Trades as fast as the message budget allows, and writes what it is told to a file that outlives a killed process."""

from __future__ import annotations

import json
import os
from random import Random

from ibfloor import (
    Fill,
    Limit,
    Market,
    Order,
    OrdStatus,
    OrdType,
    Quote,
    Side,
    Stock,
    Strategy,
    StrategyParams,
)

PAUSE_NS = 6_000_000_000  # of market time, a tenth of a second at 60 times


class Params(StrategyParams):
    symbol: str
    log: str
    seed: int = 1
    trade: bool = True


class Crasher(Strategy[Params]):
    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self.random = Random(params.seed)
        self.stock = Stock(params.symbol)
        self.acted_ns = 0
        self.file = os.open(params.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, what: str, value: object) -> None:
        os.write(self.file, json.dumps([os.getpid(), what, value]).encode() + b"\n")

    def on_start(self) -> None:
        self.note("start", [order.cl_ord_id for order in self.orders])
        self.subscribe_quotes(self.stock)

    def on_fill(self, fill: Fill) -> None:
        self.note("fill", fill.exec_id)

    def on_quote(self, quote: Quote) -> None:
        if not self.params.trade or quote.bid_px <= 0 or quote.ask_px <= 0:
            return
        if quote.ts_event_ns - self.acted_ns < PAUSE_NS:
            return
        self.acted_ns = quote.ts_event_ns
        resting = [order for order in self.orders if self.is_resting(order)]
        held = self.position(self.stock).qty
        side = Side.SELL if held > 200 else Side.BUY if held < -200 else self.random.choice((Side.BUY, Side.SELL))
        touch = quote.ask_px if side is Side.BUY else quote.bid_px
        away = quote.bid_px * 0.98 if side is Side.BUY else quote.ask_px * 1.02
        match self.random.randrange(7):
            case 0:
                self.submit(Market(self.stock, side, 10))
            case 1:
                self.submit(Limit(self.stock, side, 90, touch))  # often more than is there: it fills in parts
            case 2 | 3 if len(resting) < 4:
                self.submit(Limit(self.stock, side, 20, away))
            case 4 if resting:
                px = float(resting[0].request.limit_px or 1) + 0.01
                self.replace(resting[0], qty=self.random.choice((20, 30, 40)), limit=px)
            case 5 if len(resting) < 4:
                out, stop = (1.001, 0.97) if side is Side.BUY else (0.999, 1.03)
                entry = Limit(self.stock, side, 10, touch if self.random.random() < 0.5 else away)
                self.bracket(entry, take_profit=touch * out, stop=touch * stop)
            case _:
                if resting:
                    self.cancel(resting[-1])
        self.note("act", 0)

    def is_resting(self, order: Order) -> bool:
        return order.request.ord_type is OrdType.LIMIT and order.status in (OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED)
