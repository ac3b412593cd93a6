"""A strategy on strings: it does what a file tells it, line by line, and writes down what it is told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from threading import Event

from ibfloor import Bar, Fill, Limit, Market, Order, Quote, Side, Stock, Strategy, StrategyParams


class Params(StrategyParams):
    symbol: str
    strings: str
    notes: str
    bar: str = ""


class Puppet(Strategy[Params]):
    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self.stock = Stock(params.symbol)
        self.quote: Quote | None = None
        self.strings = Path(params.strings)
        self.read = self.strings.stat().st_size if self.strings.exists() else 0  # what an earlier life was told
        self.file = os.open(params.notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, what: str, **values: object) -> None:
        os.write(self.file, json.dumps({"pid": os.getpid(), "what": what, **values}).encode() + b"\n")

    def on_start(self) -> None:
        self.note(
            "start",
            orders={order.cl_ord_id: order.status for order in self.orders},
            qty=str(self.position(self.stock).qty),
            cash={currency: str(amount) for currency, amount in self.cash.items()},
        )
        self.subscribe_quotes(self.stock)
        if self.params.bar:
            self.subscribe_bars(self.stock, self.params.bar)
        self.every(5, "look")

    def on_bar(self, bar: Bar) -> None:
        self.note("bar", start_ns=bar.ts_event_ns)

    def on_fill(self, fill: Fill) -> None:
        self.note("fill", exec_id=fill.exec_id, cl_ord_id=fill.cl_ord_id, qty=str(fill.qty))

    def on_order(self, order: Order) -> None:
        self.note("order", cl_ord_id=order.cl_ord_id, status=order.status, text=order.text)

    def on_quote(self, quote: Quote) -> None:
        if self.quote is None:
            self.note("quoted")
        self.quote = quote
        self.look(quote)

    def on_timer(self, name: str) -> None:
        if self.quote is not None:  # also where no quote comes any more
            self.look(self.quote)

    def look(self, quote: Quote) -> None:
        with self.strings.open() as file:
            file.seek(self.read)
            while (line := file.readline()).endswith("\n"):
                self.read = file.tell()
                self.act(quote, *json.loads(line))

    def act(self, quote: Quote, verb: str, what: str, qty: int = 0, factor: float = 1.0) -> None:
        side = Side.SELL if what == "sell" else Side.BUY
        near = quote.ask_px if side is Side.BUY else quote.bid_px
        px = near * factor
        match verb:
            case "market":
                answer: object = self.submit(Market(self.stock, side, qty))
            case "limit":
                answer = self.submit(Limit(self.stock, side, qty, px))
            case "bracket":
                gain, loss = near * (2 - factor), near * factor
                answer = self.bracket(Market(self.stock, side, qty), take_profit=round(gain, 2), stop=round(loss, 2))
            case "hang":
                answer = Event().wait(qty)
            case "replace":
                answer = self.replace(next(each for each in self.orders if each.cl_ord_id == what), qty=qty)
            case "reprice":
                order = next(each for each in self.orders if each.cl_ord_id == what)
                answer = self.replace(order, limit=round(px, 2))
            case _:
                answer = self.cancel(next(each for each in self.orders if each.cl_ord_id == what))
        self.note("answer", verb=verb, text=str(answer))
