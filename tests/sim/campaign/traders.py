"""Traders that do everything at random: the strategies whose orders the campaign puts through faults."""

from __future__ import annotations

from random import Random

from tests.sim.campaign.told import note

from ibfloor import Contract, Fill, Limit, Market, Quote, Side, Stock, Strategy, StrategyParams
from ibfloor.model.order import Order, OrdStatus, OrdType

BURST = 4


class Params(StrategyParams):
    seed: str
    symbols: tuple[str, ...] = ("SPY", "QQQ")
    every_s: float = 0.9
    until_ns: int
    """From this market time on it sends nothing new and cancels what works."""
    cover_until_ns: int = 0
    """Up to this market time exits of brackets stay, though nothing new is sent."""
    qty_max: int = 40
    told: str = ""
    """In a soak: the file where fills go, one execution id a line."""
    rest_s: float = 0.0
    """In a soak: it trades for so many market seconds, then does nothing for as long."""


class Trader(Strategy[Params]):
    """Limits near and far, markets, stops, changes, cancels; at most a handful of orders at a time."""

    def on_start(self) -> None:
        self.random = Random(f"{self.params.seed}:{self.name}:{self.now_ns}")
        self.mids: dict[str, float] = {}
        self.quoted_ns: dict[str, int] = {}
        self.contracts = {symbol: Stock(symbol) for symbol in self.params.symbols}
        for contract in self.contracts.values():
            self.subscribe_quotes(contract)
        self.every(self.params.every_s, "act")

    def on_fill(self, fill: Fill) -> None:
        note(self.name, fill.exec_id)

    def on_quote(self, quote: Quote) -> None:
        self.quoted_ns[quote.contract.symbol] = self.now_ns
        if quote.mid_px == quote.mid_px:
            self.mids[quote.contract.symbol] = quote.mid_px

    def on_timer(self, name: str) -> None:
        if self.now_ns >= self.params.until_ns:
            self.cancel_all()
            return
        working = [order for order in self.orders if order.status is not OrdStatus.PENDING_CANCEL]
        draw = self.random.random()
        if draw > 0.94 and len(working) < 4:
            self._burst(working)
        elif len(working) >= 5 or (working and draw < 0.2):
            self.cancel(self.random.choice(working))
        elif working and draw < 0.35:
            self._change(self.random.choice(working))
        else:
            self._enter()

    def _burst(self, working: list[Order]) -> None:
        # What one handler sends, nobody has heard of in between: the gate alone keeps the limits.
        for order in working:
            self.replace(order, qty=self.params.qty_max)
        for _ in range(BURST):
            self._enter()

    def _enter(self) -> None:
        symbol = self.random.choice(self.params.symbols)
        mid = self.mids.get(symbol)
        if mid is None:
            return
        contract, qty = self.contracts[symbol], self.random.randrange(1, self.params.qty_max)
        draw, away = self.random.random(), mid * self.random.uniform(0.0002, 0.004)
        # It leans towards being flat, so that a long run does not end at its limits.
        is_buy = self.random.random() < (0.35 if self.position(contract).qty > 0 else 0.65)
        send, sign = (self.buy, 1) if is_buy else (self.sell, -1)
        if draw < 0.35:
            send(contract, qty)
        elif draw < 0.6:
            send(contract, qty, limit=mid + sign * away)
        elif draw < 0.85:
            send(contract, qty, limit=mid - sign * away)
        else:
            send(contract, qty, stop=mid + sign * away)

    def _change(self, order: Order) -> None:
        symbol = next((s for s in self.params.symbols if order in self.orders_of(self.contracts[s])), None)
        mid = self.mids.get(symbol or "")
        if mid is None:
            return
        draw, px = self.random.random(), mid * self.random.uniform(0.997, 1.003)
        if draw < 0.4:
            self.replace(order, qty=self.random.randrange(1, self.params.qty_max))
        elif order.request.ord_type is OrdType.LIMIT:
            self.replace(order, limit=px)
        elif order.request.ord_type is OrdType.STOP:
            self.replace(order, stop=px)


class Puppet(Strategy[Params]):
    """Does nothing by itself: somebody outside pulls the strings."""

    def on_start(self) -> None:
        self.mids: dict[str, float] = {}
        self.quoted_ns: dict[str, int] = {}
        for symbol in self.params.symbols:
            self.subscribe_quotes(Stock(symbol))
        self.every(self.params.every_s, "act")

    def on_fill(self, fill: Fill) -> None:
        note(self.name, fill.exec_id)

    def on_quote(self, quote: Quote) -> None:
        self.quoted_ns[quote.contract.symbol] = self.now_ns
        if quote.mid_px == quote.mid_px:
            self.mids[quote.contract.symbol] = quote.mid_px

    def on_timer(self, name: str) -> None:
        if self.now_ns >= self.params.until_ns:
            self.cancel_all()

    def place(
        self, contract: Contract, side: Side, qty: int, *, limit_away: float = 0.0, stop_away: float = 0.0
    ) -> object:
        mid = self.mids.get(contract.symbol)
        if mid is None:
            return None
        send = self.buy if side is Side.BUY else self.sell
        limit = mid + limit_away if limit_away else None
        return send(contract, qty, limit=limit, stop=mid + stop_away if stop_away else None)

    def place_bracket(self, contract: Contract, qty: int, gain: float, loss: float) -> object:
        mid = self.mids.get(contract.symbol)
        if mid is None:
            return None
        return self.bracket(Market(contract, Side.BUY, qty), take_profit=mid + gain, stop=mid - loss)


class Bracketeer(Strategy[Params]):
    """Buys, never without the orders that get out again, and leaves those alone until the very end."""

    def on_start(self) -> None:
        self.random = Random(f"{self.params.seed}:{self.name}:{self.now_ns}")
        self.mids: dict[str, float] = {}
        self.quoted_ns: dict[str, int] = {}
        self.contracts = {symbol: Stock(symbol) for symbol in self.params.symbols}
        for contract in self.contracts.values():
            self.subscribe_quotes(contract)
        self.every(self.params.every_s, "act")

    def on_fill(self, fill: Fill) -> None:
        note(self.name, fill.exec_id)

    def on_quote(self, quote: Quote) -> None:
        self.quoted_ns[quote.contract.symbol] = self.now_ns
        if quote.mid_px == quote.mid_px:
            self.mids[quote.contract.symbol] = quote.mid_px

    def on_timer(self, name: str) -> None:
        if self.now_ns >= self.params.cover_until_ns:
            self.cancel_all()
        elif self.now_ns < self.params.until_ns and len(self.orders) < 9:
            self._enter(self.random.choice(self.params.symbols))

    def _enter(self, symbol: str) -> None:
        mid = self.mids.get(symbol)
        if mid is None:
            return
        contract, qty = self.contracts[symbol], self.random.randrange(1, self.params.qty_max)
        near = mid * self.random.uniform(-0.0005, 0.0005)
        entry = Market(contract, Side.BUY, qty)
        self.bracket(
            entry if self.random.random() < 0.5 else Limit(contract, Side.BUY, qty, mid + near),
            take_profit=mid * (1 + self.random.uniform(0.0003, 0.002)),
            stop=mid * (1 - self.random.uniform(0.0003, 0.002)),
        )
